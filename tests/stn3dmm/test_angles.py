"""Yaw, pitch and roll: signs by what one sees."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stn3dmm.angles import head_angles, rotation_vector

import stn3dmm_cuda


def rotation_of(yaw: float, pitch: float, roll: float) -> torch.Tensor:
    axes = torch.tensor([[0, 0, -roll], [-pitch, 0, 0], [0, yaw, 0]], dtype=torch.float64).deg2rad()
    z, x, y = stn3dmm_cuda.axis_angle_to_matrix(axes)
    return z @ x @ y


@pytest.mark.parametrize(
    ("r", "expected"),
    [([0, 0, 0], (0, 0, 0)), ([0, 0.5, 0], (0.5, 0, 0)), ([0.5, 0, 0], (0, -0.5, 0)), ([0, 0, 0.5], (0, 0, -0.5))],
)
def test_single_turns_by_hand(r, expected):
    assert head_angles([*r, 0, 0, 0]) == pytest.approx([math.degrees(value) for value in expected], abs=1e-9)


def test_signs_by_what_one_sees():
    nose = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    top = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    assert (rotation_of(20, 0, 0) @ nose)[0] > 0  # to the image's right
    assert (rotation_of(0, 20, 0) @ nose)[1] > 0  # up
    assert (rotation_of(0, 0, 20) @ top)[0] > 0  # leaning to the image's right


@given(yaw=st.floats(-179, 179), pitch=st.floats(-88, 88), roll=st.floats(-179, 179))
def test_inverts_the_documented_order(yaw, pitch, roll):
    from stn3dmm.levenberg_marquardt import matrix_to_axis_angle

    r = matrix_to_axis_angle(rotation_of(yaw, pitch, roll)[None])[0].numpy()
    assert head_angles(np.concatenate([r, np.zeros(3)])) == pytest.approx((yaw, pitch, roll), abs=1e-6)


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, -20, 10), (-90, 5, -30), (120, 60, 170), (0, 0, 180)])
def test_rotation_vector_is_the_way_back(angles):
    vector = rotation_vector(*angles)
    assert np.linalg.norm(vector) <= np.pi + 1e-9
    assert head_angles([*vector, 0, 0, 0]) == pytest.approx(angles, abs=1e-6)
