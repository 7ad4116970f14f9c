"""Small models in the exact layouts of OBJ, PLY, ICT-FaceKit and the Surrey Face Model, written from their layout."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

# A pyramid seen from above, in centimetres: a quad would be flat, so the sides are triangles and a strip is added.
FACE = np.array([[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0], [0, 0, 6], [9, -15, -2], [-9, -15, -2]], dtype=float)
POLYGONS = ((0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4), (6, 5, 1, 0))  # the last a quad; all counter-clockwise


def write_obj(
    path: Path, vertices: Points, polygons: tuple[tuple[int, ...], ...], uv: Points | None = None, head: str = ""
) -> Path:
    """``uv`` has one row a vertex; polygons count from 0 here and from 1 in the file."""
    lines = [head] if head else []
    lines += ["v " + " ".join(repr(float(x)) for x in vertex) for vertex in vertices]
    lines += [] if uv is None else ["vt " + " ".join(repr(float(x)) for x in row) for row in uv]
    corner = "{0}" if uv is None else "{0}/{0}"
    lines += ["f " + " ".join(corner.format(index + 1) for index in polygon) for polygon in polygons]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def write_ply(path: Path, vertices: Points, polygons: tuple[tuple[int, ...], ...], binary: bool = False) -> Path:
    encoding = "binary_little_endian" if binary else "ascii"
    head = [
        "ply",
        f"format {encoding} 1.0",
        f"element vertex {len(vertices)}",
        *(f"property double {axis}" for axis in "xyz"),
        f"element face {len(polygons)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    if binary:
        body = b"".join(struct.pack("<3d", *vertex) for vertex in vertices)
        body += b"".join(struct.pack(f"<B{len(p)}i", len(p), *p) for p in polygons)
    else:
        rows = [" ".join(repr(float(x)) for x in vertex) for vertex in vertices]
        rows += [" ".join(map(str, (len(polygon), *polygon))) for polygon in polygons]
        body = ("\n".join(rows) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join(head).encode() + body)
    return path


def own_model(folder: Path) -> Path:
    """A folder with a mean, two identity modes and one expression."""
    write_obj(folder / "mean.obj", FACE, POLYGONS)
    for number in (10, 2):
        write_obj(folder / "identity" / f"shape{number}.obj", FACE + np.array([0, 0, number]), POLYGONS)
    write_obj(folder / "expression" / "smile.obj", FACE + np.array([0, 0.4, 0]), POLYGONS)
    return folder


# ICT-FaceKit: a disc of rings around the nose, as many vertices and polygons as its narrow and its full face have.
ICT_WHOLE = 9421  # vertices of all meshes here; 26,719 in the real one
ICT_AROUND = 80
ICT_LANDMARKS = {8: 70 * ICT_AROUND + 60, 30: 0, 36: 40 * ICT_AROUND + 33, 45: 40 * ICT_AROUND + 7}


def ict_vertices() -> Points:
    """(9421, 3) cm: 83 rings, 66 spare vertices, 33 rings, 63 spare, and 12 vertices of the teeth."""

    def rings(first: float, last: float, count: int) -> Points:
        r, angle = np.meshgrid(
            np.linspace(first, last, count), np.arange(ICT_AROUND) * (2 * np.pi / ICT_AROUND), indexing="ij"
        )
        return np.stack([9 * r * np.cos(angle), 12 * r * np.sin(angle), 10 * (1 - r**2)], axis=-1).reshape(-1, 3)

    spare = np.array([9.0, 0.0, 0.0])
    parts = [rings(0.05, 0.8, 83), np.tile(spare, (66, 1)), rings(0.82, 1, 33), np.tile(spare, (63, 1))]
    return np.concatenate([*parts, np.ones((12, 3))]).round(3)


def ict_polygons() -> tuple[tuple[int, ...], ...]:
    """6,560 quads of the narrow face, 2,560 quads and 110 triangles of the rest, 3 quads of the teeth."""

    def quads(first: int, rings: int) -> list[tuple[int, ...]]:
        return [
            tuple(first + a * ICT_AROUND + b % ICT_AROUND for a, b in ((k, j), (k + 1, j), (k + 1, j + 1), (k, j + 1)))
            for k in range(rings - 1)
            for j in range(ICT_AROUND)
        ]

    triangles = [(6706 + k, 6707 + k, 9346 + k % 63) for k in range(110)]
    teeth = [tuple(range(9409 + 4 * k, 9413 + 4 * k)) for k in range(3)]
    return (*quads(0, 83), *quads(6706, 33), *triangles, *teeth)


def ict_folder(folder: Path) -> Path:
    """Two identities, two expressions of three that vertex_indices.json lists, 68 landmarks."""
    vertices, polygons = ict_vertices(), ict_polygons()
    licence = "\n".join(
        f"# line {k} of a licence that is longer than a reader's first look {'#' * 40}" for k in range(60)
    )
    write_obj(folder / "generic_neutral_mesh.obj", vertices, polygons, head=licence)
    for name, move in (("identity000", (0.1, 0, 0)), ("identity001", (0, 0.2, 0)), ("jawOpen", (0, -3, 0))):
        write_obj(folder / f"{name}.obj", vertices + np.array(move), polygons)
    write_obj(folder / "mouthSmile_L.obj", vertices + np.array([1, 0, 0]), polygons)
    landmarks = [ICT_LANDMARKS.get(k, 100 + k) for k in range(68)]
    landmarks[5] = 9000  # on the full face only
    indices = {"expressions": ["mouthSmile_L", "browDown_L", "jawOpen"], "idx_to_landmark_verts": landmarks}
    (folder / "vertex_indices.json").write_text(json.dumps(indices))
    return folder


def matrix(values: npt.ArrayLike) -> bytes:
    """A matrix as cereal writes eos's: rows, columns, float32 column by column."""
    with np.errstate(all="ignore"):
        array = np.asarray(values).real.astype(np.float32)
    array = array.reshape(len(array) if array.ndim else 1, -1) if array.size else np.empty((0, 1), dtype=np.float32)
    numbers = [float(x) for column in array.T for x in column]
    return struct.pack("<ii", *array.shape) + struct.pack(f"<{len(numbers)}f", *numbers)


def counted(values: npt.ArrayLike, kind: str, columns: int) -> bytes:
    """Rows of so many numbers ("i": int32, "d": float64) after their count."""
    with np.errstate(all="ignore"):
        flat = np.asarray(values).real.astype(np.int32 if kind == "i" else np.float64).reshape(-1)
    rows = len(flat) // columns
    return struct.pack("<Q", rows) + struct.pack(f"<{rows * columns}{kind}", *flat[: rows * columns].tolist())


SFM_TRIANGLES = [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4), (6, 5, 1), (6, 1, 0)]
SFM_BASIS = np.arange(42).reshape(21, 2) / 100
SFM_EIGENVALUES = np.array([[4.0], [0.25]])
SFM_UV = [(0.125 * k, 0.0625 * k) for k in range(7)]
SFM_ARRAYS: dict[str, npt.ArrayLike] = {
    "mean": 10 * FACE.reshape(-1, 1),
    "basis": SFM_BASIS,
    "eigenvalues": SFM_EIGENVALUES,
    "triangles": SFM_TRIANGLES,
    "uv": SFM_UV,
}


def sfm_bytes(version: int = 1, **arrays: npt.ArrayLike) -> bytes:
    """A model of 7 vertices in millimetres, 2 modes, no colours, texture coordinates with v down; or other arrays."""
    content = SFM_ARRAYS | arrays
    no_matrix = struct.pack("<ii", 0, 1)
    return b"".join(
        [
            struct.pack("<I", version),
            *(matrix(content[name]) for name in ("mean", "basis", "eigenvalues")),
            counted(content["triangles"], "i", 3),
            *(no_matrix, struct.pack("<ii", 0, 0), no_matrix, counted([], "i", 3)),
            counted(content["uv"], "d", 2),
        ]
    )


def blendshape_bytes(shapes: dict[str, npt.ArrayLike] | None = None) -> bytes:
    """Two blendshapes, or others by name."""
    shapes = {"anger": np.full((21, 1), 1.0), "surprise": np.full((21, 1), 2.0)} if shapes is None else shapes
    parts = [struct.pack("<Q", len(shapes))]
    for name, shape in shapes.items():
        parts += [struct.pack("<Q", len(name)), name.encode(), matrix(shape)]
    return b"".join(parts)
