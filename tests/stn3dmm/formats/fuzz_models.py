"""What is fuzzed of the Basel family and FLAME."""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from . import basel_files
from .model_files import (
    Python2,
    deep3d_content,
    flame_arrays,
    flame_pickle,
    tddfa_v2_content,
    triangle_pickle,
    write_bfm_h5,
)
from .mutation import Array, Fuzzed, Random, damage_array, damage_arrays

# Values that no array has, for the places of arrays in a pickle.
NO_ARRAYS: tuple[Any, ...] = (None, 1, "x", b"x", [], (), {}, [1.0, 2.0], {"x": 1}, [[]] * 3, 2**70)


def _savemat(path: Path, arrays: dict[str, Array], random: Random) -> None:
    scipy.io.savemat(path, damage_arrays(arrays, random), do_compression=bool(random.integers(0, 2)))


def _write_deep3d(folder: Path) -> Path:
    scipy.io.savemat(folder / "BFM_model_front.mat", deep3d_content())
    return folder / "BFM_model_front.mat"


def _damage_deep3d(path: Path, random: Random) -> None:
    _savemat(path, deep3d_content(), random)


@functools.cache
def _basel() -> tuple[dict[str, Array], dict[str, Array]]:
    return basel_files.shape_content(1), basel_files.expression_content(1)


def _write_bfm2009(folder: Path) -> Path:
    for name, content in zip(("01_MorphableModel.mat", "Model_Expression.mat"), _basel(), strict=True):
        scipy.io.savemat(folder / name, content)
    return folder / "01_MorphableModel.mat"


def _damage_bfm2009(path: Path, random: Random) -> None:
    shape, expression = _basel()
    if random.random() < 0.5:
        scipy.io.savemat(path, damage_arrays(shape, random))
    else:
        scipy.io.savemat(path.with_name("Model_Expression.mat"), damage_arrays(expression, random))


def _write_bfm_h5(folder: Path) -> Path:
    return write_bfm_h5(folder / "model2017-1_bfm_nomouth.h5")


def _damage_bfm_h5(path: Path, random: Random) -> None:
    """One or two datasets with other content, as another kind of dataset, or gone."""
    with h5py.File(path, "r+") as file:
        arrays: dict[str, Array] = {}
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        names = sorted(arrays)
        for name in random.choice(names, int(random.integers(1, 3)), replace=False):
            value = np.asarray(arrays[name])
            del file[name]
            fault = int(random.integers(0, 8))
            if fault == 0:
                continue
            if fault == 1:
                file[name] = h5py.SoftLink(f"/{random.choice(names)}")
            elif fault == 2:
                rows = int(random.choice([10, 2**20, 2**40]))
                file.create_dataset(name, shape=(rows, 3), dtype="f4", chunks=True)
            elif value.dtype.kind == "O":
                file[name] = _damage_text(value[()].decode(), random)
            else:
                damaged = damage_array(value, random)
                file[name] = str(damaged) if damaged.dtype.kind == "U" else damaged


def _damage_text(text: str, random: Random) -> str:
    place = int(random.integers(0, len(text)))
    return text[:place] + str(random.choice(["", "]", "NaN", "1e999", '"', "[", "\x7f"])) + text[place + 1 :]


def _damage_pickled(content: dict[str, Any], random: Random) -> dict[str, Any]:
    damaged: dict[str, Any] = damage_arrays(content, random)
    if damaged and random.random() < 0.3:
        damaged[str(random.choice(sorted(damaged)))] = NO_ARRAYS[int(random.integers(0, len(NO_ARRAYS)))]
    return damaged


def _write_tddfa_v2(folder: Path) -> Path:
    (folder / "tri.pkl").write_bytes(triangle_pickle())
    (folder / "bfm_noneck_v3.pkl").write_bytes(pickle.dumps(tddfa_v2_content(), protocol=3))
    return folder / "bfm_noneck_v3.pkl"


def _damage_tddfa_v2(path: Path, random: Random) -> None:
    protocol = int(random.integers(0, 6))
    if random.random() < 0.2:
        triangles = _damage_pickled({"tri": pickle.loads(triangle_pickle())}, random)
        path.with_name("tri.pkl").write_bytes(pickle.dumps(next(iter(triangles.values()), None), protocol))
    else:
        path.write_bytes(pickle.dumps(_damage_pickled(tddfa_v2_content(), random), protocol))


def _write_flame(folder: Path) -> Path:
    (folder / "generic_model.pkl").write_bytes(flame_pickle(identities=4))
    return folder / "generic_model.pkl"


def _damage_flame(path: Path, random: Random) -> None:
    writer = Python2(int(random.integers(0, 3)))
    damaged = damage_arrays(flame_arrays(identities=4), random)
    wrap = [writer.array, writer.chumpy, lambda array: writer.chumpy(array)[:-1] + b"0N", lambda array: b"N"]
    chances = [0.5, 0.4, 0.05, 0.05]
    items = {name.encode(): random.choice(np.array(wrap), p=chances)(array) for name, array in damaged.items()}
    path.write_bytes(writer.pickle(items))


def _write_flame_npz(folder: Path) -> Path:
    np.savez(folder / "flame2023.npz", **flame_arrays(identities=4))
    return folder / "flame2023.npz"


def _damage_flame_npz(path: Path, random: Random) -> None:
    save = np.savez if random.random() < 0.5 else np.savez_compressed
    save(path, **damage_arrays(flame_arrays(identities=4), random))


FUZZED = (
    Fuzzed("bfm2009", _write_bfm2009, _damage_bfm2009, {"expression": "FOLDER/Model_Expression.mat"}),
    Fuzzed("bfm-h5", _write_bfm_h5, _damage_bfm_h5),
    Fuzzed("tddfa-v2", _write_tddfa_v2, _damage_tddfa_v2),
    Fuzzed("deep3d", _write_deep3d, _damage_deep3d),
    Fuzzed("flame", _write_flame, _damage_flame),
    Fuzzed("flame-npz", _write_flame_npz, _damage_flame_npz),
)
