"""The Surrey Face Model (Huber et al. 2016) as eos stores it with cereal: little-endian, no magic number.

``sfm_shape_*.bin``: uint32 version; the shape's mean (3V, 1), orthonormal basis (3V, K) and eigenvalues (K, 1), each
as int32 rows, int32 columns and float32 values column by column; its triangles as uint64 count and int32 corners; the
same four of the colours, empty in the public file; uint64 count and float64 (u, v) of the texture coordinates.
``expression_blendshapes_*.bin``: uint64 count; each a uint64 length, a name and a matrix (3V, 1).
Millimetres, y up, z forward, counter-clockwise; v counts down.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats import blendshapes
from stn3dmm.formats.recognition import Source
from stn3dmm.morphable_mesh import MorphableMesh

WHAT = "the Surrey Face Model (eos, sfm_shape_*.bin)"
OPTIONS = ("expression",)

VERSIONS = (0, 1)
LONGEST_NAME = 256  # bytes of an expression's name

# Vertices of the 68 iBUG landmarks on the mesh of 3,448 vertices, -1 = none: share/ibug_to_sfm.txt of eos (Apache-2.0).
IBUG68_VERTEX_COUNT = 3448
# fmt: off
IBUG68_INDICES = (
    -1, -1, -1, -1, -1, -1, -1, -1, 33, -1, -1, -1, -1, -1, -1, -1, -1, 225, 229, 233, 2086, 157, 590, 2091, 666, 662,
    658, 2842, 379, 272, 114, 100, 2794, 270, 2797, 537, 177, 172, 191, 181, 173, 174, 614, 624, 605, 610, 607, 606,
    398, 315, 413, 329, 825, 736, 812, 841, 693, 411, 264, 431, -1, 416, 423, 828, -1, 817, 442, 404,
)
# fmt: on


def recognises(source: Source) -> bool:
    """Whether the file begins with a version, a mean (3V, 1) and a basis (3V, K) that fit into it."""
    if source.kind != "other" or len(source.head) < 12:
        return False
    version, rows, columns = struct.unpack_from("<iii", source.head)
    second = 12 + 4 * rows
    if version not in VERSIONS or rows <= 0 or rows % 3 or columns != 1:
        return False
    if source.path.stat().st_size < second + 8:
        return False
    with source.path.open("rb") as stream:
        stream.seek(second)
        return stream.read(4) == struct.pack("<i", rows)


def read(path: Path, *, expression: str | os.PathLike[str] | None = None) -> MorphableMesh:
    """Reads the shape model and, from ``expression``, its blendshapes.

    Returns:
        The face in millimetres; the basis times the standard deviations, which are the square roots of the
        eigenvalues; expressions scaled to one standard deviation (`blendshapes`); 50 of the iBUG-68 landmarks on the
        mesh of 3,448 vertices; the file's texture coordinates.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is something else, cut off or damaged.
    """
    file = _Cursor(existing_file(path, WHAT))
    version = int(file.take("<u4", 1, "the version")[0])
    if version not in VERSIONS:
        raise ValueError(f"{path}: version {version} of the eos model; known are 0 and 1.")
    mean = file.matrix("the mean shape")
    basis = file.matrix("the shape basis")
    eigenvalues = file.matrix("the eigenvalues")
    triangles = file.take("<i4", (file.count("triangles"), 3), "the triangles")
    _check_shapes(path, mean, basis, eigenvalues)
    for name in ("mean", "basis", "eigenvalues"):
        file.matrix(f"the {name} of the colours")
    file.take("<i4", (file.count("colour triangles"), 3), "the colour triangles")
    uv = file.take("<f8", (file.count("texture coordinates"), 2), "the texture coordinates")
    file.end()

    V, K = len(mean) // 3, basis.shape[1]
    if len(uv) not in (0, V):
        raise ValueError(f"{path}: expected texture coordinates for {V} vertices or none; got {len(uv)}.")
    modes = (basis * np.sqrt(eigenvalues[:, 0])).T.reshape(K, V, 3)
    shapes = {} if expression is None else _read_blendshapes(Path(expression), V)
    named = [f"expression/{name}" for name in shapes]
    weighted = [shape * np.float32(blendshapes.STANDARD_DEVIATION) for shape in shapes.values()]
    return MorphableMesh(
        mean=mean.reshape(V, 3),
        basis=np.concatenate([modes, np.array(weighted, dtype=np.float32).reshape(-1, V, 3)]),
        triangles=triangles.astype(np.int64),
        mode_names=(*(f"identity/{k + 1}" for k in range(K)), *named),
        landmarks={"ibug68": np.array(IBUG68_INDICES)} if V == IBUG68_VERTEX_COUNT else {},
        uv=uv * (1, -1) + (0, 1) if len(uv) else None,
        source="Surrey Face Model",
        licence="non-commercial (University of Surrey, CVSSP)",
    )


def _check_shapes(path: Path, mean: npt.NDArray[Any], basis: npt.NDArray[Any], eigenvalues: npt.NDArray[Any]) -> None:
    rows, K = basis.shape
    if rows == 0 or rows % 3 or mean.shape != (rows, 1) or eigenvalues.shape != (K, 1):
        raise ValueError(
            f"{path}: expected a mean (3V, 1), a basis (3V, K) and eigenvalues (K, 1); "
            f"got {mean.shape}, {basis.shape} and {eigenvalues.shape}."
        )
    if not (eigenvalues >= 0).all():  # NaN is not
        raise ValueError(f"{path}: the eigenvalues are variances and must not be negative or NaN.")


def _read_blendshapes(path: Path, V: int) -> dict[str, npt.NDArray[np.float32]]:
    file = _Cursor(existing_file(path, "the expression blendshapes of the Surrey Face Model"))
    shapes: dict[str, npt.NDArray[np.float32]] = {}
    for number in range(1, file.count("expression blendshapes") + 1):
        length = file.count(f"bytes in the name of blendshape {number}")
        if length > LONGEST_NAME:
            raise ValueError(
                f"{path}: not a file of eos's blendshapes (expression_blendshapes_*.bin): blendshape {number} has a "
                f"name of {length} bytes."
            )
        name = file.take("u1", length, f"the name of blendshape {number}").tobytes().decode("utf-8", "replace")
        shape = file.matrix(f"the blendshape {name!r}")
        if shape.shape != (3 * V, 1):
            raise ValueError(f"{path}: the blendshape {name!r} must be ({3 * V}, 1) as the mean; got {shape.shape}.")
        if name in shapes:
            raise ValueError(f"{path}: the blendshape {name!r} comes twice.")
        if not np.isfinite(shape).all():
            raise ValueError(f"{path}: the blendshape {name!r} holds NaN or infinity.")
        shapes[name] = shape.reshape(V, 3)
    file.end()
    return shapes


class _Cursor:
    """Reads a file from front to back; what does not lie in it is an error before anything is allocated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = path.read_bytes()
        self.position = 0

    def take(self, dtype: str, shape: int | tuple[int, int], what: str) -> npt.NDArray[Any]:
        rows, columns = shape if isinstance(shape, tuple) else (shape, 1)
        size = rows * columns * np.dtype(dtype).itemsize
        left = len(self.content) - self.position
        if size > left:
            raise ValueError(
                f"{self.path}: expected {size} bytes of {what} at byte {self.position}, {left} are left: the file is "
                "cut off, or no file of the Surrey Face Model."
            )
        values = np.frombuffer(self.content, dtype=dtype, count=rows * columns, offset=self.position)
        self.position += size
        return values.reshape(shape)

    def count(self, what: str) -> int:
        return int(self.take("<u8", 1, f"the number of {what}")[0])

    def matrix(self, what: str) -> npt.NDArray[np.float32]:
        rows, columns = (int(size) for size in self.take("<i4", 2, f"the size of {what}"))
        if rows < 0 or columns < 0:
            raise ValueError(f"{self.path}: {what} cannot be ({rows}, {columns}); no file of the Surrey Face Model.")
        return self.take("<f4", (columns, rows), what).T

    def end(self) -> None:
        left = len(self.content) - self.position
        if left:
            raise ValueError(f"{self.path}: {left} bytes are left at the end; no file of the Surrey Face Model.")
