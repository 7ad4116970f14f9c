"""One's own photographs."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from stn3dmm.data.sources import open_source
from stn3dmm.data.stream import FaceStream

from .source_files import write_photograph, write_pts


def with_pts(folder, count=3, L=68):
    """Photographs with .pts files; returns their landmarks."""
    found = []
    for number in range(count):
        photograph = folder / f"{number}.png"
        found.append(write_photograph(photograph, number, L))
        write_pts(photograph, found[-1])
    return found


def test_folder_with_pts(tmp_path):
    points = with_pts(tmp_path)
    (tmp_path / "notes.txt").write_text("not a photograph")
    write_photograph(tmp_path / ".hidden" / "0.png")
    (tmp_path / "back").symlink_to(tmp_path, target_is_directory=True)
    source = open_source("folder", tmp_path, on_damage="stop")
    assert (len(source), source.landmark_set) == (3, "ibug68")
    for face, expected in zip(source.faces(range(3)), points, strict=True):
        assert np.abs(face.landmarks - expected).max() < 1e-5
        assert (face.box, face.yaw, face.identity, face.framed) == (None, None, -1, False)
    assert open_source("folder", tmp_path, framed=True).faces([0])[0].framed
    with_pts(tmp_path / "21", L=21)
    assert open_source("folder", tmp_path / "21").landmark_set == "aflw21"


def test_folder_with_csv(tmp_path):
    points = [write_photograph(tmp_path / name, k) for k, name in enumerate(("a.png", "b/c.png"))]
    header = "file," + ",".join(f"x{k},y{k},v{k}" for k in range(1, 22))
    rows = [
        ",".join([name, *(f"{x:.4f},{y:.4f},{int(k != 5)}" for k, (x, y) in enumerate(at))])
        for name, at in zip(("a.png", "b/c.png"), points, strict=True)
    ]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join([header, *rows]))
    source = open_source("folder", tmp_path, labels=str(table))
    assert source.landmark_set == "aflw21"
    face = source.faces([1])[0]
    assert np.abs(face.landmarks - points[1])[face.visible].max() < 1e-3
    assert np.flatnonzero(~face.visible).tolist() == [5]
    table.write_text("\n".join([header, rows[0], rows[1].replace(",1,", ",maybe,", 1)]))
    assert len(open_source("folder", tmp_path, labels=str(table))) == 1
    with pytest.raises(ValueError, match=r"labels\.csv: row 2: 'maybe' is not a number"):
        open_source("folder", tmp_path, labels=str(table), on_damage="stop")
    table.write_text("name,x,y\n")
    with pytest.raises(ValueError, match=r"labels\.csv: the header must be"):
        open_source("folder", tmp_path, labels=str(table))
    with pytest.raises(FileNotFoundError, match=r"none\.csv: no such file"):
        open_source("folder", tmp_path, labels=str(tmp_path / "none.csv"))


def test_folder_without_labels(tmp_path):
    for number in range(2):
        write_photograph(tmp_path / f"{number}.jpg", number)
    source = open_source("folder", tmp_path, landmark_set="ibug68")
    assert (len(source), source.landmark_set) == (2, None)
    assert source.faces([0])[0].landmarks is None
    sample = FaceStream(source, (64, 64), "ibug68")[0]
    assert sample.landmarks.shape == (68, 2)
    assert not sample.visible.any()
    with_pts(tmp_path)
    assert open_source("folder", tmp_path, labels="none").landmark_set is None


def test_identity_folders(tmp_path):
    for number, name in enumerate(("ann/0.png", "ann/1.png", "bob/x/2.png", "3.png", "bob/4.png")):
        write_photograph(tmp_path / name, number)
    source = open_source("identities", tmp_path)
    assert [face.name.removeprefix(f"{tmp_path}/") for face in source.faces(range(5))] == [
        "3.png", "ann/0.png", "ann/1.png", "bob/4.png", "bob/x/2.png",
    ]  # fmt: skip
    assert source.identities.tolist() == [-1, 0, 0, 1, 1]
    stream = FaceStream(source, (64, 64), None, pairs="identity")
    assert len(stream) == 4
    assert stream[0].identity == stream[1].identity


def test_folder_damage(tmp_path, caplog):
    with_pts(tmp_path, 6)
    (tmp_path / "1.pts").unlink()
    write_pts(tmp_path / "2.png", np.ones((5, 2)) * np.arange(5)[:, None])
    (tmp_path / "3.pts").write_text("no points at all")
    (tmp_path / "4.png").write_bytes((tmp_path / "4.png").read_bytes()[:300])
    with caplog.at_level(logging.WARNING):
        source = open_source("folder", tmp_path, landmark_set="ibug68")
    assert len(source) == 3
    for message in ("1.pts: no such file", "2.pts): 5 landmarks; expected ibug68", "3.pts: not a .pts file"):
        assert message in caplog.text
    names = {FaceStream(source, (64, 64), "ibug68")[number].name.removeprefix(f"{tmp_path}/") for number in range(6)}
    assert names == {"0.png (0.pts)", "5.png (5.pts)"}
    with pytest.raises(ValueError, match=r"4\.png: a damaged picture"):
        source.faces([1])
    with pytest.raises(ValueError, match=r"1\.pts: no such file"):
        open_source("folder", tmp_path, on_damage="stop")


def test_folder_rejects(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder; expected a folder with photographs"):
        open_source("folder", tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no faces; expected photographs \(\.bmp, "):
        open_source("folder", tmp_path)
    with_pts(tmp_path / "a")
    with pytest.raises(ValueError, match="its landmarks are ibug68, but aflw21 are asked for"):
        open_source("folder", tmp_path / "a", landmark_set="aflw21")
    with_pts(tmp_path / "b", L=7)
    with pytest.raises(ValueError, match=r"all 3 labels are damaged; the first: .*0\.pts\): 7 landmarks; expected"):
        open_source("folder", tmp_path / "b")
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ValueError, match=r"file\.txt: not a folder"):
        open_source("folder", tmp_path / "file.txt")
