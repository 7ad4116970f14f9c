"""A localiser whose errors are known beforehand, measured."""

from __future__ import annotations

import dataclasses
import json
import logging
import math

import numpy as np
import pytest
import torch
from stn3dmm.data.augmentation import AugmentationConfig
from stn3dmm.data.stream import FaceStream, collate, evaluation_stream, loader
from stn3dmm.evaluation import evaluate
from stn3dmm.evaluation.predict import mean_error
from stn3dmm.objective import Objective, ObjectiveConfig

from .coded_faces import SIZE, YAWS, CodedFaces, Reader, moved, truth

SHIFTS = (0.0, 3.0, 1.0, 5.0, 2.0)  # pixels


def sizes(faces: CodedFaces) -> np.ndarray:
    return np.sqrt(np.ptp(faces.points, axis=1).prod(axis=1))


@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize("landmark_set", ["ibug68", "aflw21"])
def test_errors_are_the_distances_over_the_size(model, landmark_set, batch_size):
    faces = CodedFaces(model, landmark_set)
    told: list[str] = []
    result = evaluate(Reader(moved(truth(model), SHIFTS)), model, faces, SIZE, batch_size=batch_size, step=told.append)
    assert result.errors == pytest.approx(np.array(SHIFTS) / sizes(faces), abs=1e-6)
    assert result.yaw == pytest.approx(np.array(YAWS))
    assert result.landmark_set == landmark_set
    assert result.numbers.tolist() == [0, 1, 2, 3, 4]
    assert result.names == tuple(told) == tuple(f"face {k}" for k in range(5))
    assert result.worst(2).tolist() == np.argsort(-result.errors)[:2].tolist()
    assert result.binned.counts == (2, 1, 2)
    assert result.binned.mean == pytest.approx(result.errors.mean())
    assert torch.equal(result.theta, moved(truth(model), SHIFTS))


def test_damaged_photographs_are_left_out_and_listed(model, caplog):
    faces = CodedFaces(model, damaged=[1, 3])
    with caplog.at_level(logging.WARNING):
        result = evaluate(Reader(moved(truth(model), SHIFTS)), model, faces, SIZE, batch_size=2)
    assert result.names == ("face 0", "face 2", "face 4")
    assert result.numbers.tolist() == [0, 2, 4]
    assert result.damaged == ("face 1: a damaged picture.", "face 3: a damaged picture.")
    assert result.errors == pytest.approx((np.array(SHIFTS) / sizes(faces))[[0, 2, 4]], abs=1e-6)
    assert [record.message for record in caplog.records] == [f"left out: {message}" for message in result.damaged]


def test_hidden_landmarks_count_nowhere(model):
    hidden = list(range(17))  # the outline of the jaw
    faces = CodedFaces(model, hidden=hidden)
    size = np.sqrt(np.ptp(faces.points[:, 17:], axis=1).prod(axis=1))
    result = evaluate(Reader(moved(truth(model), SHIFTS)), model, faces, SIZE)
    assert result.errors == pytest.approx(np.array(SHIFTS) / size, abs=1e-6)


def test_untrained_is_measured_beside(model):
    faces, start = CodedFaces(model, damaged=[2]), truth(model)[0]
    result = evaluate(Reader(truth(model)), model, faces, SIZE, untrained=start)
    constant = evaluate(Reader(start.expand(5, -1)), model, faces, SIZE)
    assert result.errors == pytest.approx(np.zeros(4), abs=1e-6)
    assert result.untrained == pytest.approx(constant.errors, abs=1e-7)
    assert constant.errors[1:].min() > 0.01


def test_mean_is_that_of_the_validation(model):
    """What is measured after the training is what chose the best state in it."""
    faces, localiser = CodedFaces(model), Reader(moved(truth(model), SHIFTS))
    objective = Objective(model, ObjectiveConfig(), "ibug68")
    stream = evaluation_stream(faces, SIZE, "ibug68")
    expected = mean_error(localiser, objective, loader(stream, 2, 0, 3))
    assert evaluate(localiser, model, faces, SIZE).binned.mean == pytest.approx(expected)


def test_yaw_is_that_of_the_face_in_the_crop(model):
    """A mirrored sample looks the other way."""
    config = AugmentationConfig(**{field.name: 0.0 for field in dataclasses.fields(AugmentationConfig)})
    for mirror, sign in ((0.0, 1), (1.0, -1)):
        augmentation = dataclasses.replace(config, mirror=mirror)
        stream = FaceStream(CodedFaces(model), SIZE, "ibug68", augmentation=augmentation)
        yaw = collate(stream.__getitems__(range(5))).yaw
        assert sorted(yaw.tolist()) == sorted(sign * degrees for degrees in YAWS)
        assert yaw.dtype == torch.float32


def test_localiser_is_left_in_the_mode_it_was_in(model):
    localiser = Reader(truth(model)).train()
    evaluate(localiser, model, CodedFaces(model), SIZE)
    assert localiser.training
    evaluate(localiser.eval(), model, CodedFaces(model), SIZE)
    assert not localiser.training


def test_result_goes_into_json(model):
    theta = truth(model)
    faces = CodedFaces(model, damaged=[4], unlabelled=[3], left_out=["face 5: no landmark is given."])
    result = evaluate(Reader(theta), model, faces, SIZE, untrained=theta[0])
    assert math.isnan(result.errors[3])
    assert result.measured == 3
    assert 3 not in result.worst(10)
    content = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert content["faces"][3] == {"name": "face 3", "yaw": 80.0, "error": None}
    assert content["trained"]["bins"][2] == {"yaw": [60.0, 180.0], "mean": None, "count": 0}
    assert content["trained"]["count"] == 3
    assert content["trained"]["curve"]["share"][-1] == 0.75
    assert content["untrained"]["count"] == 3
    assert content["damaged"] == ["face 5: no landmark is given.", "face 4: a damaged picture."]


@pytest.mark.parametrize("entry", [0, 5])
def test_rejects_answers_that_are_not_finite(model, entry):
    """The faces that a localiser fails on must not make its error smaller; faces without labels do not matter."""
    theta = truth(model)
    theta[[1, 3, 4], entry] = torch.tensor([math.nan, 1e4, math.inf])
    faces, localiser = CodedFaces(model, damaged=[1], unlabelled=[3]), Reader(theta)
    with pytest.raises(ValueError, match=r"^face 4: the localiser's answer is not finite"):
        evaluate(localiser, model, faces, SIZE)
    objective, stream = Objective(model, ObjectiveConfig(), "ibug68"), evaluation_stream(faces, SIZE, "ibug68")
    with pytest.raises(ValueError, match=r"^face 4: the localiser's answer is not finite"):
        mean_error(localiser, objective, loader(stream, 2, 0, 3))


def test_rejects_faces_that_cannot_be_measured(model):
    localiser = Reader(truth(model))
    with pytest.raises(ValueError, match="has no landmarks to measure by"):
        evaluate(localiser, model, CodedFaces(model, None), SIZE, landmark_set="ibug68")
    with pytest.raises(ValueError, match=r"its landmarks are ibug68, but aflw21"):
        evaluate(localiser, model, CodedFaces(model), SIZE, landmark_set="aflw21")
    with pytest.raises(ValueError, match=r"All 5 faces of the data set are damaged; the first: face 0"):
        evaluate(localiser, model, CodedFaces(model, damaged=range(5)), SIZE)
    with pytest.raises(ValueError, match=r"None of the 5 faces has visible landmarks"):
        evaluate(localiser, model, CodedFaces(model, hidden=range(68)), SIZE)
