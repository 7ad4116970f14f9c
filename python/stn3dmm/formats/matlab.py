"""Reading MATLAB 5 files: a clear error for anything else."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io

from stn3dmm.files import existing_file
from stn3dmm.formats.matlab_structures import NESTED, check_structures
from stn3dmm.formats.matlab_variables import variables
from stn3dmm.formats.mesh_arrays import MOST_NUMBERS, array_of

Array = npt.NDArray[Any]
LEVEL_5 = 1  # as SciPy counts the versions of the format


def read_matlab(
    path: str | os.PathLike[str], what: str, names: Collection[str] | None = None, *, structures: Collection[str] = ()
) -> dict[str, Array]:
    """The arrays of a MATLAB file by name; ``what`` names the expected content in errors.

    ``names`` are the arrays to read, as far as they are there; None reads all arrays of real numbers. ``structures``
    are those that may as well be cells or structs of text and real numbers; they come as SciPy reads them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a readable MATLAB 4 or 5 file, or a named array does not hold real numbers or
            is larger than any model's.
    """
    file = existing_file(path, what)
    try:
        # Other versions have readers of their own: SciPy refuses 7.3, and that of 4 checks what it reads.
        if scipy.io.matlab.matfile_version(file)[0] == LEVEL_5:
            names = _checked_names(file, names, structures)
        content = scipy.io.loadmat(file, variable_names=None if names is None else list(names))
    except NotImplementedError as error:
        raise ValueError(
            f"{file}: a MATLAB 7.3 (HDF5) file; {what} is a MATLAB 5 file. Save it again with save(..., '-v7')."
        ) from error
    except Exception as error:  # scipy raises a different type for each kind of damage
        raise ValueError(f"{file}: not a readable MATLAB file ({error}); expected {what}.") from error
    return {name: np.asarray(value) for name, value in content.items() if not name.startswith("__")}


def _checked_names(file: Path, names: Collection[str] | None, structures: Collection[str]) -> list[str]:
    """The variables to read: those named, or all arrays of real numbers."""
    wanted = []
    if structures:
        check_structures(file, structures)
    for variable in variables(file):
        if variable.name in structures and variable.kind in NESTED:
            wanted.append(variable.name)
            continue
        if (names is None and variable.is_numeric) or (names is not None and variable.name in names):
            if not variable.is_numeric:
                raise ValueError(f"{variable.name} is of class {variable.kind}, not an array of real numbers")
            if math.prod(variable.shape) > MOST_NUMBERS:
                raise ValueError(f"{variable.name} is announced as {variable.shape}, larger than any morphable model")
            wanted.append(variable.name)
    return wanted


def numeric_array(content: dict[str, Array], name: str, path: object) -> npt.NDArray[np.float64]:
    """``content[name]`` as finite float64; ValueError if it is missing, not numeric or not finite."""
    array = array_of(content, name, path)
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueError(f"{path}: {name} must hold real numbers; got {array.dtype}.")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: {name} holds NaN or infinity.")
    return values
