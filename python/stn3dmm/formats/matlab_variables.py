"""What a MATLAB 5 file announces, checked before SciPy reads it.

SciPy trusts the type that an element announces for its numbers, and a damaged one ends the process
(https://github.com/scipy/scipy/pull/25829). The layout is that of MathWorks' "MAT-File Format", level 5.
"""

from __future__ import annotations

import dataclasses
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

HEADER = 128  # bytes
BEGINNING = 4096  # bytes of an element in which its type, shape, name and the tag of its numbers must lie
COMPRESSED, MATRIX = 15, 14
COMPLEX = 0x800

CLASSES = {
    1: "cell",
    2: "struct",
    3: "object",
    4: "char",
    5: "sparse",
    6: "double",
    7: "single",
    8: "int8",
    9: "uint8",
    10: "int16",
    11: "uint16",
    12: "int32",
    13: "uint32",
    14: "int64",
    15: "uint64",
    16: "function",
}
OPAQUE = 17  # MATLAB's newer objects, which have no shape here
NUMERIC = frozenset(name for name in CLASSES.values() if name in ("double", "single") or "int" in name)

INT8, INT32, UINT32 = 1, 5, 6
CHARACTERS = frozenset((1, 2, 4, 16, 17, 18))  # bytes, 16 bits, UTF-8, UTF-16, UTF-32
SIZE_OF_NUMBERS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}  # bytes, by the type announced


@dataclasses.dataclass(frozen=True)
class Variable:
    """A variable of the file, as its element begins."""

    name: str
    kind: str  # MATLAB's class, or "complex"
    shape: tuple[int, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether it is an array of real numbers."""
        return self.kind in NUMERIC


def variables(file: Path) -> Iterator[Variable]:
    """The variables of a MATLAB 5 file, in its order.

    Raises:
        ValueError: the file is cut off, or a variable announces numbers that do not fit its shape.
        zlib.error, struct.error: an element is damaged.
    """
    for stream, kind, size, order in elements(file):
        yield variable_of(beginning(stream, kind, size, order), order)


def elements(file: Path) -> Iterator[tuple[IO[bytes], int, int, str]]:
    """The stream, at the content of each element of the file in turn; its type, its size in bytes, the byte order."""
    end = file.stat().st_size
    with file.open("rb") as stream:
        order = {b"IM": "<", b"MI": ">"}.get(stream.read(HEADER)[126:])
        if order is None:
            raise ValueError("its byte order is not told")
        position = HEADER
        while position < end:
            stream.seek(position)
            kind, size = struct.unpack(order + "II", stream.read(8))
            position += 8 + size
            yield stream, kind, size, order
    if position != end:
        raise ValueError("it is cut off")


def beginning(stream: IO[bytes], kind: int, size: int, order: str) -> bytes:
    """The first bytes of a matrix, after its tag."""
    content = stream.read(min(size, BEGINNING))
    if kind == COMPRESSED:
        content = zlib.decompressobj().decompress(content, BEGINNING)
        kind, _ = struct.unpack_from(order + "II", content)
        content = content[8:]
    if kind != MATRIX:
        raise ValueError(f"an element of type {kind} where a variable should be")
    return content


def variable_of(content: bytes, order: str) -> Variable:
    """The variable whose matrix begins so."""
    kind, flags, position = element(content, 0, order)
    if kind != UINT32 or len(flags) != 8:
        raise ValueError("a variable without flags")
    (flag,) = struct.unpack_from(order + "I", flags)
    if flag & 0xFF == OPAQUE:
        return Variable("", "opaque", ())
    kind, sizes, position = element(content, position, order)
    if kind != INT32 or len(sizes) % 4:
        raise ValueError("a variable without a shape")
    kind, name, position = element(content, position, order)
    if kind != INT8:
        raise ValueError("a variable without a name")
    variable = Variable(
        name.decode("latin-1"),
        "complex" if flag & COMPLEX else CLASSES.get(flag & 0xFF, "unknown"),
        struct.unpack(f"{order}{len(sizes) // 4}i", sizes),
    )
    if variable.is_numeric:
        _check_numbers(content, position, order, variable)
    return variable


def _check_numbers(content: bytes, position: int, order: str, variable: Variable) -> None:
    kind, size, _ = tag(content, position, order)
    expected = SIZE_OF_NUMBERS.get(kind, 0) * math.prod(variable.shape)
    if kind not in SIZE_OF_NUMBERS or min(variable.shape, default=-1) < 0 or size != expected:
        raise ValueError(f"{variable.name} announces {variable.shape}, and {size} bytes of type {kind}")


def element(content: bytes, position: int, order: str) -> tuple[int, bytes, int]:
    """Type and content of the element at a position, and where the next begins."""
    kind, size, start = tag(content, position, order)
    if start + size > len(content):
        raise ValueError("a variable that is cut off, or of a very long name")
    small = start == position + 4
    return kind, content[start : start + size], position + 8 if small else start + -(-size // 8) * 8


def tag(content: bytes, position: int, order: str) -> tuple[int, int, int]:
    """Type and size in bytes of the element at a position, and where its content begins."""
    kind, size = struct.unpack_from(order + "II", content, position)
    if kind >> 16:  # up to four bytes lie in the tag itself
        return kind & 0xFFFF, kind >> 16, position + 4
    return kind, size, position + 8
