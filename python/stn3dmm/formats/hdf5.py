"""Arrays from HDF5 files: only what lies in the file itself, and no more memory than the file can account for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats.mesh_arrays import MOST_NUMBERS

DEFLATE_RATIO = 1032  # the most that zlib, HDF5's own compression, can do


@contextlib.contextmanager
def open_hdf5(path: str | os.PathLike[str], what: str) -> Iterator[h5py.File]:
    """The opened file; ``what`` names the expected content in errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not readable HDF5, there or wherever the block meets damage.
    """
    file = existing_file(path, what)
    try:
        with h5py.File(file, "r") as opened:
            yield opened
    except Exception as error:  # h5py raises a different type for each kind of damage
        if isinstance(error, ValueError) and str(file) in str(error):
            raise
        raise ValueError(f"{file}: not a readable HDF5 file ({error}); expected {what}.") from error


def dataset_of(file: h5py.File, name: str) -> h5py.Dataset | None:
    """The dataset of this name; None if there is none, or none that lies in the file itself."""
    place: Any = file
    for part in name.split("/"):
        # A soft or an external link can lead anywhere.
        if not isinstance(place, h5py.Group) or not isinstance(place.get(part, getlink=True), h5py.HardLink):
            return None
        place = place[part]
    if not isinstance(place, h5py.Dataset) or place.is_virtual or place.external:
        return None
    return place


def read_numbers(file: h5py.File, name: str, path: object) -> npt.NDArray[Any]:
    """The numbers of a dataset.

    Raises:
        ValueError: there is no such dataset, it holds no numbers, or more of them than the file can account for.
    """
    dataset = dataset_of(file, name)
    if dataset is None:
        raise ValueError(f"{path}: lacks the dataset {name!r}.")
    if dataset.dtype.kind not in "fiu":
        raise ValueError(f"{path}: {name} must hold real numbers; got {dataset.dtype}.")
    if dataset.size > MOST_NUMBERS or dataset.nbytes > DEFLATE_RATIO * dataset.id.get_storage_size():
        raise ValueError(f"{path}: {name} announces {dataset.shape} numbers, more than the file can hold.")
    return np.asarray(dataset[()])


def read_text(file: h5py.File, name: str) -> str | None:
    """The text of a dataset with one string, or with a string's bytes as numbers; None if there is none."""
    dataset = dataset_of(file, name)
    if dataset is None or (dataset.size != 1 and dataset.dtype.itemsize != 1) or dataset.size > MOST_NUMBERS:
        return None
    content = np.asarray(dataset[()])
    value = content.reshape(-1)[0] if content.size == 1 else content.tobytes()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None
