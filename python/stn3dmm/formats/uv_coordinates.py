"""UV coordinates of a mesh from a file of their own, such as the authors' BFM_UV.mat."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats.matlab import read_matlab

WHAT = "UV coordinates (V, 2) of the mesh's vertices (.mat or .npy)"


def read_uv(path: str | os.PathLike[str], vertex_count: int) -> npt.NDArray[np.float64]:
    """Reads UV coordinates (V, 2), one pair a vertex of the mesh, from a MATLAB file or a NumPy array.

    A MATLAB file must hold one array of this shape, whatever its name; BFM_UV.mat of Bas et al. 2017 is one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: damaged, another shape, or not finite.
    """
    file = existing_file(path, WHAT)
    arrays = _numpy_array(file) if _is_numpy(file) else read_matlab(file, WHAT)
    expected = (vertex_count, 2)
    fitting = [array for array in arrays.values() if array.shape == expected and array.dtype.kind in "fiu"]
    if len(fitting) != 1:
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise ValueError(
            f"{file}: expected one array {expected} of numbers, u and v of each of the mesh's vertices; got {found}."
        )
    uv = fitting[0].astype(np.float64)
    if not np.isfinite(uv).all():
        raise ValueError(f"{file}: a UV coordinate is NaN or infinite.")
    return uv


def _is_numpy(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(6) == b"\x93NUMPY"


def _numpy_array(file: Path) -> dict[str, npt.NDArray[np.generic]]:
    try:
        return {"the array": np.load(file, allow_pickle=False, mmap_mode="r")}
    except Exception as error:  # NumPy raises a different type for each kind of damage
        raise ValueError(f"{file}: a damaged NumPy array ({error}); expected {WHAT}.") from error
