"""Point location is exact and resampling is linear: against fractions, by hand, at every tie."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stn3dmm.prepare import flatten, resample, resample_attributes
from stn3dmm.prepare.distortion import signed_areas

from .mesh_cases import discs, dome, lattice

WHOLE = st.integers(-(2**52), 2**52)


def lattice_uv(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    vertices, triangles = lattice(rows, columns)
    return (vertices[:, :2] + 1) / 2, triangles


def grid_uv(P: int, Q: int) -> np.ndarray:
    row, column = np.divmod(np.arange(P * Q), Q)
    return np.stack([column / (Q - 1), 1 - row / (P - 1)], axis=1)


@given(WHOLE, WHOLE, WHOLE, WHOLE)
def test_cross_has_the_exact_sign(ax, ay, bx, by):
    found = resample._cross(*(np.array([n]) for n in (ax, ay, bx, by)))[0]
    exact = ax * by - ay * bx
    assert np.sign(found) == np.sign(exact)
    assert abs(Fraction(found) - exact) <= abs(exact) * Fraction(1, 2**52)


@given(st.integers(-(2**25), 2**25), st.integers(2**51, 2**52), st.integers(-1, 1))
def test_cross_of_nearly_parallel_vectors_is_exact(n, length, offset):
    ax, ay = length, length - 1
    bx, by = 2 * n + length, 2 * n + length - 1 + offset
    found = resample._cross(*(np.array([n]) for n in (ax, ay, bx, by)))[0]
    assert np.sign(found) == np.sign(ax * by - ay * bx)


def test_resample_by_hand():
    # The lower left half of the square alone; 3 x 3 grid.
    values = np.array([[0.0, 10.0], [4.0, 10.0], [0.0, 30.0]])
    found = resample_attributes(values, [[0, 1, 2]], [[0, 0], [1, 0], [0, 1]], (3, 3))
    nan = np.nan
    np.testing.assert_array_equal(found[:, 0].reshape(3, 3), [[0, nan, nan], [0, 2, nan], [0, 2, 4]])
    np.testing.assert_array_equal(found[:, 1].reshape(3, 3), [[30, nan, nan], [20, 20, nan], [10, 10, 10]])


@given(discs(), st.integers(2, 40), st.integers(2, 40))
def test_resample_reproduces_linear_functions_and_covers_the_square(mesh, P, Q):
    vertices, triangles = mesh
    flat = flatten(vertices, triangles, "mean-value")
    if len(flat.loops[0]) == 3:
        return  # a lone triangle takes three of the four corners
    linear = np.array([[3.0, -1.0], [0.5, 2.0]])
    values = flat.uv @ linear + (1, -4)
    found = resample_attributes(values, flat.refinement.triangles, flat.uv, (P, Q))
    np.testing.assert_allclose(found, grid_uv(P, Q) @ linear + (1, -4), atol=1e-11)
    assert resample.locate(flat.refinement.triangles, flat.uv, (P, Q)).overlaps == 0


@pytest.mark.parametrize("grid_shape", [(5, 7), (9, 13), (4, 3), (33, 25)])
def test_resample_on_lattice_points_is_exact(grid_shape):
    # Grid vertices on edges and corners of triangles, throughout.
    uv, triangles = lattice_uv(5, 7)
    found = resample_attributes(uv, triangles, uv, grid_shape)
    np.testing.assert_allclose(found, grid_uv(*grid_shape), atol=1e-15)


def test_locate_gives_ties_to_the_first_triangle():
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    assert resample.locate(triangles, uv, (2, 2)).triangle.tolist() == [1, 0, 0, 0]
    assert resample.locate(triangles[::-1], uv, (2, 2)).triangle.tolist() == [0, 0, 0, 1]
    assert resample.locate(triangles, uv, (2, 2), np.array([1, 0])).triangle.tolist() == [1, 1, 1, 0]


def test_locate_counts_folds_and_prefers_triangles_that_are_not_flipped():
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.25, 0.5]], dtype=float)
    upright = np.array([[0, 1, 2], [0, 2, 3]])
    folded = np.array([[0, 2, 1], [0, 1, 2], [0, 2, 3]])  # the first is flipped
    expected = resample.locate(upright, uv, (5, 5))
    found = resample.locate(folded, uv, (5, 5))
    np.testing.assert_array_equal(found.triangle, expected.triangle + 1)
    np.testing.assert_array_equal(found.barycentric, expected.barycentric)
    assert expected.overlaps == 0
    assert found.overlaps == 3  # inside the doubled half of a 5 x 5 grid


def test_locate_skips_triangles_without_area_and_without_place():
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5], [np.nan, 0]])
    triangles = np.array([[0, 4, 2], [0, 1, 5], [0, 1, 2], [0, 2, 3]])
    assert set(resample.locate(triangles, uv, (4, 4)).triangle.tolist()) == {2, 3}
    nowhere = resample.locate(triangles[1:2], uv, (4, 4))
    assert (nowhere.triangle == -1).all()
    assert not nowhere.barycentric.any()


def test_locate_of_maps_beyond_the_square():
    uv = np.array([[-1e6, -1e6], [1e6, -1e6], [0, 1e6]])
    found = resample.locate(np.array([[0, 1, 2]]), uv, (6, 5))
    assert (found.triangle == 0).all()
    np.testing.assert_allclose(found.barycentric @ uv, grid_uv(6, 5), atol=1e-8)


def test_barycentrics_are_never_negative_and_sum_to_one():
    vertices, triangles = dome()
    flat = flatten(vertices, triangles)
    found = resample.locate(flat.refinement.triangles, flat.uv, (224, 224))
    assert (found.barycentric >= 0).all()
    np.testing.assert_allclose(found.barycentric.sum(axis=1), 1, atol=1e-15)


def test_resample_keeps_what_is_not_finite_where_it_is():
    uv, triangles = lattice_uv(3, 3)
    values = np.ones((9, 1))
    values[0] = np.nan
    found = resample_attributes(values, triangles, uv, (3, 3))
    assert np.isnan(found[0, 0])
    assert np.isfinite(found[8, 0])


def test_matrix_is_the_same_as_resampling():
    vertices, triangles = dome()
    flat = flatten(vertices, triangles)
    mesh = flat.refinement
    found = resample.locate(mesh.triangles, flat.uv, (20, 30))
    values = mesh.lift @ vertices
    np.testing.assert_allclose(
        found.matrix(mesh.triangles, mesh.vertex_count) @ values,
        resample_attributes(values, mesh.triangles, flat.uv, (20, 30)),
        atol=1e-14,
    )


def test_resample_leaves_holes_open():
    vertices, triangles = dome()
    flat = flatten(vertices, triangles)
    found = resample_attributes(vertices, triangles, flat.uv[: len(vertices)], (64, 64))
    open_area = signed_areas(flat.uv, flat.refinement.triangles[flat.refinement.filled]).sum()
    assert np.isnan(found[:, 0]).mean() == pytest.approx(open_area, rel=0.2)


def test_resample_in_parts_is_the_same(monkeypatch):
    uv, triangles = lattice_uv(5, 7)
    whole = resample_attributes(uv, triangles, uv, (20, 20))
    monkeypatch.setattr(resample, "CANDIDATES", 17)
    np.testing.assert_array_equal(resample_attributes(uv, triangles, uv, (20, 20)), whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.ones(9)}, r"values must be \(V, A\); got \(9,\)"),
        ({"uv": np.ones((8, 2))}, r"uv must be \(9, 2\), one a row of values; got \(8, 2\)"),
        ({"triangles": np.ones((2, 4), dtype=int)}, r"triangles must be \(F, 3\) integers; got \(2, 4\)"),
        ({"triangles": np.ones((2, 3))}, r"got \(2, 3\) float64"),
        ({"triangles": np.array([[0, 1, 9]])}, r"must index the vertices 0\.\.8; got 0\.\.9"),
        ({"grid_shape": (1, 5)}, "at least 2 rows and 2 columns; got 1 x 5"),
    ],
)
def test_resample_rejects(change, message):
    uv, triangles = lattice_uv(3, 3)
    arguments = {"values": uv, "triangles": triangles, "uv": uv, "grid_shape": (4, 4), **change}
    with pytest.raises(ValueError, match=message):
        resample_attributes(**arguments)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"values": [[1j], [0], [0]]}, TypeError, "values must be real numbers; got"),
        ({"values": [["1"], ["2"], ["3"]]}, TypeError, "values must be real numbers; got"),
        ({"values": [[1.0], [1.0, 2.0], [0.0]]}, ValueError, "values must be numbers in rows of one length"),
        ({"uv": [[0, 0], [1j, 0], [0, 1]]}, TypeError, "uv must be real numbers; got"),
        ({"uv": [["0", "0"]] * 3}, TypeError, "uv must be real numbers; got"),
        ({"triangles": [[0.0, 1.5, 2.0]]}, (TypeError, ValueError), r"triangles must be \(F, 3\) integers; got"),
        ({"triangles": [[0, 1, 2], [0]]}, ValueError, "triangles must be numbers in rows of one length"),
        ({"grid_shape": 5}, TypeError, r"grid_shape must be two integers, \(rows, columns\); got 5"),
        ({"grid_shape": (2.7, 3)}, TypeError, r"grid_shape must be two integers, \(rows, columns\); got \(2.7, 3\)"),
        ({"grid_shape": "33"}, TypeError, "grid_shape must be two integers"),
        ({"grid_shape": (3,)}, ValueError, r"grid_shape must be two integers, \(rows, columns\); got \(3,\)"),
        ({"grid_shape": (3, 3, 3)}, ValueError, "grid_shape must be two integers"),
    ],
)
def test_resample_attributes_says_what_is_wrong(change, error, message):
    arguments = {"values": [[1.0], [2.0], [3.0]], "triangles": [[0, 1, 2]], "uv": [[0, 0], [1, 0], [0, 1]]}
    with pytest.raises(error, match=message):
        resample.resample_attributes(**{**arguments, "grid_shape": (3, 3), **change})
