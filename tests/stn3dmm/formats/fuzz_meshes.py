"""What is fuzzed of OBJ, PLY, ICT-FaceKit, the Surrey Face Model, and the models that lie on a grid already."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import scipy.io

from .mesh_files import FACE, POLYGONS, SFM_ARRAYS, blendshape_bytes, ict_folder, own_model, sfm_bytes, write_ply
from .mutation import Fuzzed, Random, damage_array, damage_arrays, damage_words


def _damage_own_model(folder: Path, random: Random) -> None:
    files = sorted(folder.rglob("*.obj"))
    file = files[int(random.integers(0, len(files)))]
    file.write_text(damage_words(file.read_text(), random))


def _damage_file(path: Path, random: Random) -> None:
    path.write_text(damage_words(path.read_text(), random))


def _write_triangles(folder: Path) -> Path:
    return write_ply(folder / "face.ply", FACE, POLYGONS[:4], binary=True)


def _damage_binary_ply(path: Path, random: Random) -> None:
    """The header stays that of the values that follow."""
    vertices = damage_array(FACE, random)
    while vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind not in "fiu":
        vertices = damage_array(FACE, random)
    polygons = np.array(POLYGONS[:4])
    polygons[tuple(random.integers(0, (4, 3)))] = random.choice([-1, 0, 6, 7, 2**31 - 1, -(2**31)])
    write_ply(path, vertices, tuple(map(tuple, polygons.tolist())), binary=True)


def _write_ict(folder: Path) -> Path:
    ict_folder(folder / "FaceXModel")
    for name in ("identity001", "mouthSmile_L"):  # one mode of each kind is enough, and faster
        (folder / "FaceXModel" / f"{name}.obj").unlink()
    return folder / "FaceXModel"


def _damage_ict(folder: Path, random: Random) -> None:
    if random.random() < 0.5:
        file = folder / "vertex_indices.json"
        content = json.loads(file.read_text())
        key = str(random.choice(sorted(content)))
        values: list[object] = [
            None,
            [],
            {},
            1,
            "x",
            content[key][:-1],
            content[key] + [1e300],
            [[0]] * 68,
            [2**70] * 68,
        ]
        content[key] = values[int(random.integers(0, len(values)))]
        file.write_text(json.dumps(content))
        return
    files = sorted(folder.glob("*.obj"))
    file = files[int(random.integers(0, len(files)))]
    fault = int(random.integers(0, 4))
    if fault == 0:
        file.unlink()
    elif fault == 1:
        file.write_bytes(files[int(random.integers(0, len(files)))].read_bytes()[: int(random.integers(0, 5000))])
    else:
        file.write_text(damage_words(file.read_text(), random))


def _write_sfm(folder: Path) -> Path:
    (folder / "expressions.bin").write_bytes(blendshape_bytes())
    path = folder / "shape.bin"
    path.write_bytes(sfm_bytes())
    return path


def _damage_sfm(path: Path, random: Random) -> None:
    """Every array keeps to the size that is written before it; the layout has no place for text."""
    shapes = {"anger": np.ones((21, 1)), "surprise": np.zeros((21, 1))}
    arrays = {name: np.asarray(array) for name, array in SFM_ARRAYS.items()}
    of_expressions = random.random() < 0.3
    damaged = damage_arrays(shapes if of_expressions else arrays, random)
    numbers = {name: array for name, array in damaged.items() if array.dtype.kind != "U"}
    if of_expressions:
        path.with_name("expressions.bin").write_bytes(blendshape_bytes(numbers))
    else:
        path.write_bytes(sfm_bytes(**(arrays | {name: numbers[name] for name in arrays if name in numbers})))


GRID = {
    "mean": np.zeros((12, 3), dtype=np.float32),
    "basis": np.zeros((2, 12, 3), dtype=np.float32),
    "grid_shape": np.array([3, 4]),
    "valid": np.ones(12, dtype=bool),
    "mode_names": np.array(["identity/1", "expression/smile"]),
    "landmarks": np.array(json.dumps({"aflw21": [*range(12), *[-1] * 9]})),
    "source": np.array("made for a test"),
    "licence": np.array("none"),
    "version": np.array(1),
}


def _write_npz(folder: Path) -> Path:
    np.savez_compressed(folder / "model.npz", **GRID)
    return folder / "model.npz"


def _damage_npz(path: Path, random: Random) -> None:
    np.savez_compressed(path, **damage_arrays(GRID, random))


AUTHORS_N = 112 * 112
AUTHORS = {
    "nverts": np.array([[AUTHORS_N]], dtype=np.uint16),
    "shapeMU": np.zeros((3 * AUTHORS_N, 1), dtype=np.float32),
    "shapePC": np.zeros((3 * AUTHORS_N, 1), dtype=np.float32),
    "faces": np.array([[1, 2, 113]], dtype=np.uint16),
}


def _write_mat(folder: Path) -> Path:
    scipy.io.savemat(folder / "model.mat", AUTHORS)
    return folder / "model.mat"


def _damage_mat(path: Path, random: Random) -> None:
    scipy.io.savemat(path, damage_arrays(AUTHORS, random), do_compression=bool(random.integers(0, 2)))


FUZZED = (
    Fuzzed("obj", lambda folder: own_model(folder / "own"), _damage_own_model),
    Fuzzed("ply", lambda folder: write_ply(folder / "face.ply", FACE, POLYGONS), _damage_file),
    Fuzzed("binary-ply", _write_triangles, _damage_binary_ply),
    Fuzzed("ict", _write_ict, _damage_ict, {"part": "narrow"}),
    Fuzzed("sfm", _write_sfm, _damage_sfm, {"expression": "FOLDER/expressions.bin"}),
    Fuzzed("npz", _write_npz, _damage_npz, reader="load_model"),
    Fuzzed("bas2017", _write_mat, _damage_mat, reader="load_model"),
)
