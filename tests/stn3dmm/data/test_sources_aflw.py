"""AFLW's data base."""

from __future__ import annotations

import logging
import math
import sqlite3

import numpy as np
import pytest
from stn3dmm.data.sources import open_source
from stn3dmm.data.stream import evaluation_stream

from .face_cases import centroid, landmarks_of
from .source_files import write_aflw


def test_aflw_by_hand(tmp_path):
    source = open_source("aflw", write_aflw(tmp_path), landmark_set="aflw21", on_damage="stop")
    assert (len(source), source.landmark_set) == (3, "aflw21")
    assert source.identities.tolist() == [-1, -1, -1]
    first, second, third = source.faces([0, 1, 2])
    assert first.image.shape == (140, 160, 3)
    assert np.abs(first.landmarks - landmarks_of(0)).max() < 1e-9
    assert np.abs(second.landmarks - landmarks_of(0) - (5, -5)).max() < 1e-9
    assert first.visible.all()
    assert np.flatnonzero(~third.visible).tolist() == [12]
    assert first.box == (-10, 20, 80, 115)
    assert (second.box, second.yaw) == (None, None)
    assert first.yaw == pytest.approx(-math.degrees(0.5))
    assert first.name.endswith("flickr/0/image02.png (face 39341)")


def test_aflw_crops_have_the_landmarks_where_the_discs_are(tmp_path):
    source = open_source("aflw", write_aflw(tmp_path), landmark_set="aflw21")
    for number in (0, 2):
        sample = evaluation_stream(source, (200, 220), "aflw21")[number]
        image = sample.image[0].double().numpy()
        reach = 6 * float(sample.affine[0, 0])
        for (x, y), visible in zip(sample.landmarks.tolist(), sample.visible, strict=True):
            if visible and reach < x < 220 - reach and reach < y < 200 - reach:
                assert centroid(image, x, y, reach) == pytest.approx((x, y), abs=0.2)


def test_aflw_photographs_elsewhere(tmp_path):
    file = write_aflw(tmp_path / "a")
    (tmp_path / "a" / "flickr").rename(tmp_path / "pictures")
    with pytest.raises(FileNotFoundError, match=r"no photograph 0/image02\.png beside it; name .* option images"):
        open_source("aflw", file)
    source = open_source("aflw", file, images=str(tmp_path / "pictures"))
    assert len(source.faces([0, 1, 2])) == 3
    with pytest.raises(FileNotFoundError, match="no such folder"):
        open_source("aflw", file, images=str(tmp_path / "nowhere"))


def test_aflw_is_opened_for_reading_only(tmp_path):
    file = write_aflw(tmp_path)
    before = file.read_bytes()
    file.chmod(0o444)
    open_source("aflw", file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["aflw.sqlite"]


DAMAGE = {
    "feature_id must lie in 1..21; got 22": (
        "UPDATE FeatureCoords SET feature_id = 22 WHERE face_id = ? AND feature_id = 4"
    ),
    "landmark 4 must have numbers for x and y; got 'left'": (
        "UPDATE FeatureCoords SET x = 'left' WHERE face_id = ? AND feature_id = 4"
    ),
    "landmark 3 is given twice": "UPDATE FeatureCoords SET feature_id = 3 WHERE face_id = ? AND feature_id = 4",
    "no landmark is given": "DELETE FROM FeatureCoords WHERE face_id = ?",
    "all landmarks lie on one point": "UPDATE FeatureCoords SET x = 3, y = 3 WHERE face_id = ?",
    "no row in FaceImages tells its photograph": "UPDATE Faces SET file_id = 'lost.jpg' WHERE face_id = ?",
    "the box must be x0, y0, x1, y1": "INSERT INTO FaceRect VALUES (?, 0, 0, 0, 10, 1, 0)",
    "its rectangle must be four numbers": "INSERT INTO FaceRect VALUES (?, 'a', 0, 9, 10, 1, 0)",
}


@pytest.mark.parametrize("message", DAMAGE)
def test_aflw_damaged_rows_are_left_out_or_fatal(tmp_path, caplog, message):
    file = write_aflw(tmp_path, [(DAMAGE[message], (39342,))])
    with pytest.raises(ValueError, match=f"39342.*{message}"):
        open_source("aflw", file, on_damage="stop")
    with caplog.at_level(logging.WARNING):
        source = open_source("aflw", file)
    assert len(caplog.records) == 1
    assert "39342" in caplog.text
    assert message in caplog.text
    assert [face.name[-12:] for face in source.faces([0, 1])] == ["(face 39341)", "(face 39343)"]


def test_aflw_photograph_that_is_not_the_labels(tmp_path):
    file = write_aflw(tmp_path, [("UPDATE FaceImages SET width = 320, height = 280", ())])
    with pytest.raises(ValueError, match=r"image02\.png .*for a photograph of 320 x 280 pixels, but it has 160 x 140"):
        open_source("aflw", file).faces([0])
    far = write_aflw(tmp_path / "b", [("UPDATE FeatureCoords SET x = 900 WHERE feature_id = 2", ())])
    with pytest.raises(ValueError, match=r"image02\.png .*landmark 2 at \(900, .*far outside"):
        open_source("aflw", far).faces([0])


def test_aflw_missing_photograph(tmp_path):
    file = write_aflw(tmp_path)
    (tmp_path / "flickr/2/image03.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"image03\.png: no such file"):
        open_source("aflw", file).faces([2])


def test_aflw_rejects(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"aflw\.sqlite: no such file; expected AFLW's data base"):
        open_source("aflw", tmp_path / "aflw.sqlite")
    other = tmp_path / "other.sqlite"
    other.write_bytes(b"no data base at all, but some text " * 40)
    with pytest.raises(ValueError, match=r"other\.sqlite: not AFLW's data base .*\(file is not a database\)"):
        open_source("aflw", other)
    with sqlite3.connect(tmp_path / "empty.sqlite") as base:
        base.execute("CREATE TABLE People (name TEXT)")
    base.close()
    with pytest.raises(ValueError, match=r"empty\.sqlite: not AFLW's .*no such table"):
        open_source("aflw", tmp_path / "empty.sqlite")
    with pytest.raises(ValueError, match="no faces; expected rows in the table Faces"):
        open_source("aflw", write_aflw(tmp_path / "a", [("DELETE FROM Faces", ())]))
    with pytest.raises(ValueError, match=r"all 3 labels are damaged; the first: .*39341"):
        open_source("aflw", write_aflw(tmp_path / "b", [("DELETE FROM FeatureCoords", ())]))
    with pytest.raises(ValueError, match="its landmarks are aflw21, but ibug68 are asked for"):
        open_source("aflw", write_aflw(tmp_path / "c"), landmark_set="ibug68")
