"""Cameras, colours and words of the report's pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stn3dmm.prepare import views

CUBE = np.array([[x, y, z] for x in (-30, 50) for y in (-70, 20) for z in (0, 40)], dtype=float)


@pytest.mark.parametrize("yaw", [0.0, -35.0, 90.0])
def test_camera_sees_everything_as_large_as_possible(yaw):
    points = views.camera_on(CUBE, yaw, 200, 300).points(CUBE)[0, :, :2].numpy()
    border = views.MARGIN * 200
    low, high = points.min(axis=0), points.max(axis=0)
    assert (low + high) / 2 == pytest.approx([149.5, 99.5], abs=1e-3)
    room = np.array([299, 199]) - 2 * border - (high - low)
    assert room.min() == pytest.approx(0, abs=1e-3)


def test_camera_is_upright_and_unmirrored():
    camera = views.camera_on(CUBE, 0.0, 100, 100)
    origin, right, up = camera.points(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]))[0, :, :2]
    assert right[0] > origin[0]
    assert up[1] < origin[1]
    # The nose turns to the image's left with a negative yaw.
    turned = views.camera_on(CUBE, -35.0, 100, 100).points(np.array([[0, 0, 0], [0, 0, 1]]))[0]
    assert turned[1, 0] < turned[0, 0]


def test_draw_paints_the_nearer_triangle_on_white():
    points = torch.tensor([[[1.0, 1, 0], [1, 8, 0], [8, 1, 0], [1, 1, 5], [1, 8, 5], [8, 1, 5]]])
    triangles = torch.tensor([[0, 1, 2], [3, 4, 5]])
    pixels = views.draw(points, triangles, (10, 12), views.of_triangles(np.array([[1.0, 0, 0], [0, 1, 0]])))
    assert pixels.shape == (10, 12, 3)
    assert pixels[3, 3].tolist() == [0, 255, 0]
    assert pixels[9, 11].tolist() == [255, 255, 255]


def test_ramp_by_hand():
    stops = ((0.0, 0.0, 0.0), (1.0, 0.5, 0.0), (1.0, 1.0, 1.0))
    colours = views.ramp(np.array([-9.0, 0.0, 1.0, 2.0, 9.0]), 0.0, 4.0, stops)
    assert colours == pytest.approx(np.array([[0, 0, 0], [0, 0, 0], [0.5, 0.25, 0], [1, 0.5, 0], [1, 1, 1]]))


def test_sized_enlarges_by_whole_factors_and_averages():
    small = np.array([[0, 100], [200, 50]], dtype=np.uint8)
    np.testing.assert_array_equal(views.sized(small, 5), small.repeat(2, axis=0).repeat(2, axis=1))
    assert views.sized(small.repeat(100, axis=0).repeat(100, axis=1), 2).tolist() == small.tolist()
