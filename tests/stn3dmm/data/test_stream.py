"""Streams: a sample depends on the seed and its number alone, and what is damaged is never used."""

from __future__ import annotations

import dataclasses
import logging
import pickle

import numpy as np
import pytest
import torch
from stn3dmm.data.augmentation import AugmentationConfig
from stn3dmm.data.crops import inverted, move_points
from stn3dmm.data.sources import open_source
from stn3dmm.data.stream import (
    BatchNumbers,
    DamageReport,
    FaceBatch,
    FaceStream,
    collate,
    evaluation_stream,
    loader,
)

from .face_cases import listed

SIZE = (48, 56)
LIVELY = AugmentationConfig(rotation=30.0, occluder=0.5)


def stream(source=None, **arguments):
    arguments = {"augmentation": LIVELY, "seed": 5, **arguments}
    return FaceStream(listed(7) if source is None else source, SIZE, "aflw21", **arguments)


def assert_same(a, b):
    for one, other in zip(a, b, strict=True):
        assert (
            torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)
            if isinstance(one, torch.Tensor)
            else one == other
        )


def test_sample_shapes():
    sample = stream()[3]
    assert (sample.image.shape, sample.image.dtype) == ((3, *SIZE), torch.uint8)
    assert (sample.landmarks.shape, sample.landmarks.dtype) == ((21, 2), torch.float32)
    assert (sample.visible.shape, sample.visible.dtype) == ((21,), torch.float32)
    assert (sample.affine.shape, sample.affine.dtype) == ((2, 3), torch.float32)
    assert (sample.identity.item(), sample.number.item(), sample.damage) == (-1, 3, "")
    assert sample.name.startswith("face")


def test_sample_depends_on_seed_and_number_alone():
    whole = stream()[20]
    assert_same(whole, stream().__getitems__([3, 20, 3, 8])[1])
    used = stream()
    for number in (4, 100, 0):
        used[number]
    assert_same(whole, used[20])
    assert not torch.equal(whole.image, stream(seed=6)[20].image)
    assert not torch.equal(whole.image, stream()[27].image)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_with_workers(workers):
    numbered = loader(stream(), 4, 2, 5, workers=workers)
    batches = list(numbered)
    assert len(batches) == len(numbered) == 3
    assert torch.cat([batch.number for batch in batches]).tolist() == list(range(8, 20))
    for batch in batches:
        assert isinstance(batch, FaceBatch)
        for b, number in enumerate(batch.number.tolist()):
            assert torch.equal(batch.image[b], stream()[number].image)


def test_stream_can_be_sent_to_another_process():
    """Where processes are not forked, a data loader pickles the stream."""
    synthetic = open_source("synthetic", landmark_set="aflw21", image_size=[32, 32], length=4, views_per_identity=2)
    for source in (listed(4, [0, 0, 1, 1]), synthetic):
        used = FaceStream(source, (32, 32), "aflw21", augmentation=LIVELY, pairs="identity")
        expected = used[5]
        assert_same(pickle.loads(pickle.dumps(used))[5], expected)


def test_yaw_is_that_of_the_crop():
    source = listed(1)
    source.list[0] = dataclasses.replace(source.list[0], yaw=30.0)
    for number in range(6):
        sample = stream(source)[number]
        assert sample.yaw == (-30 if torch.linalg.det(sample.affine[:, :2]) < 0 else 30)
    assert torch.isnan(stream()[0].yaw)


def test_ranks_share_a_batch():
    together = next(iter(loader(stream(), 6, 3, 4)))
    parts = [next(iter(loader(stream(), 6, 3, 4, rank=rank, world=3))) for rank in range(3)]
    assert torch.equal(torch.cat([part.image for part in parts]), together.image)
    assert torch.cat([part.number for part in parts]).tolist() == list(range(18, 24))


def test_epoch_shows_every_face():
    plain = stream(augmentation=None)
    assert len(plain) == 7
    for epoch in range(2):
        assert {plain[number].name for number in range(7 * epoch, 7 * epoch + 7)} == {f"face{k}.png" for k in range(7)}


def test_affine_leads_back_to_the_labels():
    source = listed(3)
    augmented = stream(source)
    turned = 0
    for number in range(12):
        sample = augmented[number]
        face = next(face for face in source.list if face.name == sample.name)
        affine = sample.affine.double().numpy()
        mirrored = np.linalg.det(affine[:, :2]) < 0
        turned += mirrored
        back = move_points(sample.landmarks.double().numpy(), inverted(affine))
        order = [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 16, 15, 14, 13, 12, 19, 18, 17, 20] if mirrored else range(21)
        seen = sample.visible.bool().numpy()
        assert seen.sum() > 15
        assert np.abs(back - face.landmarks[list(order)])[seen].max() < 1e-3  # single precision
    assert 0 < turned < 12


def test_landmarks_outside_the_crop_are_not_visible():
    source = listed(1)
    wide = stream(source, augmentation=None, face_size=3.0)[0]
    assert 0 < wide.visible.sum() < 21
    inside = ((wide.landmarks >= 0) & (wide.landmarks <= torch.tensor([SIZE[1] - 1.0, SIZE[0] - 1.0]))).all(dim=1)
    assert inside[wide.visible.bool()].all()
    assert (wide.landmarks[~wide.visible.bool()] == 0).all()
    evaluated = evaluation_stream(source, SIZE, "aflw21", face_size=3.0)[0]
    assert evaluated.visible.all()


def test_landmarks_that_are_not_labelled():
    source = listed(1)
    face = source.list[0]
    points, visible = face.landmarks.copy(), face.visible.copy()
    points[4], visible[4] = np.nan, False
    source.list[0] = dataclasses.replace(face, landmarks=points, visible=visible)
    for sample in (stream(source)[0], evaluation_stream(source, SIZE, "aflw21")[0]):
        assert torch.isfinite(sample.landmarks).all()
        assert sample.visible.sum() < 21
    source.list[0] = dataclasses.replace(face, landmarks=None, visible=None)
    source.landmark_set = None
    sample = stream(source)[0]
    assert sample.landmarks.shape == (21, 2)
    assert not sample.visible.any()


def test_stream_without_a_landmark_set():
    sample = FaceStream(listed(2), SIZE, None, augmentation=LIVELY)[0]
    assert sample.landmarks.shape == (0, 2)
    assert sample.visible.shape == (0,)
    whole, cropped = listed(1), listed(1)
    whole.list[0] = dataclasses.replace(whole.list[0], framed=True)
    scales = [FaceStream(source, SIZE, None)[0].affine[0, 0] for source in (whole, cropped)]
    assert scales[0] < scales[1]  # the landmarks still say where the face is


def test_pairs_are_of_one_person():
    identities = [0, 1, 0, 1, 2, 0, 1, -1]
    paired = stream(listed(8, identities), pairs="identity")
    assert len(paired) == 4
    batch = next(iter(loader(paired, 8, 0, 1)))
    assert (batch.identity[0::2] == batch.identity[1::2]).all()
    assert all(a != b for a, b in zip(batch.name[0::2], batch.name[1::2], strict=True))
    with pytest.raises(ValueError, match="even number of samples; got 3"):
        loader(paired, 6, 0, 1, world=2)


@pytest.mark.parametrize("error", [ValueError, OSError])
def test_damaged_face_is_replaced_by_the_next(error):
    sound, holed = stream(augmentation=None), stream(listed(7, damaged=[2, 4], error=error), augmentation=None)
    names = [sound[number].name for number in range(7)]
    for number in range(7):
        sample = holed[number]
        following = [name for name in names[number:] + names[:number] if name not in ("face2.png", "face4.png")]
        assert sample.name == following[0]
        if names[number] in ("face2.png", "face4.png"):
            assert f"{names[number]}: a damaged picture" in sample.damage
        else:
            assert_same(sample, sound[number])
    batch = collate(stream(listed(7, damaged=[2, 4], error=error), augmentation=None).__getitems__(range(7)))
    assert batch.damage == [holed[number].damage for number in range(7)]


def test_damaged_faces_are_read_once_only():
    source = listed(7, damaged=[3])
    damaged = stream(source, augmentation=None)
    for number in range(70):
        damaged[number]
    assert sum(3 in indices for indices in source.read) == 1


def test_damage_in_pairs_keeps_the_person():
    identities = [0, 0, 0, 1, 1, 2, 2]
    batch = collate(stream(listed(7, identities, damaged=[1, 5, 6]), pairs="identity").__getitems__(range(12)))
    assert (batch.identity[0::2] == batch.identity[1::2]).all()
    assert set(batch.identity.tolist()) == {0, 1}
    assert set(batch.name) == {"face0.png", "face2.png", "face3.png", "face4.png"}


def test_damage_stops_where_it_is_to():
    damaged = stream(listed(4, damaged=[2]), on_damage="stop")
    with pytest.raises(ValueError, match=r"face2\.png: a damaged picture"):
        damaged.__getitems__(range(4))


def test_everything_damaged_is_an_error():
    with pytest.raises(ValueError, match=r"All 3 photographs of the data set are damaged; the first: face\d\.png: "):
        stream(listed(3, damaged=[0, 1, 2]))[0]
    with pytest.raises(ValueError, match="are damaged"):
        stream(listed(4, [0, 0, 1, 1], damaged=range(4)), pairs="identity")[0]


def test_damage_report_tells_each_once(caplog):
    report = DamageReport()
    with caplog.at_level(logging.WARNING):
        for batch in loader(stream(listed(5, damaged=[1, 3])), 5, 0, 4):
            report.add(batch)
    assert len(report.messages) == len(caplog.records) == 2
    assert all("a damaged picture" in record.message for record in caplog.records)


def test_evaluation_shows_every_face_once_in_order():
    evaluation = evaluation_stream(listed(7, damaged=[3]), SIZE, "aflw21")
    batches = list(loader(evaluation, 4, 0, 10))
    assert [len(batch.image) for batch in batches] == [4, 3]
    assert torch.cat([batch.number for batch in batches]).tolist() == list(range(7))
    assert batches[0].name == ["face0.png", "face1.png", "face2.png", "face3.png"]
    assert "face3.png: a damaged picture" in batches[0].damage[3]
    assert not batches[0].visible[3].any()
    assert not batches[0].image[3].any()
    assert batches[1].damage == [""] * 3
    assert sum(1 for _ in evaluation) == 7
    with pytest.raises(IndexError, match=r"0\.\.6; got 7"):
        evaluation[7]


def test_framed_faces_are_only_scaled():
    source = listed(1)
    face = dataclasses.replace(source.list[0], framed=True)
    source.list[0] = face
    H, W = face.image.shape[:2]
    sample = FaceStream(source, (H, W), "aflw21")[0]
    assert (sample.image.permute(1, 2, 0).numpy() == face.image).all()
    assert np.abs(sample.landmarks.numpy() - face.landmarks).max() < 1e-4
    assert torch.equal(sample.affine, torch.eye(2, 3))


def test_batch_to_a_device():
    batch = collate(stream().__getitems__([0, 1]))
    moved = batch.to("meta")
    assert moved.image.device.type == "meta"
    assert moved.name == batch.name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed must be 0 or more"),
        ({"pairs": "twins"}, "pairs must be 'none' or 'identity'; got 'twins'"),
        ({"pairs": "identity"}, "needs two photographs of one person"),
        ({"on_damage": "ignore"}, "on_damage must be 'skip' or 'stop'"),
        ({"face_size": 0.0}, "face_size must lie in"),
        ({"source": listed(0)}, "has no faces"),
        ({"source": listed(1, landmark_set="ibug68")}, "its landmarks are ibug68, but aflw21 are asked for"),
    ],
)
def test_stream_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        stream(**arguments)


def test_stream_rejects_sizes_sets_and_numbers():
    with pytest.raises(ValueError, match="image_size must be"):
        FaceStream(listed(1), (4, 224), "aflw21")
    with pytest.raises(ValueError, match="landmark_set must be one of aflw21, ibug68; got 'wflw98'"):
        FaceStream(listed(1), SIZE, "wflw98")
    with pytest.raises(ValueError, match="0 or more; got -1"):
        stream()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 0, 1, 0, 2), "multiple of the number of processes, 2"),
        ((0, 0, 1), "multiple of"),
        ((4, 3, 2), "first <= last; got 3 and 2"),
        ((4, 0, 1, 2, 2), "rank 2 of 2"),
    ],
)
def test_batch_numbers_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        BatchNumbers(*arguments)
