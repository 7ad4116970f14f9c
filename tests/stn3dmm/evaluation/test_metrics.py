"""The normalised mean error and what is made of many of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stn3dmm.evaluation.metrics import binned_by_yaw, cumulative_error, normalised_mean_error

SQUARE = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 2.0], [8.0, 2.0]], dtype=torch.float64)  # sqrt(w h) = 4


def error(points: torch.Tensor, target: torch.Tensor, visible: torch.Tensor | None = None) -> float:
    visible = torch.ones(len(target)) if visible is None else visible
    return normalised_mean_error(points[None], target[None], visible[None]).item()


def test_nme_by_hand():
    points = SQUARE + torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0], [1.0, 0.0]])
    assert error(points, SQUARE) == pytest.approx((5 + 0 + 2 + 1) / 4 / 4)


def test_nme_leaves_out_hidden_landmarks_and_their_place():
    """Neither the error nor the box knows of a landmark that is not visible."""
    target = torch.cat([SQUARE, torch.full((1, 2), torch.nan)])
    points = torch.cat([SQUARE + 1.0, torch.full((1, 2), 1e9)])
    assert error(points, target, torch.tensor([1, 1, 1, 1, 0])) == pytest.approx(math.sqrt(2) / 4)
    target[4] = 500.0
    assert error(points, target, torch.tensor([1, 1, 1, 1, 0])) == pytest.approx(math.sqrt(2) / 4)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_nme_of_an_answer_that_is_not_finite_is_infinite(wrong):
    """It must not pass for a face without labels, which counts nowhere."""
    points = SQUARE.clone()
    points[2, 1] = wrong
    assert error(points, SQUARE) == math.inf
    assert error(points, SQUARE, torch.tensor([1, 1, 0, 1])) == 0
    binned = binned_by_yaw(np.array([0.02, math.inf, math.nan]), np.array([0.0, 40.0, 50.0]))
    assert binned.counts == (1, 1, 0)
    assert binned.mean == math.inf


@pytest.mark.parametrize("visible", [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]])
def test_nme_of_a_box_without_area_is_nan(visible):
    assert math.isnan(error(SQUARE + 1, SQUARE, torch.tensor(visible)))


def test_nme_of_each_face_is_its_own():
    target = torch.stack([SQUARE, 2 * SQUARE, SQUARE])
    visible = torch.tensor([[1.0] * 4, [1.0] * 4, [0.0] * 4])
    errors = normalised_mean_error(target + torch.tensor([2.0, 0.0]), target, visible)
    assert errors[:2].tolist() == pytest.approx([0.5, 0.25])
    assert errors[2].isnan()


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scale=st.floats(0.01, 100),
    shift=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
    turns=st.integers(0, 3),
    mirrored=st.booleans(),
)
def test_nme_is_the_same_for_faces_that_move_with_their_labels(seed, scale, shift, turns, mirrored):
    """Moved, scaled, mirrored, turned by right angles."""
    generator = torch.Generator().manual_seed(seed)
    target = 50 * torch.randn(21, 2, generator=generator, dtype=torch.float64)
    points = target + torch.randn(21, 2, generator=generator, dtype=torch.float64)
    visible = (torch.rand(21, generator=generator) < 0.7).to(torch.float64)
    visible[:3] = 1
    turn = torch.linalg.matrix_power(torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64), turns)
    mirror = torch.diag(torch.tensor([-1.0 if mirrored else 1.0, 1.0], dtype=torch.float64))
    linear = scale * turn @ mirror

    def seen(places: torch.Tensor) -> torch.Tensor:
        return places @ linear.T + torch.tensor(shift, dtype=torch.float64)

    assert error(seen(points), seen(target), visible) == pytest.approx(error(points, target, visible), rel=1e-6)


def test_bins_by_hand():
    """The upper end belongs to a bin; beyond 90 degrees still counts; what has no yaw only counts in the mean."""
    yaw = np.array([0.0, -30.0, 30.1, 60.0, -61.0, 95.0, math.nan, 5.0])
    binned = binned_by_yaw(np.array([0.01, 0.03, 0.04, 0.06, 0.1, 0.3, 0.5, math.nan]), yaw)
    assert binned.counts == (2, 2, 2)
    assert binned.bins == pytest.approx((0.02, 0.05, 0.2))
    assert binned.mean_of_bins == pytest.approx(0.09)
    assert binned.mean == pytest.approx((0.01 + 0.03 + 0.04 + 0.06 + 0.1 + 0.3 + 0.5) / 7)


def test_bins_without_faces():
    binned = binned_by_yaw(np.array([0.02]), np.array([10.0]))
    assert binned.counts == (1, 0, 0)
    assert math.isnan(binned.bins[2])
    assert binned.mean_of_bins == binned.mean == pytest.approx(0.02)
    nothing = binned_by_yaw(np.zeros(0), np.zeros(0))
    assert math.isnan(nothing.mean)
    assert math.isnan(nothing.mean_of_bins)


def test_cumulative_error_by_hand():
    """The limit belongs to the share; a face without an error is never below."""
    errors = np.array([0.05, 0.01, math.nan, 0.03])
    assert cumulative_error(errors, np.array([0.0, 0.01, 0.04, 9.0])).tolist() == [0.0, 0.25, 0.5, 0.75]
    assert cumulative_error(np.zeros(0), np.array([0.1])).tolist() == [0.0]
