"""Reading MATLAB 5 files: a clear error for anything else."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io

from stn3dmm.files import existing_file

Array = npt.NDArray[Any]


def read_matlab(path: str | os.PathLike[str], what: str) -> dict[str, Array]:
    """The arrays of a MATLAB file by name; ``what`` names the expected content in errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a readable MATLAB 4 or 5 file.
    """
    file = existing_file(path, what)
    try:
        content = scipy.io.loadmat(file)
    except NotImplementedError as error:
        raise ValueError(
            f"{file}: a MATLAB 7.3 (HDF5) file; {what} is a MATLAB 5 file. Save it again with save(..., '-v7')."
        ) from error
    except Exception as error:  # scipy raises a different type for each kind of damage
        raise ValueError(f"{file}: not a readable MATLAB file ({error}); expected {what}.") from error
    return {name: np.asarray(value) for name, value in content.items() if not name.startswith("__")}


def numeric_array(content: dict[str, Array], name: str, path: object) -> npt.NDArray[np.float64]:
    """``content[name]`` as finite float64; ValueError if it is missing, not numeric or not finite."""
    if name not in content:
        found = ", ".join(sorted(content)) or "nothing"
        raise ValueError(f"{path}: lacks the array {name!r}; it holds {found}.")
    array = content[name]
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueError(f"{path}: {name} must hold real numbers; got {array.dtype}.")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: {name} holds NaN or infinity.")
    return values
