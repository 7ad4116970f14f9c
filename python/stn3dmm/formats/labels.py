"""Landmarks of photographs: .pts files, CSV tables and the .mat labels of 300W-LP and AFLW2000-3D.

Every reader returns `Annotation`: pixels, x right, y down, the centre of the top-left pixel at (0, 0).
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats.matlab import read_matlab

LANDMARK_SET_OF_COUNT = {21: "aflw21", 68: "ibug68"}


@dataclasses.dataclass(frozen=True, eq=False)
class Annotation:
    """The landmarks of one photograph."""

    points: npt.NDArray[np.float64]  # (L, 2) pixels, 0-based, y down; NaN where the file gives none
    visible: npt.NDArray[np.bool_]  # (L,)
    where: str  # file (and row) for messages

    @property
    def landmark_set(self) -> str:
        """ "aflw21" or "ibug68", by the number of points.

        Raises:
            ValueError: neither 21 nor 68 points.
        """
        count = len(self.points)
        if count not in LANDMARK_SET_OF_COUNT:
            raise ValueError(f"{self.where}: {count} landmarks; expected 21 (AFLW) or 68 (iBUG).")
        return LANDMARK_SET_OF_COUNT[count]


def read_pts(path: str | os.PathLike[str]) -> Annotation:
    """Reads a ``.pts`` file (``version: 1``, ``n_points: L``, braces around L lines ``x y``; 1-based pixels).

    Coordinates become 0-based. All landmarks that are finite count as visible: the format has no flag.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a .pts file, or the number of points is not the one announced.
    """
    file = existing_file(path, "landmarks in a .pts file")
    text = _read_text(file)
    match = re.search(r"\{(.*?)\}", text, flags=re.DOTALL)
    if match is None:
        raise ValueError(f"{file}: not a .pts file: no braces around the points.")
    rows = [line.split() for line in match.group(1).splitlines() if line.strip()]
    announced = re.search(r"n_points:\s*(\d+)", text)
    if announced is not None and int(announced.group(1)) != len(rows):
        raise ValueError(f"{file}: n_points says {announced.group(1)}, but {len(rows)} points follow.")
    if not rows:
        raise ValueError(f"{file}: no points between the braces.")
    for number, row in enumerate(rows, start=1):
        if len(row) != 2:
            raise ValueError(f"{file}: point {number} must be two numbers 'x y'; got {' '.join(row)!r}.")
    points = np.array([[_number(value, f"{file}: point {k + 1}") for value in row] for k, row in enumerate(rows)])
    return Annotation(points=points - 1.0, visible=np.isfinite(points).all(axis=1), where=str(file))


def read_csv(path: str | os.PathLike[str], on_fault: Callable[[str], object] | None = None) -> dict[str, Annotation]:
    """Reads a table of landmarks, one photograph a row: ``file,x1,y1,v1,x2,y2,v2,...`` with exactly this header.

    Pixels are 0-based, y down. ``v`` is 1 for visible, 0 for not; the v columns may be left out altogether, and then
    every landmark with coordinates counts as visible. An empty coordinate is a missing landmark. Lines that begin
    with ``#`` are comments.

    Args:
        path: the table.
        on_fault: told what is wrong with a row, which is then left out; None: a faulty row is an error.

    Returns:
        The landmarks by the name in the ``file`` column, in the file's order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another header, no rows, a row of another length, a name twice, a value that is no number.
    """
    file = existing_file(path, "landmarks in a CSV table")
    lines = [line for line in _read_text(file).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    try:
        rows = list(csv.reader(lines))
    except csv.Error as error:
        raise ValueError(f"{file}: not a readable CSV table ({error}).") from None
    if not rows:
        raise ValueError(f"{file}: empty; expected the header file,x1,y1,v1,... and one row a photograph.")
    header = [name.strip() for name in rows[0]]
    columns = _columns_per_landmark(header, file)
    if len(rows) == 1:
        raise ValueError(f"{file}: a header, but no rows; expected one row a photograph.")
    table: dict[str, Annotation] = {}
    for number, row in enumerate(rows[1:], start=1):
        with _reported(on_fault):
            name, annotation = _named_annotation(row, header, columns, f"{file}: row {number}")
            if name in table:
                raise ValueError(f"{annotation.where}: the file name must be given once only; got {name!r}.")
            table[name] = annotation
    return table


def read_mat(path: str | os.PathLike[str], landmark_set: str = "ibug68") -> Annotation:
    """Reads the landmarks of a 300W-LP or AFLW2000-3D label file (``.mat``).

    68 landmarks are ``pt3d_68`` (3, 68) where it is given (its first two rows), else ``pt2d`` (2, 68); 21 are ``pt2d``
    (2, 21), -1 = missing; "auto" takes 68 where the file has them, else 21. The data sets do not say where they count
    from; they were made with MATLAB, so pixels are taken as 1-based, y down, and become 0-based.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is something else, or has no landmarks of this set.
    """
    content = read_matlab(path, "300W-LP or AFLW2000-3D labels (.mat)")
    arrays = {"ibug68": (("pt3d_68", 68), ("pt2d", 68)), "aflw21": (("pt2d", 21),)}
    if landmark_set not in ("auto", *arrays):
        raise ValueError(f"read_mat: landmark_set must be 'ibug68', 'aflw21' or 'auto'; got {landmark_set!r}.")
    wanted = tuple(arrays) if landmark_set == "auto" else (landmark_set,)
    for name, L in (array for chosen in wanted for array in arrays[chosen]):
        array = content.get(name, np.empty(0))
        if array.ndim == 2 and array.shape[0] >= 2 and array.shape[1] == L and array.dtype.kind in "fiu":
            points = array[:2].T.astype(np.float64)
            visible = np.isfinite(points).all(axis=1) & ~(points == -1).any(axis=1)
            points[~visible] = np.nan
            return Annotation(points=points - 1.0, visible=visible, where=str(path))
    found = ", ".join(f"{name} {array.shape} {array.dtype}" for name, array in sorted(content.items())) or "nothing"
    raise ValueError(f"{path}: no landmarks {' or '.join(wanted)} (pt3d_68 or pt2d, numbers); it holds {found}.")


def _columns_per_landmark(header: list[str], file: Path) -> int:
    for letters in ("xyv", "xy"):
        L = (len(header) - 1) // len(letters)
        expected = ["file", *(f"{letter}{k}" for k in range(1, L + 1) for letter in letters)]
        if L > 0 and header == expected:
            return len(letters)
    shown = ",".join(header[:5])
    raise ValueError(f"{file}: the header must be file,x1,y1,v1,... or file,x1,y1,...; got {shown[:80]!r}.")


@contextlib.contextmanager
def _reported(on_fault: Callable[[str], object] | None) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if on_fault is None:
            raise
        on_fault(str(error))


def _named_annotation(row: list[str], header: list[str], columns: int, where: str) -> tuple[str, Annotation]:
    if len(row) != len(header):
        raise ValueError(f"{where} has {len(row)} values, the header {len(header)}.")
    name = row[0].strip()
    if not name:
        raise ValueError(f"{where}: the file name must be given, and once only; got {name!r}.")
    return name, _annotation_of_row(row[1:], columns, where)


def _annotation_of_row(cells: list[str], columns: int, where: str) -> Annotation:
    values = np.array([math.nan if not cell.strip() else _number(cell, where) for cell in cells]).reshape(-1, columns)
    points = values[:, :2]
    finite = np.isfinite(points).all(axis=1)
    if columns == 2:
        return Annotation(points=points, visible=finite, where=where)
    flags = values[:, 2]
    if not np.isin(flags, (0.0, 1.0)).all():
        raise ValueError(f"{where}: v must be 0 or 1.")
    visible = flags == 1
    if (visible & ~finite).any():
        number = int(np.flatnonzero(visible & ~finite)[0]) + 1
        raise ValueError(f"{where}: landmark {number} is visible (v{number} = 1) but has no coordinates.")
    return Annotation(points=points, visible=visible, where=where)


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}: {text.strip()[:40]!r} is not a number.") from None


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{file}: not a text file.") from None
