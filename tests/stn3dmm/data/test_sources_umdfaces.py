"""UMDFaces' tables."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from stn3dmm.data.sources import open_source

from .source_files import UMD_COLUMNS, umd_row, write_photograph, write_umd


def written(folder, count=3, batch=1, people=(7, 12, 7)):
    """A batch: its table, and photographs in a folder for each person."""
    rows = []
    for number in range(count):
        file = f"person_{people[number]}/face_{number:04d}.png"
        rows.append(umd_row(file, people[number], write_photograph(folder / file, number)))
    return write_umd(folder / f"umdfaces_batch{batch}_ultraface.csv", rows), rows


def test_umdfaces_by_hand(tmp_path):
    table, rows = written(tmp_path)
    source = open_source("umdfaces", table, landmark_set="aflw21", on_damage="stop")
    assert (len(source), source.landmark_set) == (3, "aflw21")
    assert source.identities.tolist() == [0, 1, 0]
    face = source.faces([1])[0]
    assert face.landmarks[4].tolist() == [rows[1]["P5X"], rows[1]["P5Y"]]
    assert np.flatnonzero(~face.visible).tolist() == [2]
    assert face.box == (30.5, 20.0, 110.5, 110.25)
    assert face.yaw == 35.5
    assert face.identity == 1
    assert "person_12/face_0001.png" in face.name


def test_umdfaces_batches_in_a_folder_share_their_people(tmp_path):
    written(tmp_path / "umdfaces_batch1")
    written(tmp_path / "umdfaces_batch2", batch=2, people=(12, 99, 99))
    source = open_source("umdfaces", tmp_path)
    assert source.identities.tolist() == [0, 1, 0, 1, 2, 2]
    assert [face.identity for face in source.faces(range(6))] == [0, 1, 0, 1, 2, 2]


def test_umdfaces_photographs_elsewhere(tmp_path):
    table, _ = written(tmp_path / "a")
    moved = table.rename(tmp_path / table.name)
    assert len(open_source("umdfaces", moved, images=str(tmp_path / "a")).faces([0, 1, 2])) == 3
    with pytest.raises(FileNotFoundError, match="no such folder"):
        open_source("umdfaces", moved, images=str(tmp_path / "b"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"P4X": "left"}, "could not convert string to float: 'left'"),
        ({"P4X": "nan"}, "P4X is not given"),
        ({"FILE": ""}, "FILE is not given"),
        ({"SUBJECT_ID": ""}, "SUBJECT_ID is not given"),
        ({"FACE_WIDTH": -4}, "the box must be"),
        ({f"VIS{k}": 0 for k in range(1, 22)}, "no landmark is given"),
    ],
)
def test_umdfaces_damaged_rows_are_left_out_or_fatal(tmp_path, caplog, change, message):
    table, rows = written(tmp_path)
    write_umd(table, [rows[0], {**rows[1], **change}, rows[2]])
    with pytest.raises(ValueError, match=rf"ultraface\.csv: line 3.*{message}"):
        open_source("umdfaces", table, on_damage="stop")
    with caplog.at_level(logging.WARNING):
        source = open_source("umdfaces", table)
    assert len(source) == 2
    assert message in caplog.text


def test_umdfaces_rejects(tmp_path):
    table, rows = written(tmp_path)
    write_umd(table, rows, [name for name in UMD_COLUMNS if name != "VIS7"])
    with pytest.raises(ValueError, match=r"ultraface\.csv: not UMDFaces' table: it lacks the column VIS7"):
        open_source("umdfaces", table)
    table.write_text("")
    with pytest.raises(ValueError, match="lacks the column FILE"):
        open_source("umdfaces", table)
    write_umd(table, [])
    with pytest.raises(ValueError, match="no faces; expected rows under the header"):
        open_source("umdfaces", table)
    table.write_text(",".join(UMD_COLUMNS) + "\na,b,c\n")
    with pytest.raises(ValueError, match=f"line 2 has 3 values, the header {len(UMD_COLUMNS)}"):
        open_source("umdfaces", table)
    table.write_bytes(b"\xff\xfe\x81" * 99)
    with pytest.raises(ValueError, match="not a text file"):
        open_source("umdfaces", table)
    table.write_text(",".join(UMD_COLUMNS) + "\n" + "1" * 200_000 + "\n")
    with pytest.raises(ValueError, match="not a readable CSV table"):
        open_source("umdfaces", table)
    with pytest.raises(FileNotFoundError, match="no such file; expected UMDFaces' table"):
        open_source("umdfaces", tmp_path / "none.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty: no table umdfaces_batch\*_ultraface\.csv"):
        open_source("umdfaces", tmp_path / "empty")
    with pytest.raises(ValueError, match="landmarks are aflw21, but ibug68"):
        open_source("umdfaces", table, landmark_set="ibug68")
