"""The measures of a flattening: by hand and on maps that are known."""

from __future__ import annotations

import numpy as np
import pytest
from stn3dmm.prepare.distortion import distortion, flipped, signed_areas

from .mesh_cases import lattice


def test_signed_areas_by_hand():
    uv = np.array([[0, 0], [1, 0], [0, 1], [2, 0]], dtype=float)
    areas = signed_areas(uv, np.array([[0, 1, 2], [0, 2, 1], [0, 1, 3]]))
    np.testing.assert_array_equal(areas, [0.5, -0.5, 0])


def test_flipped_counts_what_is_nowhere():
    uv = np.array([[0, 0], [1, 0], [0, 1], [np.nan, 0]])
    assert flipped(uv, np.array([[0, 1, 2], [0, 2, 1], [0, 1, 3]])) == 2


def test_a_similarity_distorts_nothing():
    vertices, triangles = lattice(4, 5)
    found = distortion(vertices, triangles, (vertices[:, :2] + 1) / 2)
    assert found.flipped == 0
    assert found.least_area == pytest.approx(1 / 24)
    assert found.angle == pytest.approx((1, 1, 1), abs=1e-6)
    assert found.area == pytest.approx((1, 1, 1))


def test_a_stretch_has_its_ratio():
    vertices, triangles = lattice(4, 5)
    found = distortion(vertices, triangles, vertices[:, :2] * (3, 1))
    assert found.angle == pytest.approx((3, 3, 3))
    assert found.area == pytest.approx((1, 1, 1))


def test_shares_of_area():
    # Two triangles of one area in space; the map gives the first three times the room of the second.
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [1, 0, 5], [0, 1, 5]], dtype=float)
    uv = np.array([[0, 0], [3, 0], [0, 1], [0, 0], [1, 0], [0, 1]], dtype=float)
    found = distortion(vertices, np.array([[0, 1, 2], [3, 4, 5]]), uv)
    assert (found.area[0], found.area[2]) == pytest.approx((0.5, 1.5))
    assert found.angle[2] == pytest.approx(3)


def test_distortion_of_nothing_with_area():
    found = distortion(np.zeros((3, 3)), np.array([[0, 1, 2]]), np.zeros((3, 2)))
    assert found.flipped == 0
    assert np.isnan(found.angle).all()
