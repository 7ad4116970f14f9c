"""Landmark files: right coordinates, and one clear sentence for each fault."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from stn3dmm.formats import labels

PTS = "version: 1\nn_points: 3\n{\n1.0 1.0\n10.5 20.25\n3 4\n}\n"


def test_pts_becomes_zero_based(tmp_path):
    path = tmp_path / "a.pts"
    path.write_text(PTS)
    annotation = labels.read_pts(path)
    assert annotation.points.tolist() == [[0, 0], [9.5, 19.25], [2, 3]]
    assert annotation.visible.all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "braces"),
        ("1 2\n3 4\n", "braces"),
        ("n_points: 2\n{\n}\n", "n_points says 2"),
        ("{\n}\n", "no points"),
        ("n_points: 4\n{\n1 2\n3 4\n}\n", "n_points says 4, but 2"),
        ("{\n1 2\n3\n}\n", "point 2 must be two numbers"),
        ("{\n1 2\n3 x\n}\n", "'x' is not a number"),
    ],
)
def test_pts_rejects(tmp_path, text, message):
    path = tmp_path / "a.pts"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        labels.read_pts(path)


def test_readers_reject_binary_and_missing(tmp_path):
    path = tmp_path / "a.pts"
    path.write_bytes(b"\xff\xfe\x00\x81" * 20)
    for read in (labels.read_pts, labels.read_csv):
        with pytest.raises(ValueError, match="not a text file"):
            read(path)
    for read in (labels.read_pts, labels.read_csv, labels.read_mat):
        with pytest.raises(FileNotFoundError, match="no such file"):
            read(tmp_path / "nothing")
        with pytest.raises(ValueError, match="not a file"):
            read(tmp_path)


def test_pts_nan_is_not_visible(tmp_path):
    path = tmp_path / "a.pts"
    path.write_text("{\n1 2\nnan nan\n}\n")
    assert labels.read_pts(path).visible.tolist() == [True, False]


def test_csv_by_hand(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("# a comment\nfile,x1,y1,v1,x2,y2,v2\na.jpg,1,2.5,1,3,4,0\nb.jpg,5,6,1,,,0\n")
    table = labels.read_csv(path)
    assert list(table) == ["a.jpg", "b.jpg"]
    assert table["a.jpg"].points.tolist() == [[1, 2.5], [3, 4]]
    assert table["a.jpg"].visible.tolist() == [True, False]
    assert np.isnan(table["b.jpg"].points[1]).all()


def test_csv_without_flags(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("file,x1,y1,x2,y2\na.jpg,1,2,,\n")
    assert labels.read_csv(path)["a.jpg"].visible.tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("file,x1,y1,v1\n", "no rows"),
        ("name,x1,y1,v1\na,1,2,1\n", "header must be"),
        ("file,x1,y1,v1,x3,y3,v3\na,1,2,1,1,2,1\n", "header must be"),
        ("file\na\n", "header must be"),
        ("file,x1,y1,v1\na,1,2\n", "has 3 values"),
        ("file,x1,y1,v1\na,1,2,1\na,1,2,1\n", "once only"),
        ("file,x1,y1,v1\n,1,2,1\n", "once only"),
        ("file,x1,y1,v1\na,one,2,1\n", "'one' is not a number"),
        ("file,x1,y1,v1\na,1,2,0.5\n", "v must be 0 or 1"),
        ("file,x1,y1,v1\na,,2,1\n", "visible \\(v1 = 1\\) but has no coordinates"),
        ("file,x1,y1,v1\na,nan,2,1\n", "no coordinates"),
        ("file,x1,y1,v1\na," + "1" * 200_000 + ",2,1\n", r"a\.csv: not a readable CSV table"),
    ],
)
def test_csv_rejects(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        labels.read_csv(path)


@given(text=st.text(max_size=200))
def test_readers_raise_nothing_but_value_errors(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "any"
    path.write_text(text, encoding="utf-8", errors="ignore")
    for read in (labels.read_pts, labels.read_csv):
        with contextlib.suppress(ValueError):
            read(path)


def test_mat_by_hand(tmp_path):
    path = tmp_path / "a.mat"
    points = np.arange(204.0).reshape(3, 68)
    sparse = np.full((2, 21), 7.0)
    sparse[:, 4] = -1
    scipy.io.savemat(path, {"pt3d_68": points, "pt2d": sparse})
    dense = labels.read_mat(path)
    assert dense.points[3].tolist() == [2, 70]
    assert dense.landmark_set == "ibug68"
    aflw = labels.read_mat(path, "aflw21")
    assert aflw.visible.sum() == 20
    assert not aflw.visible[4]
    assert np.isnan(aflw.points[4]).all()


def test_mat_by_the_number_of_points(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"pt2d": np.full((2, 21), 7.0)})
    assert labels.read_mat(path, "auto").landmark_set == "aflw21"
    scipy.io.savemat(path, {"pt3d_68": np.ones((3, 68)), "pt2d": np.full((2, 21), 7.0)})
    assert labels.read_mat(path, "auto").landmark_set == "ibug68"
    scipy.io.savemat(path, {"pt2d": np.full((2, 5), 7.0)})
    with pytest.raises(ValueError, match=r"no landmarks ibug68 or aflw21 .*pt2d \(2, 5\)"):
        labels.read_mat(path, "auto")


@pytest.mark.parametrize("content", [np.full((2, 68), None), np.full((2, 68), 1j)])
def test_mat_rejects_what_are_no_real_numbers(tmp_path, content):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"pt2d": content if content.dtype != object else np.full((2, 68), "x", dtype=object)})
    with pytest.raises(ValueError, match=r"a\.mat: .*pt2d"):
        labels.read_mat(path)


def test_mat_rejects(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"pt2d": np.zeros((2, 5))})
    with pytest.raises(ValueError, match=r"pt2d \(2, 5\)"):
        labels.read_mat(path)
    with pytest.raises(ValueError, match="landmark_set must be"):
        labels.read_mat(path, "dlib5")


def test_landmark_set_rejects_other_counts():
    annotation = labels.Annotation(np.zeros((5, 2)), np.ones(5, dtype=bool), "here")
    with pytest.raises(ValueError, match="here: 5 landmarks; expected 21"):
        _ = annotation.landmark_set


def test_real_labels(real_data):
    for path in sorted((real_data / "aflw2000").glob("*.mat")):
        annotation = labels.read_mat(path)
        assert annotation.points.shape == (68, 2)
        assert annotation.points[8, 1] > annotation.points[27, 1]  # the chin below the nose bridge
        assert labels.read_mat(path, "aflw21").points.shape == (21, 2)
    assert labels.read_mat(real_data / "w300lp" / "IBUG_image_008_1_0.mat").points.shape == (68, 2)
