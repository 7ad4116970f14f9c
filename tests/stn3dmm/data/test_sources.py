"""Opening data sets by name, joining them, and those that need no files of their own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from stn3dmm.data.faces import Face
from stn3dmm.data.sources import KINDS, JoinedFaces, SyntheticSource, open_source
from stn3dmm.data.stream import FaceStream, evaluation_stream
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces

from .face_cases import listed


def test_demodata(demodata_mat):
    source = open_source("demodata", demodata_mat, landmark_set="aflw21")
    assert (len(source), source.landmark_set, source.identities.tolist()) == (2, "aflw21", [-1, -1])
    faces = source.faces([1, 0])
    assert [face.visible.sum() for face in faces] == [21, 20]
    assert faces[0].framed
    assert "photograph 2" in faces[0].name
    sample = evaluation_stream(source, (224, 224), "aflw21")[0]
    assert (sample.image.numpy() == faces[1].image.transpose(2, 0, 1)).all()
    assert np.abs(sample.landmarks.numpy() - faces[1].landmarks)[faces[1].visible].max() < 1e-4


def test_synthetic_is_what_synthetic_faces_draws():
    options = {"image_size": [64, 80], "yaw": [-30, 30], "views_per_identity": 3, "length": 9, "occluder": 0.5}
    source = open_source("synthetic", landmark_set="ibug68", seed=4, **options)
    assert isinstance(source, SyntheticSource)
    drawn = SyntheticFaces(SyntheticConfig((64, 80), length=9, views_per_identity=3, yaw=(-30, 30), occluder=0.5), 4)
    expected = drawn.batch([7, 2])
    faces = source.faces([7, 2])
    assert (len(source), source.identities.tolist()) == (9, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    for b, face in enumerate(faces):
        assert np.abs(face.image.transpose(2, 0, 1) / 255 - expected.image[b].numpy()).max() < 1e-6
        assert (face.landmarks == expected.landmarks["ibug68"][b].numpy()).all()
        assert face.visible.all()
        assert abs(face.yaw) <= 31
        assert face.identity == expected.identity[b]
    assert source.faces([]) == []
    assert SyntheticSource(None, SyntheticConfig((64, 80))).faces([0])[0].landmarks is None


def test_framed_synthetic_stream_is_the_image():
    source = open_source("synthetic", landmark_set="aflw21", image_size=[64, 64], length=5, framed=True)
    stream = FaceStream(source, (64, 64), "aflw21")
    samples = stream.__getitems__(range(5))
    for sample in samples:
        face = source.faces([int(sample.name.removeprefix("synthetic face "))])[0]
        assert (sample.image.permute(1, 2, 0).numpy() == face.image).all()


def test_synthetic_crops_lie_around_the_landmarks():
    source = open_source("synthetic", landmark_set="ibug68", image_size=[96, 96], length=6)
    for sample in evaluation_stream(source, (64, 64), "ibug68"):
        low, high = sample.landmarks.amin(dim=0), sample.landmarks.amax(dim=0)
        assert ((low + high) / 2).tolist() == pytest.approx([31.5, 31.5], abs=1e-3)
        assert float((high - low).amax()) == pytest.approx(0.75 * 0.69 * 64, abs=1e-3)


def test_joined_sources():
    one, other = listed(3, [0, 0, -1]), listed(2, [4, 0])
    other.list[0] = dataclasses.replace(other.list[0], name="other0.png")
    joined = JoinedFaces([one, listed(0), other, listed(1)])
    assert len(joined) == 6
    assert joined.identities.tolist() == [0, 0, -1, 5, 1, -1]
    faces = joined.faces([3, 0, 5, 4, 3])
    assert [face.name for face in faces] == ["other0.png", "face0.png", "face0.png", "face1.png", "other0.png"]
    assert [face.identity for face in faces] == [5, 0, -1, 1, 5]
    assert one.read == [[0]]
    assert joined.landmark_set == "aflw21"
    assert JoinedFaces([listed(1, landmark_set=None)]).landmark_set is None
    with pytest.raises(ValueError, match="one landmark set to be joined; got aflw21 and ibug68"):
        JoinedFaces([one, listed(1, L=68, landmark_set="ibug68")])
    with pytest.raises(ValueError, match="at least one"):
        JoinedFaces([])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kinect", "x"), f"no kind of data set 'kinect'; known are {', '.join(KINDS)}"),
        (("aflw", ""), "aflw: the path is empty"),
        (("aflw", None), "aflw: the path is empty"),
        (("synthetic", "somewhere"), "drawn, not read; leave the path empty"),
    ],
)
def test_open_source_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        open_source(*arguments)


def test_open_source_rejects_options(tmp_path, demodata_mat):
    with pytest.raises(ValueError, match="on_damage must be 'skip' or 'stop'; got 'hide'"):
        open_source("synthetic", on_damage="hide")
    with pytest.raises(ValueError, match="landmark_set must be one of aflw21, ibug68; got 'wflw98'"):
        open_source("synthetic", landmark_set="wflw98")
    with pytest.raises(ValueError, match="folder: there is no option 'label'; known are labels, people, framed"):
        open_source("folder", tmp_path, label="x.csv")
    with pytest.raises(ValueError, match="demodata: there is no option 'seed'; known are none"):
        open_source("demodata", demodata_mat, seed=1)
    with pytest.raises(ValueError, match="synthetic: there is no option 'yaws'; known are seed, framed, image_size"):
        open_source("synthetic", yaws=[0, 1])
    with pytest.raises(ValueError, match="SyntheticConfig: yaw must be"):
        open_source("synthetic", yaw=[30, -30])
    with pytest.raises(ValueError, match="its landmarks are aflw21, but ibug68 are asked for"):
        open_source("demodata", demodata_mat, landmark_set="ibug68")


IMAGE, POINTS, SEEN = np.zeros((8, 8, 3), dtype=np.uint8), np.zeros((21, 2)), np.ones(21, dtype=bool)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((IMAGE[..., 0], None, None, None), r"image must be \(H, W, 3\) uint8; got \(8, 8\)"),
        ((IMAGE / 255, None, None, None), "image must be"),
        ((IMAGE[:0], None, None, None), "image must be"),
        ((IMAGE, POINTS, None, None), "must be given together"),
        ((IMAGE, POINTS, SEEN[:20], None), r"got \(21, 2\) and \(20,\)"),
        ((IMAGE, POINTS * np.nan, SEEN, None), "landmark 1 is visible but its coordinates are not finite"),
        ((IMAGE, None, None, (3.0, 0.0, 3.0, 5.0)), "the box must be"),
        ((IMAGE, None, None, (3.0, 0.0, np.inf, 5.0)), "the box must be"),
        ((IMAGE, None, None, (-9.0, 0.0, 5.0, 5.0)), r"the box \(-9, 0, 5, 5\) reaches far outside .* of 8 x 8 pixels"),
        ((IMAGE, None, None, (3.0, 0.0, 5.0, 16.0)), r"the box \(3, 0, 5, 16\) reaches far outside"),
        ((IMAGE, POINTS + 16, SEEN, None), r"landmark 1 at \(16, 16\) lies far outside"),
    ],
)
def test_face_rejects(fields, message):
    with pytest.raises(ValueError, match=rf"who\.png: .*{message}"):
        Face(*fields, identity=-1, yaw=None, name="who.png")


def test_face_may_reach_beyond_its_photograph():
    """By as much as the photograph is large; where a landmark is that is not visible does not matter."""
    for points, visible in ((POINTS + 15, SEEN), (POINTS - 8, SEEN), (POINTS + 99, ~SEEN), (POINTS * np.nan, ~SEEN)):
        Face(IMAGE, points, visible, (-8.0, -8.0, 15.0, 15.0), identity=-1, yaw=None, name="who.png")
