"""AFLW: an SQLite data base of faces with up to 21 landmarks, and its photographs in a folder."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from stn3dmm.data.faces import Box, check_landmark_set
from stn3dmm.data.sources.photographs import Damage, Labels, TableFaces, existing_folder
from stn3dmm.files import existing_file

WHAT = "AFLW's data base (aflw.sqlite)"
L = 21
# Where the photographs lie beside the data base: itself, and the folders of the distribution.
FOLDERS = (".", "flickr", "images", "../images", "../data/flickr")
FACES = """
    SELECT Faces.face_id, FaceImages.filepath, FaceImages.width, FaceImages.height,
           FaceRect.x, FaceRect.y, FaceRect.w, FaceRect.h, FacePose.yaw
    FROM Faces
    LEFT JOIN FaceImages ON FaceImages.file_id = Faces.file_id
    LEFT JOIN FaceRect ON FaceRect.face_id = Faces.face_id
    LEFT JOIN FacePose ON FacePose.face_id = Faces.face_id
    GROUP BY Faces.face_id
    ORDER BY Faces.face_id
"""
FEATURES = "SELECT face_id, feature_id, x, y FROM FeatureCoords"


def open_aflw(
    path: str | os.PathLike[str],
    landmark_set: str | None = "aflw21",
    on_damage: str = "skip",
    *,
    images: str | os.PathLike[str] = "",
) -> TableFaces:
    """AFLW's faces; a landmark without a row is not visible. The data base is opened for reading only.

    Coordinates are taken as pixels from 0, for the data set does not say. Yaw (radians there) is taken to have the
    sense of 300W-LP's, and is turned round.

    Args:
        path: ``aflw.sqlite``.
        landmark_set: "aflw21", or None.
        on_damage: "skip" or "stop", for damaged rows.
        images: the folder that FaceImages.filepath starts from; "": beside the data base, or in flickr/ there.

    Raises:
        FileNotFoundError: there is no such file, or no folder with the photographs.
        ValueError: the file is something else, or has no faces.
    """
    file = existing_file(path, WHAT)
    check_landmark_set("aflw21", landmark_set, str(file))
    try:
        with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(FACES).fetchall()
            features = connection.execute(FEATURES).fetchall()
    except sqlite3.Error as error:
        raise ValueError(f"{file}: not {WHAT} ({error}).") from None
    folder = _folder(file, next((row[1] for row in rows if isinstance(row[1], str)), None), images)
    landmarks: dict[Any, list[tuple[Any, ...]]] = {}
    for face, *feature in features:
        landmarks.setdefault(face, []).append(tuple(feature))
    damage = Damage(on_damage)
    kept = damage.sound(_labels(f"{file}: face {row[0]}", folder, row, landmarks.get(row[0], [])) for row in rows)
    damage.report(len(kept), file, "rows in the table Faces")
    return TableFaces(kept, "aflw21", left_out=damage.messages)


def _labels(where: str, folder: Path, row: tuple[Any, ...], features: list[tuple[Any, ...]]) -> Labels | str:
    """The labels of a face, or what is wrong with them."""
    _, photograph, width, height, *rectangle, yaw = row
    if not isinstance(photograph, str):
        return f"{where}: no row in FaceImages tells its photograph."
    points = np.full((L, 2), np.nan)
    for number, x, y in features:
        if not (isinstance(number, int) and 1 <= number <= L):
            return f"{where}: feature_id must lie in 1..{L}; got {number!r}."
        if not (_is_number(x) and _is_number(y)):
            return f"{where}: landmark {number} must have numbers for x and y; got {x!r} and {y!r}."
        if not np.isnan(points[number - 1, 0]):
            return f"{where}: landmark {number} is given twice."
        points[number - 1] = x, y
    box: Box | None = None
    if any(value is not None for value in rectangle):
        if not all(_is_number(value) for value in rectangle):
            return f"{where}: its rectangle must be four numbers; got {rectangle}."
        x, y, w, h = rectangle
        box = (x, y, x + w, y + h)
    return Labels(
        photograph=folder / photograph,
        name=f"{folder / photograph} (face {row[0]})",
        landmarks=points,
        visible=np.isfinite(points).all(axis=1),
        box=box,
        yaw=-math.degrees(yaw) if _is_number(yaw) else None,
        size=(height, width) if isinstance(width, int) and isinstance(height, int) else None,
    )


def _is_number(value: object) -> bool:
    """SQLite keeps whatever was written, whatever the column is declared as."""
    return isinstance(value, int | float) and math.isfinite(value)


def _folder(file: Path, photograph: str | None, images: str | os.PathLike[str]) -> Path:
    """Where the photographs are, told by the first of them."""
    if images:
        return existing_folder(images, "AFLW's photographs")
    for name in FOLDERS:
        folder = Path(os.path.normpath(file.parent / name))
        if photograph is None or (folder / photograph).is_file():
            return folder
    raise FileNotFoundError(
        f"{file}: no photograph {photograph} beside it; name the folder that it starts from by the option images."
    )
