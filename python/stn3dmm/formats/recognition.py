"""Telling the formats of morphable models apart by what a file or folder holds, never by its name."""

from __future__ import annotations

import collections
import dataclasses
import functools
import importlib
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import scipy.io

from stn3dmm.formats.matlab_variables import elements
from stn3dmm.formats.pickle_machine import operations
from stn3dmm.morphable_mesh import MorphableMesh

HEAD_BYTES = 4096
MOST_ENTRIES = 100  # of a folder in which a model is looked for
LONGEST_NAME = 64  # longer strings in a pickle are data

# How meshes begin that are not read.
OTHER_MESHES = {b"glTF": "a GLB mesh", b"solid ": "an STL mesh", b"Kaydara FBX": "an FBX mesh"}

# A module of this package for each format, in the order in which they are asked; loaded on first use.
MESH_FORMATS = ("ict", "sfm", "bfm2009", "bfm_h5", "tddfa_v2", "deep3d", "flame", "plain_mesh")


class MeshFormat(Protocol):
    """What a module of a mesh format offers."""

    WHAT: str  # the model and its file, for messages: "the Surrey Face Model (sfm_shape_*.bin)"
    OPTIONS: tuple[str, ...]  # the options of `read_mesh` that its `read` takes as keywords

    def recognises(self, source: Source) -> bool:
        """Whether the source is of this format: quick, and False (no error) for whatever else or damaged."""

    def read(self, path: Path, **options: Any) -> MorphableMesh:
        """Reads it; ValueError or FileNotFoundError, one clear sentence, for whatever is wrong."""


@dataclasses.dataclass(frozen=True)
class Source:
    """A file or folder whose format is asked for. What is learnt about it is learnt once for all formats."""

    path: Path

    @functools.cached_property
    def head(self) -> bytes:
        """The first 4096 bytes; none of a folder."""
        if not self.path.is_file():
            return b""
        with self.path.open("rb") as stream:
            return stream.read(HEAD_BYTES)

    @functools.cached_property
    def kind(self) -> str:
        """The container: "folder", "matlab", "hdf5", "zip", "pickle" or "other"."""
        if self.path.is_dir():
            return "folder"
        magics = {
            "matlab": (b"MATLAB 5.0 MAT-file",),
            "hdf5": (b"\x89HDF\r\n\x1a\n", b"MATLAB 7.3 MAT-file"),
            "zip": (b"PK\x03\x04",),
            # Protocols 2 to 5 announce themselves; 0 and 1 begin with the dictionary that every model file is.
            "pickle": (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"(dp", b"}q"),
        }
        for kind, beginnings in magics.items():
            if self.head.startswith(beginnings):
                return kind
        return "other"

    @property
    def names(self) -> frozenset[str]:
        """What the container calls its content, as far as it can be read; empty for kind "other".

        MATLAB variables, members of the HDF5 root, entries of a zip archive (without ``.npy``), entries of a folder,
        short strings in a pickle (which is scanned, not executed).
        """
        return self._content[0]

    @property
    def damaged(self) -> bool:
        """Whether a container of a known kind could not be read to its end."""
        return self._content[1]

    @functools.cached_property
    def _content(self) -> tuple[frozenset[str], bool]:
        readers: dict[str, Callable[[Path], Iterable[str]]] = {
            "folder": os.listdir,
            "matlab": _matlab_names,
            "hdf5": _hdf5_names,
            "zip": _zip_names,
            "pickle": _pickle_strings,
        }
        names: set[str] = set()
        try:
            if self.kind in readers:
                names.update(readers[self.kind](self.path))
        except Exception:  # the libraries have a type for each kind of damage; the reader says later what is wrong
            return frozenset(names), True
        return frozenset(names), False

    def describe(self) -> str:
        """What was found, for an error: "an HDF5 file: it holds color, shape"."""
        kinds = {
            "folder": "a folder",
            "matlab": "a MATLAB file",
            "hdf5": "an HDF5 file",
            "zip": "a zip archive",
            "pickle": "a Python pickle",
        }
        if self.kind not in kinds or (self.kind == "zip" and not self.names):
            beginnings = {b"\x89PNG": "a PNG picture", b"\xff\xd8": "a JPEG picture", b"PK": "a damaged zip archive"}
            for magic, name in (beginnings | OTHER_MESHES).items():
                if self.head.startswith(magic):
                    return name
            if self._is_binary_stl:
                return "an STL mesh"
            return f"it begins with {self.head[:16]!r}" if self.head else "an empty file"
        found = "".join(letter if letter.isprintable() else "?" for letter in ", ".join(sorted(self.names)))
        found = found or "nothing readable"
        return f"{kinds[self.kind]}: it holds {found if len(found) <= 200 else found[:200] + ' ...'}"

    def remedy(self) -> str | None:
        """What to do about a source that no format recognises, where that is plain."""
        if self.head.startswith(tuple(OTHER_MESHES)) or self._is_binary_stl:
            return "convert it to OBJ or PLY"
        if self.kind == "zip" and any(name.endswith("data.pkl") for name in self.names):  # PyTorch's archives
            return "name the model, not a checkpoint"
        if self.kind == "zip" and any("." in name for name in self.names):  # the arrays of an .npz have no suffix
            return "unpack it, and name what it holds"
        if self.kind == "folder" and len(self.names) <= MOST_ENTRIES:
            models = [name for name in sorted(self.names) if mesh_format_of(Source(self.path / name)) is not None]
            return f"name {models[0]} itself" if len(models) == 1 else None
        return None

    @property
    def _is_binary_stl(self) -> bool:
        """Whether a count of triangles after 80 bytes, each of 50 bytes, makes up the file."""
        count = int.from_bytes(self.head[80:84], "little")
        return len(self.head) >= 84 and self.path.stat().st_size == 84 + 50 * count


def mesh_formats() -> Iterator[MeshFormat]:
    """The modules of all mesh formats, in the order in which they are asked."""
    for name in MESH_FORMATS:
        yield cast(MeshFormat, importlib.import_module(f"stn3dmm.formats.{name}"))


def mesh_format_of(source: Source) -> MeshFormat | None:
    """The first mesh format that recognises the source."""
    return next((module for module in mesh_formats() if module.recognises(source)), None)


def _matlab_names(path: Path) -> Iterator[str]:
    yield from (name for name, _, _ in scipy.io.whosmat(path))
    collections.deque(elements(path), maxlen=0)  # SciPy does not notice that a file is cut off


def _hdf5_names(path: Path) -> list[str]:
    import h5py

    with h5py.File(path, "r") as file:
        # Bytes are names that are no UTF-8.
        return [name if isinstance(name, str) else ascii(name) for name in file]


def _zip_names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _pickle_strings(path: Path) -> Iterator[str]:
    for _, argument in operations(path):
        if isinstance(argument, str) and len(argument) <= LONGEST_NAME:
            yield argument
