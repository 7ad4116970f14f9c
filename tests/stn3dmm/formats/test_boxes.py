"""Boxes of faces in a table."""

from __future__ import annotations

import pytest
from stn3dmm.formats.boxes import read_boxes


def test_boxes_by_hand(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text(
        "\ufefffile,x0,y0,x1,y1\n# a comment\na/b.jpg, -3.5, 0, 10, 7\n\n c d.png,1,2,3,4\n", encoding="utf-8"
    )
    assert read_boxes(path) == {"a/b.jpg": (-3.5, 0.0, 10.0, 7.0), "c d.png": (1.0, 2.0, 3.0, 4.0)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header must be file,x0,y0,x1,y1; got ''"),
        ("file,x,y,w,h\na,1,2,3,4\n", "header must be file,x0,y0,x1,y1; got 'file,x,y,w,h'"),
        ("file,x0,y0,x1,y1\n", "a header, but no rows"),
        ("file,x0,y0,x1,y1\na,1,2,3\n", "row 1 has 4 values, the header 5"),
        ("file,x0,y0,x1,y1\na,1,2,3,4\na,1,2,3,4\n", "row 2: the file name must be given, and once only; got 'a'"),
        ("file,x0,y0,x1,y1\n,1,2,3,4\n", "row 1: the file name must be given"),
        ("file,x0,y0,x1,y1\na,1,2,3,b\n", "row 1: could not convert string to float: 'b'"),
        ("file,x0,y0,x1,y1\na,1,2,1,4\n", "row 1: a box must have x0 < x1 and y0 < y1; got 1,2,1,4"),
        ("file,x0,y0,x1,y1\na,1,2,nan,4\n", "row 1: a box must have x0 < x1"),
    ],
)
def test_rejects_other_tables(tmp_path, text, message):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"boxes\.csv: ") as raised:
        read_boxes(path)
    assert message in str(raised.value)


def test_rejects_what_is_no_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected boxes of faces in a CSV table"):
        read_boxes(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="not a text file"):
        read_boxes(tmp_path / "picture.csv")
