"""300W-LP and AFLW2000-3D."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
from stn3dmm.data.sources import open_source
from stn3dmm.data.stream import evaluation_stream

from .source_files import write_300w_lp, write_photograph


def test_w300lp_by_hand(tmp_path):
    names = ["AFW/AFW_1_1_0.png", "AFW/AFW_1_1_1.png", "AFW_Flip/AFW_1_1_0.png", "LFPW/LFPW_image_0001_3.png"]
    points = [write_300w_lp(tmp_path / name, k) for k, name in enumerate(names)]
    source = open_source("300w-lp", tmp_path, landmark_set="ibug68", on_damage="stop")
    assert (len(source), source.landmark_set) == (4, "ibug68")
    assert source.identities.tolist() == [0, 0, 1, 2]
    for face, expected, name in zip(source.faces(range(4)), points, names, strict=True):
        assert np.abs(face.landmarks - expected).max() < 1e-4  # single precision
        assert face.visible.all()
        assert face.yaw == pytest.approx(-math.degrees(0.4), abs=1e-4)
        assert face.box is None
        assert face.name.endswith(name)


def test_w300lp_without_pt3d(tmp_path):
    points = write_300w_lp(tmp_path / "IBUG_image_008_1_0.png", 1, pt3d_68=None)
    assert np.abs(open_source("300w-lp", tmp_path).faces([0])[0].landmarks - points).max() < 1e-9


def test_aflw2000_21_landmarks(tmp_path):
    sparse = np.full((2, 21), 70.0) + np.arange(21)
    sparse[:, 6] = -1
    write_300w_lp(tmp_path / "image00002.png", pt2d=sparse)
    source = open_source("aflw2000-3d", tmp_path, landmark_set="aflw21")
    face = source.faces([0])[0]
    assert face.landmarks[0].tolist() == [69, 69]
    assert np.flatnonzero(~face.visible).tolist() == [6]
    assert source.identities.tolist() == [-1]


def test_w300lp_damage(tmp_path, caplog):
    for number in range(4):
        write_300w_lp(tmp_path / f"image0000{number}.png", number)
    write_photograph(tmp_path / "image00009.png")
    (tmp_path / "image00001.mat").write_bytes(b"MATLAB 5.0 MAT-file, or so it says" * 10)
    write_300w_lp(tmp_path / "image00002.png", 2, pt3d_68=np.ones((3, 68)), pt2d=np.ones((2, 68)))
    with caplog.at_level(logging.WARNING):
        source = open_source("aflw2000-3d", tmp_path)
    assert "image00009.png: no labels image00009.mat beside it" in caplog.text
    assert len(source) == 4
    with pytest.raises(ValueError, match=r"image00001\.mat: not a readable MATLAB file"):
        source.faces([1])
    with pytest.raises(ValueError, match=r"image00002\.png: all landmarks lie on one point"):
        source.faces([2])
    with pytest.raises(ValueError, match=r"image00009\.png: no labels"):
        open_source("aflw2000-3d", tmp_path, on_damage="stop")
    evaluation = evaluation_stream(source, (64, 64), "ibug68")
    assert [bool(sample.damage) for sample in evaluation] == [False, True, True, False]


def test_w300lp_rejects(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such folder; expected photographs with \.mat"):
        open_source("300w-lp", tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no faces; expected photographs with \.mat"):
        open_source("300w-lp", tmp_path)
    write_300w_lp(tmp_path / "image00001.png", 1)
    with pytest.raises(ValueError, match=r"image00001\.mat: no landmarks aflw21 .*it holds .*pt2d \(2, 68\)"):
        open_source("300w-lp", tmp_path, landmark_set="aflw21")
    with pytest.raises(ValueError, match=r"image00001\.mat: not a folder"):
        open_source("300w-lp", tmp_path / "image00001.mat")


def test_real_photographs(real_data):
    """Ground truth by eye: which way each of them looks, and that landmarks keep to the head's order."""
    source = open_source("aflw2000-3d", real_data / "aflw2000", landmark_set="ibug68", on_damage="stop")
    yaws = {face.name[-9:-4]: face.yaw for face in source.faces(range(len(source)))}
    assert yaws["00251"] > 40  # the nose points to the image's right
    assert yaws["00516"] > 20
    assert yaws["02420"] < -60
    assert abs(yaws["00050"]) < 10
    evaluation = evaluation_stream(source, (224, 224), "ibug68")
    for sample in evaluation:
        points = sample.landmarks.numpy()
        assert (np.abs(points.min(axis=0) + points.max(axis=0) - 223) < 1e-3).all()
        assert np.ptp(points, axis=0).max() == pytest.approx(0.75 * 0.69 * 224, rel=1e-4)
        assert points[8, 1] > points[27, 1]
    assert len(open_source("300w-lp", real_data / "w300lp", landmark_set="ibug68").faces([0])) == 1
