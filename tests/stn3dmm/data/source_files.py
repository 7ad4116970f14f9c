"""Data sets on disk in the layouts of AFLW, 300W-LP, UMDFaces and plain folders, written without the readers' help."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from PIL import Image

from .face_cases import numbered_face

# The tables of aflw.sqlite as they are distributed, with the columns that nobody here reads.
AFLW_SCHEMA = """
    CREATE TABLE Faces (face_id INTEGER PRIMARY KEY, file_id TEXT NOT NULL, db_id TEXT NOT NULL);
    CREATE TABLE FaceImages (image_id INTEGER PRIMARY KEY AUTOINCREMENT, db_id TEXT NOT NULL, file_id TEXT NOT NULL,
        filepath TEXT NOT NULL, bw INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL);
    CREATE TABLE FaceRect (face_id INTEGER PRIMARY KEY, x INTEGER NOT NULL, y INTEGER NOT NULL, w INTEGER NOT NULL,
        h INTEGER NOT NULL, annot_type_id INTEGER NOT NULL, upsidedown INTEGER NOT NULL);
    CREATE TABLE FacePose (face_id INTEGER PRIMARY KEY, roll REAL NOT NULL, pitch REAL NOT NULL, yaw REAL NOT NULL,
        annot_type_id INTEGER NOT NULL, upsidedown INTEGER NOT NULL);
    CREATE TABLE FeatureCoords (face_id INTEGER NOT NULL, feature_id INTEGER NOT NULL, x REAL NOT NULL,
        y REAL NOT NULL, annot_type_id INTEGER NOT NULL);
    CREATE TABLE FeatureCoordTypes (feature_id INTEGER PRIMARY KEY, descr TEXT NOT NULL, code TEXT NOT NULL);
"""


def write_photograph(path: Path, number: int = 0, L: int = 21) -> np.ndarray:
    """A photograph of discs; returns where they are, (L, 2) pixels from 0."""
    image, points = numbered_face(number, L)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return points


def write_aflw(folder: Path, statements: Iterable[tuple[str, tuple[Any, ...]]] = ()) -> Path:
    """Two photographs, 160 x 140; face 39341 and 39342 on the first, 39343 on the second, which misses landmark 13.

    ``statements`` are executed at the end: damage.
    """
    points = [
        write_photograph(folder / "flickr" / name, k) for k, name in enumerate(("0/image02.png", "2/image03.png"))
    ]
    file = folder / "aflw.sqlite"
    with sqlite3.connect(file) as base:
        base.executescript(AFLW_SCHEMA)
        for name, path in (("image02.jpg", "0/image02.png"), ("image03.jpg", "2/image03.png")):
            base.execute("INSERT INTO FaceImages VALUES (NULL, 'flickr', ?, ?, 0, 160, 140)", (name, path))
        for face, name, k in ((39341, "image02.jpg", 0), (39342, "image02.jpg", 0), (39343, "image03.jpg", 1)):
            base.execute("INSERT INTO Faces VALUES (?, ?, 'flickr')", (face, name))
            for feature, (x, y) in enumerate(points[k], start=1):
                shift = 5.0 if face == 39342 else 0.0
                if (face, feature) != (39343, 13):
                    base.execute(
                        "INSERT INTO FeatureCoords VALUES (?, ?, ?, ?, 1)", (face, feature, x + shift, y - shift)
                    )
        base.execute("INSERT INTO FaceRect VALUES (39341, -10, 20, 90, 95, 1, 0)")
        base.execute("INSERT INTO FacePose VALUES (39341, 0.1, 0.2, 0.5, 1, 0)")
        for statement, values in statements:
            base.execute(statement, values)
    base.close()
    return file


def write_300w_lp(photograph: Path, number: int = 0, yaw: float = 0.4, **other: Any) -> np.ndarray:
    """A photograph and its .mat; returns the landmarks (68, 2) in pixels from 0."""
    points = write_photograph(photograph, number, 68)
    content = {
        "Pose_Para": np.array([[0.1, yaw, -0.2, 80.0, 70.0, -60.0, 1e-3]], dtype=np.float32),
        "pt2d": points.T + 1 if number % 2 else np.vstack([points.T[:, :21] + 1]),
        "pt3d_68": np.vstack([points.T + 1, np.zeros((1, 68))]).astype(np.float32),
        "roi": np.array([[-296, -409, 1868, 1755]], dtype=np.int16),
        "Shape_Para": np.zeros((199, 1)),
        "Exp_Para": np.zeros((29, 1)),
        **other,
    }
    scipy.io.savemat(
        photograph.with_suffix(".mat"), {name: value for name, value in content.items() if value is not None}
    )
    return points


UMD_COLUMNS = [
    "FILE", "SUBJECT_ID", "FACE_X", "FACE_Y", "FACE_WIDTH", "FACE_HEIGHT", "YAW", "PITCH", "ROLL",
    *(f"{name}{k}{axis}" for k in range(1, 22) for name, axis in (("P", "X"), ("P", "Y"), ("VIS", ""))),
    "PR_MALE", "PR_FEMALE",
]  # fmt: skip


def umd_row(file: str, person: object, points: np.ndarray) -> dict[str, object]:
    """A row; the third landmark is one that the makers' network hardly saw."""
    row: dict[str, object] = {
        "FILE": file, "SUBJECT_ID": person, "FACE_X": 30.5, "FACE_Y": 20, "FACE_WIDTH": 80.0, "FACE_HEIGHT": 90.25,
        "YAW": -35.5, "PITCH": 2.0, "ROLL": 1.0, "PR_MALE": 0.9, "PR_FEMALE": 0.1,
    }  # fmt: skip
    for k, (x, y) in enumerate(points, start=1):
        row |= {f"P{k}X": x, f"P{k}Y": y, f"VIS{k}": 0.021 if k == 3 else 0.987}
    return row


def write_umd(table: Path, rows: Iterable[dict[str, object]], columns: list[str] = UMD_COLUMNS) -> Path:
    with table.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, columns, quoting=csv.QUOTE_ALL, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return table


def write_pts(photograph: Path, points: np.ndarray) -> None:
    """A .pts file beside the photograph; pixels from 1."""
    lines = "\n".join(f"{x + 1:.6f} {y + 1:.6f}" for x, y in points)
    photograph.with_suffix(".pts").write_text(f"version: 1\nn_points: {len(points)}\n{{\n{lines}\n}}\n")
