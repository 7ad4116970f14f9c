"""What landmark fitting refuses: one sentence that names the argument, the fact and the remedy."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import stn3dmm
import torch


def faces(model: stn3dmm.MorphableModel, B: int) -> torch.Tensor:
    """Landmarks (B, 68, 2) of the mean face, seen from the front."""
    points = model.mean[model.landmarks["ibug68"]][:, :2] * (1.0, -1.0) + 112.0
    return torch.from_numpy(points).repeat(B, 1, 1)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"landmarks": np.zeros((2, 21, 2))}, ValueError, r"must be \(B, 68, 2\).*got \(2, 21, 2\)"),
        ({"landmarks": np.zeros((68, 3))}, ValueError, r"got \(68, 3\)"),
        ({"landmarks": np.zeros((1, 1, 68, 2))}, ValueError, "must be"),
        ({"landmarks": np.array(["a"])}, TypeError, "real numbers"),
        ({"landmarks": torch.zeros(68, 2, dtype=torch.complex64)}, TypeError, "real numbers"),
        ({"landmarks": np.full((68, 2), np.nan)}, ValueError, "face 0: landmark 0 .* is visible but not finite"),
        ({"landmarks": np.full((68, 2), 5.0)}, ValueError, "lie on one point"),
        ({"visible": np.ones(67)}, ValueError, r"visible must be \(68,\)"),
        ({"visible": np.full(68, np.nan)}, ValueError, "visible holds NaN"),
        ({"visible": np.arange(68) < 3}, ValueError, "3 usable landmarks; at least 4"),
        ({"visible": np.zeros(68)}, ValueError, "0 usable landmarks"),
        ({"indices": "dlib5"}, ValueError, "has no landmarks 'dlib5'"),
        ({"indices": np.full(68, 10**7)}, ValueError, "indices must be"),
        ({"indices": np.linspace(0, 1, 68)}, TypeError, "whole numbers"),
        ({"indices": np.full(68, -1)}, ValueError, "0 usable landmarks"),
        ({"image_size": (1, 1)}, ValueError, "0 usable landmarks"),
        ({"prior_weight": -1.0}, ValueError, "prior_weight"),
        ({"image_size": 5}, ValueError, "image_size must be two sizes"),
        ({"image_size": (5.5, 5)}, TypeError, "image_size must be two integers"),
        ({"image_size": (9, 9), "visible": np.zeros(68)}, ValueError, "inside the picture"),
        ({"landmarks": [[1.0, 2.0], [3.0]]}, ValueError, "landmarks must be numbers in rows of one length"),
        ({"landmarks": None}, TypeError, "landmarks must be real numbers"),
        ({"indices": [[1, 2], [3]]}, ValueError, "indices must be numbers in rows of one length"),
        ({"prior_weight": math.nan}, ValueError, "prior_weight"),
        ({"prior_weight": "x"}, TypeError, "prior_weight must be a number"),
    ],
)
def test_rejects(embedded, change, error, message):
    target = faces(embedded, 1)
    arguments = {"landmarks": target[0], "indices": "ibug68"} | change
    with pytest.raises(error, match=message):
        stn3dmm.fit_landmarks(embedded, arguments.pop("landmarks"), **arguments)


@pytest.mark.parametrize("where", [1e160, -1e300, 1e16])
def test_rejects_one_absurd_landmark(embedded, where):
    """Squares that overflow, or pixels that double precision cannot tell apart: one sentence, no warning."""
    target = faces(embedded, 2)
    target[1, 7, 0] = where
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"face 1: landmark 7 .* too far out"):
            stn3dmm.fit_landmarks(embedded, target, indices="ibug68")
    visible = torch.ones(2, 68)
    visible[1, 7] = 0
    fit = stn3dmm.fit_landmarks(embedded, target, visible=visible, indices="ibug68", prior_weight=0)
    assert fit.error.max() < 1e-3


def test_rejects_a_result_that_is_not_finite(embedded, monkeypatch):
    def minimise(problem):
        theta, error = torch.zeros(3, 16), torch.tensor([1.0, 1.0, math.inf])
        theta[1, 5] = -math.inf
        return theta, error

    target = faces(embedded, 3)
    monkeypatch.setattr("stn3dmm.fit.minimise", minimise)
    with pytest.raises(ValueError, match="face 1: no finite fit"):
        stn3dmm.fit_landmarks(embedded, target, indices="ibug68")
