"""Wavefront OBJ: vertices, polygons and texture coordinates, in the order of the file.

General mesh libraries split the vertices along texture seams and drop those without a face. Here a vertex is its
number: landmarks, modes and published index ranges refer to it, so that the text is read as it stands.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats.polygon_mesh import PolygonMesh
from stn3dmm.formats.recognition import HEAD_BYTES

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
KEYWORDS = frozenset(
    b"v vt vn vp f l p o g s mg usemtl mtllib usemap maplib bevel c_interp d_interp lod shadow_obj trace_obj "
    b"cstype deg bmat step curv curv2 surf parm trim hole scrv sp end con ctech stech call csh".split()
)


def is_obj(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is OBJ text: nothing but its statements, comments and blank lines."""
    lines = _lines_of(head)[: -1 if len(head) >= HEAD_BYTES else None]  # the last line may be cut off
    words = [line.split(maxsplit=1)[0] for line in lines if line]
    statements = {word for word in words if not word.startswith(b"#")}
    # A long licence may fill the head with comments.
    return statements <= KEYWORDS and bool(statements or (words and len(head) >= HEAD_BYTES))


def read_obj(path: Path) -> PolygonMesh:
    """Reads vertices, polygons and, where there are any, texture coordinates; materials and normals are passed over.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line that cannot be read (the message gives its number), or an index of no vertex.
    """
    lines = _lines(path)
    vertices = _numbers(path, lines, b"v", 3)
    texture_vertices = _numbers(path, lines, b"vt", 2)
    corners, counts, texture = _polygons(path, lines, len(vertices), len(texture_vertices))
    has_texture = bool((texture >= 0).any())
    return PolygonMesh(
        vertices, corners, counts, texture if has_texture else None, texture_vertices if has_texture else None
    )


def read_obj_vertices(path: Path, first: int) -> tuple[int, npt.NDArray[np.float64]]:
    """How many vertices there are, and the first of them (first, 3): several times faster than `read_obj`."""
    lines = _lines(path)
    count = sum(line[:2] in (b"v ", b"v\t") for line in lines)
    return count, _numbers(path, lines, b"v", 3, first)


def _lines(path: Path) -> list[bytes]:
    return _lines_of(existing_file(path, "a mesh in an OBJ file").read_bytes())


def _lines_of(text: bytes) -> list[bytes]:
    """The lines, each from its first word on; those that a backslash continues are one."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    text = text.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ") if b"\\" in text else text
    return [line.lstrip() for line in text.splitlines()]


def _numbers(
    path: Path, lines: Sequence[bytes], keyword: bytes, columns: int, first: int | None = None
) -> npt.NDArray[np.float64]:
    """(rows, columns) from the (first) lines of one keyword; what a line has beyond (weight, colour) is passed over."""
    beginnings = (keyword + b" ", keyword + b"\t")
    length = len(keyword) + 1
    own = (line for line in lines if line[:length] in beginnings)
    rows = [line[length:].split(maxsplit=columns)[:columns] for line in itertools.islice(own, first)]
    try:
        # A flat list of words converts several times faster than a list of rows.
        words = list(itertools.chain.from_iterable(rows))
        if any(len(row) != columns for row in rows):
            raise ValueError
        return np.array(words, dtype=np.float64).reshape(len(rows), columns)
    except ValueError:
        for number, line in enumerate(lines, start=1):
            if line[:length] in beginnings and not _are_numbers(line.split()[1 : columns + 1], columns):
                raise ValueError(
                    f"{path}: line {number}: expected {keyword.decode()} and {columns} numbers; got {_shown(line)}."
                ) from None
        raise


def _are_numbers(words: list[bytes], count: int) -> bool:
    try:
        return len([float(word) for word in words]) == count
    except ValueError:
        return False


def _polygons(
    path: Path, lines: Sequence[bytes], V: int, T: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(corners, counts, texture) with indices from 0; negative ones of the file count back from the line's place."""
    corners: list[int] = []
    texture: list[int] = []
    counts: list[int] = []
    vertices_so_far = texture_so_far = 0
    for number, line in enumerate(lines, start=1):
        beginning = line[:2]
        if beginning in (b"v ", b"v\t"):
            vertices_so_far += 1
        elif beginning == b"vt":
            texture_so_far += 1
        elif beginning in (b"f ", b"f\t"):
            words = line.split()[1:]
            try:
                if len(words) < 3:
                    raise ValueError
                for word in words:
                    first, _, rest = word.partition(b"/")
                    corners.append(_index(first, vertices_so_far, V))
                    second = rest.partition(b"/")[0]
                    texture.append(_index(second, texture_so_far, T) if second else -1)
            except ValueError:
                raise ValueError(
                    f"{path}: line {number}: expected f and at least 3 corners on {V} vertices and {T} texture "
                    f"coordinates; got {_shown(line)}."
                ) from None
            counts.append(len(words))
    return tuple(np.array(values, dtype=np.int64) for values in (corners, counts, texture))  # type: ignore[return-value]


def _index(word: bytes, so_far: int, count: int) -> int:
    value = int(word)
    index = so_far + value if value < 0 else value - 1
    if not 0 <= index < count:
        raise ValueError
    return index


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("latin-1"))
