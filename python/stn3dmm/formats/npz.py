"""Arrays from .npz archives of other programs: no pickles, and no more memory than the file can account for."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Collection
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats.mesh_arrays import MOST_NUMBERS

Array = npt.NDArray[Any]


def read_npz(path: str | os.PathLike[str], what: str, names: Collection[str]) -> dict[str, Array]:
    """Those of the named arrays that the archive holds; ``what`` names the expected content in errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a readable .npz archive, or an array holds Python objects or is larger than the
            file can account for.
    """
    file = existing_file(path, what)
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            return {name: _read_member(archive, members[name]) for name in names if name in members}
    except Exception as error:  # zipfile, zlib and NumPy raise a different type for each kind of damage
        raise ValueError(f"{file}: not a readable .npz archive ({error}); expected {what}.") from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with archive.open(info) as stream:
        shape, dtype = _announced(stream)
    count = math.prod(shape)
    if dtype.kind not in "fiu":
        raise ValueError(f"{info.filename} holds {dtype}; only real numbers are read")
    if count > MOST_NUMBERS or count * dtype.itemsize > info.file_size:
        raise ValueError(f"{info.filename} announces {shape} {dtype} in {info.file_size} bytes")
    with archive.open(info) as stream:
        array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _announced(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    if version not in readers:  # version 3 is for field names in Unicode
        raise ValueError(f"an array of format version {version}")
    shape, _, dtype = readers[version](stream)
    if any(size < 0 for size in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, dtype
