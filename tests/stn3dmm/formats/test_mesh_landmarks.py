"""Landmarks from a user's file: three layouts, and what is none of them."""

from __future__ import annotations

import json

import pytest
from stn3dmm.formats.mesh_landmarks import read_mesh_landmarks


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "landmarks"
        path.write_text(text)
        return path

    return write


def test_list_counts_from_one(write):
    text = "% AFLW\n" + "\n".join(f"{k + 1}  # point" for k in range(20)) + "\n\n0\n"
    (name, indices), *others = read_mesh_landmarks(write(text), 20).items()
    assert (name, others) == ("aflw21", [])
    assert indices.tolist() == [*range(20), -1]


def test_an_equals_sign_in_a_comment_makes_no_mapping(write):
    text = "% vertex = line, from 1\n" + "\n".join(f"{k + 1}  # nose = tip" for k in range(21))
    assert read_mesh_landmarks(write(text), 21)["aflw21"].tolist() == list(range(21))


def test_json_counts_from_zero(write):
    assert read_mesh_landmarks(write(json.dumps([*range(67), -1])), 67)["ibug68"].tolist() == [*range(67), -1]
    sets = read_mesh_landmarks(write(json.dumps({"aflw21": [3] * 21, "ibug68": [4] * 68})), 5)
    assert {name: set(indices.tolist()) for name, indices in sets.items()} == {"aflw21": {3}, "ibug68": {4}}


def test_mapping_of_eos(write):
    text = (
        "# comment\n[landmark_mappings]\n 9 =    33  # chin\n#10 = 5\n68 = 4\n[contour_landmarks]\nright = [ 1,\n 2 ]\n"
    )
    indices = read_mesh_landmarks(write(text), 34)["ibug68"]
    assert {k: v for k, v in enumerate(indices.tolist()) if v >= 0} == {8: 33, 67: 4}


def test_the_real_mapping_of_eos(real_data):
    real = read_mesh_landmarks(real_data / "sfm" / "ibug_to_sfm.txt", 3448)["ibug68"]
    assert (real >= 0).sum() == 50


def test_the_authors_files(real_data):
    folder = real_data / "bas2017" / "landmarks"
    assert read_mesh_landmarks(folder / "Landmarks21_BFM.anl", 53490)["aflw21"].shape == (21,)
    assert (read_mesh_landmarks(folder / "Landmarks68_BFM.anl", 53490)["ibug68"] >= 0).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 landmarks; expected 21"),
        ("1\n2\n", "2 landmarks; expected 21"),
        ("1 2\n" * 21, "expected the number of a vertex; got '1 2'"),
        ("1.5\n" * 21, "expected the number of a vertex; got '1.5'"),
        ("9" * 5000 + "\n", "expected the number of a vertex"),
        ("101\n" * 21, r"aflw21: vertex 100 \(counted from 0\) is none of the mesh's 100 vertices"),
        ("-1\n" * 21, "aflw21: vertex -2"),
        ("[" * 100_000, "not readable JSON"),
        ("{}", "no landmarks; expected an object of lists by name"),
        ("[1, 2]", "2 landmarks"),
        ("[true" + ", 1" * 20 + "]", "must be the whole number of a vertex"),
        ('{"other": [1]}', "'other' is no list of a known set; expected aflw21"),
        ('{"aflw21": [1, 2]}', "'aflw21' is no list of a known set"),
        ('{"aflw21": {"a": 1}}', "'aflw21' is no list of a known set"),
        ("[landmark_mappings]\nx = 1", "expected the number of a vertex; got 'x'"),
        ("[landmark_mappings]\n69 = 1", "landmark 69; expected 1 to 68"),
        ('[landmark_mappings]\n9 = "chin"', "expected the number of a vertex; got '\"chin\"'"),
        ("a = b", "no landmark = vertex below"),
    ],
)
def test_rejects(write, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh_landmarks(write(text), 100)
    assert "\n" not in str(caught.value)


def test_rejects_no_text(tmp_path):
    path = tmp_path / "landmarks"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file"):
        read_mesh_landmarks(path, 100)
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_mesh_landmarks(tmp_path / "none", 100)
