"""Pictures: marks land where the pixels are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stn3dmm import drawing


def photograph(H: int = 60, W: int = 80) -> np.ndarray:
    return np.zeros((H, W, 3), dtype=np.uint8)


def test_view_places_a_marked_pixel():
    """A white pixel, and the view coordinates of its centre, meet."""
    image = photograph()
    image[30, 50] = 255
    view = drawing.view_of_face(image, np.array([[40.0, 20.0], [60.0, 40.0]]), size=500)
    x, y = view.place(np.array([50.0, 30.0]))
    brightest = np.unravel_index(view.pixels[..., 0].argmax(), view.pixels.shape[:2])
    assert abs(brightest[1] + 0.5 - x) < view.zoom / 2
    assert abs(brightest[0] + 0.5 - y) < view.zoom / 2


def test_landmark_is_drawn_at_its_place():
    view = drawing.view_of_face(photograph(), np.array([[20.0, 20.0], [60.0, 40.0]]), size=400)
    point = np.array([[45.0, 25.0]])
    drawn = drawing.draw_landmarks(view, point, np.array([True]), point)
    rows, columns = np.nonzero(drawn[..., 0] > 200)  # the fitted dot is red, the ring green
    x, y = view.place(point)[0]
    assert abs(columns.mean() + 0.5 - x) < 1
    assert abs(rows.mean() + 0.5 - y) < 1


def test_mesh_is_drawn_where_shown_only():
    y, x = np.mgrid[0:8, 0:8]
    points = np.stack([20 + 3.0 * x, 20 + 3.0 * y, np.zeros_like(x)], axis=-1).reshape(64, 3)
    view = drawing.view_of_face(photograph(), points[:, :2], size=300)
    left = (x < 4).ravel()
    drawn = drawing.draw_mesh(view, points, left, (8, 8))
    columns = np.nonzero(drawn.max(axis=2).max(axis=0) > 20)[0]
    low, high = view.place(np.array([[20.0, 20.0], [29.0, 20.0]]))[:, 0]
    assert columns.min() == pytest.approx(low, abs=2)
    assert columns.max() == pytest.approx(high, abs=2)
    assert (drawing.draw_mesh(view, points, np.zeros(64, dtype=bool), (8, 8)) == view.pixels).all()


def test_hostile_points_draw_nothing_and_raise_nothing():
    points = np.array([[np.nan, 5.0], [np.inf, 5.0], [1e9, -1e9]])
    view = drawing.view_of_face(photograph(), points)
    drawn = drawing.draw_landmarks(view, points, np.ones(3, dtype=bool), points)
    assert drawn.shape == view.pixels.shape
    assert drawing.view_of_face(photograph(), np.full((2, 2), np.nan)).pixels.size > 0


def test_texture_and_mask_pixels_by_hand():
    texture = torch.tensor([0.0, 0.5, 2.0]).reshape(3, 1, 1)
    assert drawing.texture_pixels(texture).tolist() == [[[0, 128, 255]]]
    assert drawing.mask_pixels(torch.tensor([[[0.0, 1.0]]])).tolist() == [[0, 255]]
    assert drawing.texture_pixels(torch.full((3, 1, 1), torch.nan)).tolist() == [[[0, 0, 0]]]


def test_side_by_side_and_enlarge():
    row = drawing.side_by_side([photograph(), np.zeros((10, 10), dtype=np.uint8)], height=60, gap=5)
    assert row.shape == (60, 80 + 5 + 60, 3)
    assert drawing.enlarge(np.arange(4, dtype=np.uint8).reshape(2, 2), 2)[3].tolist() == [2, 2, 3, 3]
