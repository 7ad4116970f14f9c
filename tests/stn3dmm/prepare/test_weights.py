"""Edge weights against their formulas, and on triangles that have no angles."""

from __future__ import annotations

import numpy as np
import pytest
from stn3dmm.prepare import weights

TRIANGLE = np.array([[0, 1, 2]])


def matrix(vertices: list[list[float]], triangles: np.ndarray, kind: weights.Weights) -> np.ndarray:
    points = np.array(vertices, dtype=float)
    return weights.weight_matrix(weights.side_lengths(points, triangles), triangles, len(points), kind).toarray()


def test_cotangent_weights_by_hand():
    # Angles of 90, 45 and 45 degrees.
    found = matrix([[0, 0, 0], [1, 0, 0], [0, 1, 0]], TRIANGLE, "cotangent")
    np.testing.assert_allclose(found, [[0, 0.5, 0.5], [0.5, 0, 0], [0.5, 0, 0]], atol=1e-15)


def test_mean_value_weights_by_hand():
    found = matrix([[0, 0, 0], [1, 0, 0], [0, 1, 0]], TRIANGLE, "mean-value")
    eighth = np.tan(np.pi / 8)
    np.testing.assert_allclose(
        found, [[0, 1, 1], [eighth, 0, eighth / np.sqrt(2)], [eighth, eighth / np.sqrt(2), 0]], atol=1e-15
    )


def test_cotangent_weights_are_negative_where_mean_value_weights_are_not():
    thin = [[0, 0, 0], [4, 0, 0], [2, 0.5, 0], [2, -0.5, 0]]
    both = np.array([[0, 1, 2], [1, 0, 3]])
    assert matrix(thin, both, "cotangent")[0, 1] < -1
    assert matrix(thin, both, "clamped")[0, 1] == weights.LEAST_COTANGENT
    assert matrix(thin, both, "mean-value")[0, 1] > 0


@pytest.mark.parametrize("kind", weights.WEIGHTS)
def test_weights_of_triangles_without_area_are_finite(kind):
    line = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [2, 0, 0]]
    found = matrix(line, np.array([[0, 1, 2], [0, 2, 3]]), kind)
    assert np.isfinite(found).all()
    nothing = matrix([[1, 1, 1]] * 3, TRIANGLE, kind)
    assert np.isfinite(nothing).all()
    assert (nothing >= 0).all()


def test_mollified_leaves_proper_triangles_alone():
    proper = np.array([[3.0, 4.0, 5.0], [1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(weights.mollified(proper), proper)
    flat = weights.mollified(np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]]))
    assert (flat.sum(axis=1) - 2 * flat.max(axis=1) > 0).all()


def test_weights_do_not_depend_on_the_unit():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, 3))
    for kind, power in (("cotangent", 0), ("mean-value", -1)):
        one, thousand = (matrix((scale * points).tolist(), TRIANGLE, kind) for scale in (1, 1000))
        np.testing.assert_allclose(thousand, one * 1000.0**power, rtol=1e-12)
