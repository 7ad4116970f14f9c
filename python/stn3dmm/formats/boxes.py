"""Boxes around faces, as detectors write them: a CSV table."""

from __future__ import annotations

import csv
import math
import os

from stn3dmm.data.faces import Box
from stn3dmm.files import existing_file

HEADER = ["file", "x0", "y0", "x1", "y1"]


def read_boxes(path: str | os.PathLike[str]) -> dict[str, Box]:
    """Reads a table of boxes, one photograph a row: ``file,x0,y0,x1,y1`` with exactly this header.

    Pixels are 0-based, y down; a box may reach beyond the photograph. Lines that begin with ``#`` are comments.

    Returns:
        The boxes by the name in the ``file`` column, in the file's order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another header, no rows, a row of another length, a name twice, a value that is no number, a box
            without extent.
    """
    file = existing_file(path, f"boxes of faces in a CSV table ({','.join(HEADER)})")
    try:
        lines = [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        rows = list(csv.reader(line for line in lines if not line.lstrip().startswith("#")))
    except UnicodeDecodeError:
        raise ValueError(f"{file}: not a text file.") from None
    except csv.Error as error:
        raise ValueError(f"{file}: not a readable CSV table ({error}).") from None
    header = [name.strip() for name in rows[0]] if rows else []
    if header != HEADER:
        raise ValueError(f"{file}: the header must be {','.join(HEADER)}; got {','.join(header)[:80]!r}.")
    if len(rows) == 1:
        raise ValueError(f"{file}: a header, but no rows; expected one row a photograph.")
    boxes: dict[str, Box] = {}
    for number, row in enumerate(rows[1:], start=1):
        where = f"{file}: row {number}"
        if len(row) != len(HEADER):
            raise ValueError(f"{where} has {len(row)} values, the header {len(HEADER)}.")
        name = row[0].strip()
        if not name or name in boxes:
            raise ValueError(f"{where}: the file name must be given, and once only; got {name!r}.")
        boxes[name] = _box(row[1:], where)
    return boxes


def _box(cells: list[str], where: str) -> Box:
    try:
        x0, y0, x1, y1 = (float(cell) for cell in cells)
    except ValueError as error:
        raise ValueError(f"{where}: {error}.") from None
    if not (all(map(math.isfinite, (x0, y0, x1, y1))) and x0 < x1 and y0 < y1):
        raise ValueError(f"{where}: a box must have x0 < x1 and y0 < y1; got {','.join(cells)}.")
    return (x0, y0, x1, y1)
