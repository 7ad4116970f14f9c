"""UMDFaces: a CSV table a batch, with AFLW's 21 landmarks and who is who, and photographs in folders."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stn3dmm.data.faces import check_landmark_set
from stn3dmm.data.sources.photographs import Damage, Labels, TableFaces, existing_folder
from stn3dmm.files import existing_file

L = 21
TABLES = "umdfaces_batch*_ultraface.csv"
NUMBERS = (
    "FACE_X", "FACE_Y", "FACE_WIDTH", "FACE_HEIGHT", "YAW", *(f"P{k}{axis}" for k in range(1, L + 1) for axis in "XY"),
    *(f"VIS{k}" for k in range(1, L + 1)),
)  # fmt: skip
COLUMNS = ("FILE", "SUBJECT_ID", *NUMBERS)
SEEN = 0.5  # VIS is how sure its makers' network was


def open_umdfaces(
    path: str | os.PathLike[str],
    landmark_set: str | None = "aflw21",
    on_damage: str = "skip",
    *,
    images: str | os.PathLike[str] = "",
) -> TableFaces:
    """The faces of one table, or of all tables in a folder and its sub-folders; persons are those of SUBJECT_ID.

    Coordinates are taken as pixels from 0, for the data set does not say. Yaw (degrees) is taken to have the sense of
    300W-LP's, and is turned round.

    Args:
        path: ``umdfaces_batch1_ultraface.csv`` or the folder with such tables.
        landmark_set: "aflw21", or None.
        on_damage: "skip" or "stop", for damaged rows.
        images: the folder that FILE starts from; "": the folder of each table.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the file is something else, lacks columns, or has no rows.
    """
    tables = _tables(Path(path))
    check_landmark_set("aflw21", landmark_set, os.fspath(path))
    damage = Damage(on_damage)
    people: dict[str, int] = {}
    kept = []
    for table in tables:
        folder = existing_folder(images, "UMDFaces' photographs") if images else table.parent
        kept += damage.sound(_rows(table, folder, people))
    damage.report(len(kept), path, "rows under the header")
    return TableFaces(kept, "aflw21", left_out=damage.messages)


def _tables(path: Path) -> list[Path]:
    if not path.is_dir():
        return [existing_file(path, f"UMDFaces' table ({TABLES}) or the folder with it")]
    tables = sorted(path.rglob(TABLES))
    if not tables:
        raise FileNotFoundError(f"{path}: no table {TABLES} in this folder.")
    return tables


def _rows(table: Path, folder: Path, people: dict[str, int]) -> Iterator[Labels | str]:
    """The labels of each row, or what is wrong with it; ``people`` learns who there is."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, skipinitialspace=True)
            header = next(rows, [])
            missing = [name for name in COLUMNS if name not in header]
            if missing:
                raise ValueError(f"{table}: not UMDFaces' table: it lacks the column {missing[0]}.")
            places = [header.index(name) for name in COLUMNS]
            for row in rows:
                if row:
                    yield _labels(f"{table}: line {rows.line_num}", folder, row, len(header), places, people)
    except UnicodeDecodeError:
        raise ValueError(f"{table}: not a text file.") from None
    except csv.Error as error:
        raise ValueError(f"{table}: not a readable CSV table ({error}).") from None


def _labels(
    where: str, folder: Path, row: list[str], width: int, places: list[int], people: dict[str, int]
) -> Labels | str:
    if len(row) != width:
        return f"{where} has {len(row)} values, the header {width}."
    file, person, *texts = (row[place] for place in places)
    try:
        numbers = [float(text) for text in texts]
    except ValueError as error:
        return f"{where}: {error}."
    wrong = next((name for name, number in zip(NUMBERS, numbers, strict=True) if not math.isfinite(number)), None)
    if wrong is not None or not file or not person:
        return f"{where}: {wrong or ('FILE' if not file else 'SUBJECT_ID')} is not given."
    x, y, w, h, yaw = numbers[:5]
    points = np.array(numbers[5 : 5 + 2 * L]).reshape(L, 2)
    return Labels(
        photograph=folder / file,
        name=f"{folder / file} ({where})",
        landmarks=points,
        visible=np.array(numbers[5 + 2 * L :]) >= SEEN,
        box=(x, y, x + w, y + h),
        identity=people.setdefault(person, len(people)),
        yaw=-yaw,
    )
