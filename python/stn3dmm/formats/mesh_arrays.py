"""From the named arrays of a file to those of a `MorphableMesh`: layouts checked, units and winding converted.

Each function takes the file's arrays by name, the name of the one that it converts, and the path for its errors, which
are ValueErrors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stn3dmm.formats.orientation import is_inside_out

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
Vertices = npt.NDArray[np.float64]  # (V, 3) mm
Modes = npt.NDArray[np.float32]  # (K, V, 3) mm per standard deviation
Indices = npt.NDArray[np.int64]

# A file can announce any size; 400 modes of 100,000 vertices are 120 million numbers.
MOST_NUMBERS = 2**27


def array_of(content: Arrays, name: str, path: object) -> Array:
    """The array as it is; it must be there."""
    if name not in content:
        found = ", ".join(sorted(content)) or "nothing"
        raise ValueError(f"{path}: lacks the array {name!r}; it holds {found}.")
    return content[name]


def real_array(content: Arrays, name: str, path: object) -> Array:
    """The array as it is; it must hold finite real numbers, and some."""
    array = array_of(content, name, path)
    if array.dtype.kind not in "fiu" or array.size == 0:
        raise ValueError(f"{path}: {name} must hold real numbers; got {array.shape} of {array.dtype}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: {name} holds NaN or infinity.")
    return array


def vertices_of(content: Arrays, name: str, path: object, unit: float) -> Vertices:
    """(V, 3) mm from (V, 3), or from x y z x y z ... in a row, a column or a vector; ``unit`` is the file's, in mm."""
    array = real_array(content, name, path)
    in_a_line = array.size == max(array.shape, default=0) and array.size % 3 == 0
    if not in_a_line and (array.ndim != 2 or array.shape[1] != 3):
        raise ValueError(f"{path}: {name} must hold x, y, z of the vertices, (3 V, 1) or (V, 3); got {array.shape}.")
    return array.reshape(-1, 3).astype(np.float64) * unit


def modes_of(
    content: Arrays, name: str, path: object, V: int, unit: float, deviations: npt.NDArray[np.float64] | None = None
) -> Modes:
    """(K, V, 3) mm per standard deviation from the columns of (3 V, K), times (K,) standard deviations if given."""
    array = real_array(content, name, path)
    if array.ndim != 2 or array.shape[0] != 3 * V:
        raise ValueError(f"{path}: {name} must be ({3 * V}, K) for {V} vertices; got {array.shape}.")
    K = array.shape[1]
    if deviations is not None and len(deviations) != K:
        raise ValueError(f"{path}: {name} has {K} modes, but there are {len(deviations)} standard deviations.")
    scale = np.full(K, unit) if deviations is None else unit * deviations
    modes: Modes = array.T.reshape(K, V, 3).astype(np.float32) * scale.astype(np.float32)[:, None, None]
    return modes


def deviations_of(content: Arrays, name: str, path: object, *, variances: bool = False) -> npt.NDArray[np.float64]:
    """(K,) standard deviations from a row, a column or a vector of them, or of variances."""
    values = real_array(content, name, path).astype(np.float64).reshape(-1)
    if (values < 0).any():
        raise ValueError(f"{path}: {name} must not be negative; got {values.min():g}.")
    return np.sqrt(values) if variances else values


def triangles_of(content: Arrays, name: str, path: object, vertices: npt.NDArray[Any], first: int) -> Indices:
    """(F, 3) from 0, counter-clockwise seen from outside, from (F, 3) or (3, F) that count from ``first``."""
    shape = array_of(content, name, path).shape
    if len(shape) != 2 or 3 not in shape:
        raise ValueError(f"{path}: {name} must be (F, 3) or (3, F) vertex indices; got {shape}.")
    indices = indices_of(content, name, path, len(vertices), first)
    triangles = indices if shape[1] == 3 else indices.T
    return triangles[:, [0, 2, 1]] if is_inside_out(vertices, triangles) else triangles


def indices_of(content: Arrays, name: str, path: object, V: int, first: int) -> Indices:
    """Indices of vertices from 0, from whole numbers of any type that count from ``first``."""
    values = real_array(content, name, path)
    # Compared before they are converted: a large float has no int64.
    least, most = values.min(), values.max()
    if least < first or most > V - 1 + first or (np.floor(values) != values).any():
        raise ValueError(
            f"{path}: {name} must hold whole numbers in {first}..{V - 1 + first}, the vertices counted from {first}; "
            f"got {values.dtype} in {least:g}..{most:g}."
        )
    return values.astype(np.int64) - first


def mode_names(kind: str, K: int) -> tuple[str, ...]:
    """ "identity/1", "identity/2", ... for a format that does not name its modes."""
    return tuple(f"{kind}/{k + 1}" for k in range(K))
