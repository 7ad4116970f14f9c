"""Readers of model and data files: one module per format; `load_model` tells them apart by content."""

from __future__ import annotations

import os
import zipfile

from stn3dmm.files import existing_file
from stn3dmm.formats import bas2017
from stn3dmm.formats.matlab import read_matlab
from stn3dmm.morphable_model import MorphableModel

__all__ = ["load_model"]

WHAT = "a morphable model: a stn3dmm .npz or the authors' model.mat"


def load_model(path: str | os.PathLike[str]) -> MorphableModel:
    """Reads a morphable model; the format is recognised by what the file holds, not by its name.

    Known are this project's ``.npz`` (`MorphableModel.save`) and ``model.mat`` of Bas et al. 2017.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is none of these, or damaged; the message says what was found.
    """
    file = existing_file(path, WHAT)
    with file.open("rb") as stream:
        head = stream.read(128)
    if zipfile.is_zipfile(file) and head.startswith(b"PK"):
        return _load_npz(file)
    if head.startswith(b"MATLAB 5.0 MAT-file"):
        content = read_matlab(file, WHAT)
        if bas2017.is_model(content):
            return bas2017.read_model(file)
        found = ", ".join(sorted(content)) or "nothing"
        raise ValueError(f"{file}: a MATLAB file, but no known morphable model: it holds {found}; expected {WHAT}.")
    raise ValueError(f"{file}: not a known morphable model ({_describe(head)}); expected {WHAT}.")


def _load_npz(file: os.PathLike[str]) -> MorphableModel:
    try:
        return MorphableModel.load(file)
    except ValueError as error:
        if str(file) in str(error):
            raise
        raise ValueError(f"{file}: not a stn3dmm model: {error}") from error
    except Exception as error:  # zlib, zip and JSON damage each have a type of their own
        raise ValueError(f"{file}: a damaged stn3dmm model ({error}); write it again.") from error


def _describe(head: bytes) -> str:
    known = {
        b"\x89HDF": "an HDF5 file",
        b"\x80": "a Python pickle",
        b"\x89PNG": "a PNG picture",
        b"\xff\xd8": "a JPEG picture",
        b"PK": "a damaged zip archive",
    }
    for magic, name in known.items():
        if head.startswith(magic):
            return name
    if not head:
        return "an empty file"
    return f"it begins with {head[:16]!r}"
