"""The boundary on the square: corners taken, arc length kept, the forehead on top."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stn3dmm.prepare import boundary


def loop_of(points: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.column_stack([np.array(points, dtype=float), np.zeros(len(points))]), np.arange(len(points))


def perimeter_place(uv: np.ndarray) -> np.ndarray:
    """The inverse of `boundary.on_square`."""
    u, v = uv.T
    return np.select(
        [(v == 1) & (u <= 0.5), u == 0, v == 0, u == 1], [0.5 - u, 1.5 - v, 1.5 + u, 2.5 + v], default=4.5 - u
    )


def test_on_square_by_hand():
    place = np.array([0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 3.75])
    expected = [(0.5, 1), (0.25, 1), (0, 1), (0, 0.5), (0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.75, 1)]
    np.testing.assert_array_equal(boundary.on_square(place), expected)


def test_lay_out_of_a_square_is_itself():
    square = [(-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1), (0, 1)]
    vertices, loop = loop_of(square)
    expected = (vertices[:, :2] + 1) / 2
    np.testing.assert_allclose(boundary.lay_out(vertices, loop), expected, atol=1e-15)
    mirror = np.array([6, 5, 4, 3, 2, 1, 0, 7])
    np.testing.assert_allclose(boundary.lay_out_symmetric(vertices, loop, mirror), expected, atol=1e-15)


def test_lay_out_keeps_arc_length_between_the_corners():
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False) + 1.0
    vertices, loop = loop_of(np.stack([np.cos(angle), np.sin(angle)], axis=1).tolist())
    place = perimeter_place(boundary.lay_out(vertices, loop))
    exact = (angle - np.pi / 2) % (2 * np.pi) * (2 / np.pi)
    assert np.abs((place - exact + 2) % 4 - 2).max() <= 0.5 * 4 / 400 + 1e-12


@pytest.mark.parametrize("n", range(3, 12))
def test_lay_out_takes_every_corner(n):
    angle = np.arange(n) * 2 * np.pi / n + 0.1
    vertices, loop = loop_of(np.stack([np.cos(angle), np.sin(angle)], axis=1).tolist())
    uv = boundary.lay_out(vertices, loop)
    taken = {tuple(corner) for corner in uv.tolist()} & {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert len(taken) == min(n, 4)


@given(st.integers(4, 40), st.integers(0, 1000), st.booleans())
def test_lay_out_goes_once_around(n, seed, flat):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, n))
    radius = rng.uniform(0.1, 1, n)
    vertices, loop = loop_of(np.stack([radius * np.cos(angle), radius * np.sin(angle) * (not flat)], axis=1).tolist())
    uv = boundary.lay_out(vertices, loop)
    assert ((uv == 0) | (uv == 1)).any(axis=1).all()
    steps = np.diff(perimeter_place(uv), append=perimeter_place(uv)[0]) % 4
    assert (steps > 0).all()
    np.testing.assert_allclose(steps.sum(), 4)
    assert len({tuple(corner) for corner in uv.tolist()} & {(0, 0), (0, 1), (1, 0), (1, 1)}) == 4


def test_lay_out_of_a_level_ragged_neck_has_its_ends_far_apart():
    angle = np.linspace(0.2, 2 * np.pi - 0.2, 61)  # from the nape by the person's right to the throat and on
    ring = np.stack([-np.sin(angle), 0 * angle, -np.cos(angle)], axis=1)
    nape = np.array([[0.02, 0.05, -1], [-0.02, 0.02, -1], [0.02, -0.05, -1], [-0.02, -0.03, -1]])
    vertices = np.concatenate([nape, ring])
    uv = boundary.lay_out(vertices, np.arange(len(vertices)))
    throat = uv[np.argmax(vertices[:, 2])]
    assert abs(uv[1, 1] - throat[1]) == 1
    assert np.abs([uv[1, 0] - 0.5, throat[0] - 0.5]).max() < 0.1


def test_lay_out_of_one_point_is_even():
    uv = boundary.lay_out(np.ones((8, 3)), np.arange(8))
    np.testing.assert_allclose(np.diff(perimeter_place(uv)) % 4, 0.5)


@given(st.integers(2, 20), st.booleans(), st.booleans(), st.integers(0, 100))
def test_lay_out_symmetric_is_symmetric(half, top_vertex, bottom_vertex, shift):
    rng = np.random.default_rng(shift)
    angle = np.pi / 2 + np.sort(rng.uniform(0.1, np.pi - 0.1, half))
    left = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = [*([(0.0, 1.2)] * top_vertex), *left, *([(0.0, -1.3)] * bottom_vertex), *(left[::-1] * (-1, 1))]
    n = len(points)
    vertices = np.column_stack([np.array(points), np.zeros(n)])
    mirror = np.argmin(np.linalg.norm(vertices[:, None, :2] * (-1, 1) - vertices[None, :, :2], axis=2), axis=1)
    loop = np.roll(np.arange(n), shift)
    uv = np.empty((n, 2))
    uv[loop] = boundary.lay_out_symmetric(vertices, loop, mirror)
    np.testing.assert_allclose(uv[mirror], uv * (-1, 1) + (1, 0), atol=1e-15)
    assert not top_vertex or tuple(uv[0]) == (0.5, 1.0)
    assert not bottom_vertex or tuple(uv[half + top_vertex]) == (0.5, 0.0)
    assert (uv[vertices[:, 0] < -1e-9, 0] < 0.5).all()
    assert len({tuple(corner) for corner in uv.tolist()} & {(0, 0), (0, 1), (1, 0), (1, 1)}) == 4


def test_lay_out_symmetric_puts_the_higher_end_on_top():
    vertices, loop = loop_of([(0, -1), (1, -0.5), (1, 0.5), (0, 1), (-1, 0.5), (-1, -0.5)])
    uv = boundary.lay_out_symmetric(vertices, loop, np.array([0, 5, 4, 3, 2, 1]))
    np.testing.assert_array_equal(uv[[0, 3]], [[0.5, 0], [0.5, 1]])


def test_lay_out_symmetric_refuses_what_does_not_turn_the_loop_over():
    vertices, loop = loop_of([(0, -1), (1, -0.5), (1, 0.5), (0, 1), (-1, 0.5), (-1, -0.5)])
    assert boundary.lay_out_symmetric(vertices, loop, np.arange(6)) is None
    assert boundary.lay_out_symmetric(vertices, loop[[0, 1, 2, 3]], np.array([0, 5, 4, 3, 2, 1])) is None
    diamond, around = loop_of([(0, 1), (-1, 0), (0, -1), (1, 0)])
    assert boundary.lay_out_symmetric(diamond, around, np.array([0, 3, 2, 1])) is None
