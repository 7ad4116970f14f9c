"""Cells and structs of MATLAB 5 files, checked down to their leaves before SciPy reads them.

For the reason that `matlab_variables` gives. What is let through: cells, structs, text and arrays of real numbers.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from stn3dmm.formats.matlab_variables import (
    BEGINNING,
    CHARACTERS,
    COMPRESSED,
    INT8,
    INT32,
    MATRIX,
    Variable,
    beginning,
    element,
    elements,
    tag,
    variable_of,
)
from stn3dmm.formats.mesh_arrays import MOST_NUMBERS

NESTED = ("cell", "struct")
MOST_BYTES = 2**30  # of one variable; VGG-Face holds 580 million
TAG = 8  # bytes
DEEPEST = 16  # cells within structs within cells


def check_structures(file: Path, names: Collection[str]) -> None:
    """ValueError if one of these variables is a cell or struct that holds what should not be read, or is damaged.

    Raises:
        ValueError, zlib.error, struct.error: it is damaged, or of a kind that is not let through.
    """
    for stream, kind, size, order in elements(file):
        start = stream.tell()
        variable = variable_of(beginning(stream, kind, size, order), order)
        if variable.name in names and variable.kind in NESTED:
            stream.seek(start)
            _Walk(_matrix(stream, kind, size), order, variable.name).check(0)


def _matrix(stream: IO[bytes], kind: int, size: int) -> memoryview:
    """The whole of a matrix element, with its tag."""
    if kind != COMPRESSED:
        stream.seek(-TAG, os.SEEK_CUR)
        return memoryview(stream.read(TAG + size))
    content = zlib.decompressobj().decompress(stream.read(size), MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it holds more than {MOST_BYTES} bytes")
    return memoryview(content)


class _Walk:
    """Through the matrices within a matrix."""

    def __init__(self, content: memoryview, order: str, name: str) -> None:
        self.content, self.order, self.name = content, order, name

    def check(self, position: int, depth: int = 0) -> int:
        """Checks the matrix whose tag lies at a position; where the next begins."""
        kind: int
        size: int
        kind, size = struct.unpack_from(self.order + "II", self.content, position)
        start, end = position + TAG, position + TAG + size
        if kind != MATRIX or end > len(self.content):
            raise ValueError(f"{self.name} holds an element of type {kind} that is no matrix or is cut off")
        if depth > DEEPEST:
            raise ValueError(f"{self.name} is nested deeper than {DEEPEST}")
        if size:  # an empty matrix may be its tag alone
            self._check_matrix(start, end, depth)
        return end

    def _check_matrix(self, start: int, end: int, depth: int) -> None:
        variable = variable_of(bytes(self.content[start : min(end, start + BEGINNING)]), self.order)
        if min(variable.shape, default=-1) < 0 or math.prod(variable.shape) > MOST_NUMBERS:
            raise ValueError(f"{self.name} holds {variable.shape}, larger than any network's layer")
        for _ in range(3):  # flags, shape, name
            start = self._after(start)
        if variable.kind in NESTED:
            self._check_members(variable, start, end, depth)
        elif variable.kind == "char":
            kind, size, _ = tag(bytes(self.content[start : start + 8]), 0, self.order)
            if kind not in CHARACTERS or self._after(start) > end or size < math.prod(variable.shape):
                raise ValueError(f"{self.name} holds text that announces {variable.shape}, and {size} bytes")
        elif not variable.is_numeric:
            raise ValueError(f"{self.name} holds a matrix of class {variable.kind}")
        elif self._after(start) > end:
            raise ValueError(f"{self.name} holds numbers that are cut off")

    def _check_members(self, variable: Variable, start: int, end: int, depth: int) -> None:
        count = math.prod(variable.shape)
        if variable.kind == "struct":
            kind, length, _ = element(bytes(self.content[start : start + 16]), 0, self.order)
            if kind != INT32 or len(length) != 4:
                raise ValueError(f"{self.name} holds a struct that does not tell how long its names are")
            (longest,) = struct.unpack(self.order + "i", length)
            start = self._after(start)
            kind, size, _ = tag(bytes(self.content[start : start + 8]), 0, self.order)
            if kind != INT8 or longest < 1 or size % longest:
                raise ValueError(f"{self.name} holds a struct whose names of {longest} bytes take {size}")
            start = self._after(start)
            count *= size // longest
        for _ in range(count):
            start = self.check(start, depth + 1)
        if start > end:
            raise ValueError(f"{self.name} holds members that are cut off")

    def _after(self, position: int) -> int:
        """Where the element after the one at a position begins."""
        _, size, content = tag(bytes(self.content[position : position + 8]), 0, self.order)
        return position + (8 if content == 4 else content + -(-size // 8) * 8)


def member(value: Any, *path: str) -> Any:
    """``value.a.b`` for the path ("a", "b") through structs as SciPy reads them; None where there is no such field."""
    for name in path:
        if not isinstance(value, np.ndarray) or value.dtype.names is None or name not in value.dtype.names:
            return None
        if value.size != 1:
            return None
        value = value[name].item()
    return value


def cells(value: Any) -> list[Any]:
    """The entries of a cell array, in MATLAB's order; none if it is something else."""
    if not isinstance(value, np.ndarray) or value.dtype != object:
        return []
    entries: npt.NDArray[Any] = value.reshape(-1, order="F")
    return list(entries)


def text(value: Any) -> str:
    """A row of characters as text; "" if it is something else."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size == 1:
        return str(value.item())
    return ""
