"""Continuing values over a part of a mesh: known values stay, linear ones are continued exactly, smooth ones well."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.spatial
from stn3dmm.formats.laplacian import cotangent_laplacian, extrapolate


def disc(count=800, seed=0):
    """A flat mesh of random points (V, 3) and counter-clockwise triangles, with a regular boundary."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    boundary = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    radius, turn = np.sqrt(rng.uniform(0, 0.95, count)), rng.uniform(0, 2 * np.pi, count)
    points = np.concatenate([boundary, np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=-1)])
    return np.pad(points, ((0, 0), (0, 1))), scipy.spatial.Delaunay(points).simplices.astype(np.int64)


def middle(vertices, radius=0.4):
    return np.linalg.norm(vertices[:, :2], axis=1) < radius


def test_laplacian_by_hand():
    """Two right triangles make a square: cotangents 1 at the sharp corners, 0 at the right ones."""
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    laplacian = cotangent_laplacian(vertices, np.array([[0, 1, 2], [0, 2, 3]])).toarray()
    expected = np.array([[1, -0.5, 0, -0.5], [-0.5, 1, -0.5, 0], [0, -0.5, 1, -0.5], [-0.5, 0, -0.5, 1]])
    assert laplacian == pytest.approx(expected)


def test_known_values_stay_and_linear_ones_are_continued_exactly():
    vertices, triangles = disc()
    unknown = middle(vertices)
    linear = vertices @ np.array([[2.0, -1], [0.5, 3], [0, 0]]) + 7
    given = np.where(unknown[:, None], np.nan, linear)
    filled = extrapolate(given, ~unknown, vertices, triangles)
    assert unknown.sum() > 100
    assert (filled[~unknown] == linear[~unknown]).all()
    assert filled == pytest.approx(linear, abs=1e-9)


def test_smooth_values_are_continued_well():
    """Better than by the values' mean by far, and than by a harmonic function, which flattens what bulges."""
    vertices, triangles = disc(3000)
    unknown = middle(vertices)
    bulge = np.exp(-2 * (vertices[:, :1] ** 2 + 2 * vertices[:, 1:2] ** 2))
    filled = extrapolate(np.where(unknown[:, None], 0, bulge), ~unknown, vertices, triangles)
    range_there = np.ptp(bulge[unknown])
    assert np.abs(filled - bulge).max() < 0.2 * range_there
    laplacian = cotangent_laplacian(vertices, triangles).toarray()
    harmonic = np.linalg.solve(
        laplacian[np.ix_(unknown, unknown)], -laplacian[np.ix_(unknown, ~unknown)] @ bulge[~unknown]
    )
    assert np.abs(filled - bulge)[unknown].max() < 0.5 * np.abs(harmonic - bulge[unknown]).max()


def test_nothing_unknown():
    vertices, triangles = disc(50)
    values = np.arange(len(vertices), dtype=np.float32)[:, None]
    filled = extrapolate(values, np.ones(len(vertices), dtype=bool), vertices, triangles)
    assert filled.tolist() == values.tolist()


def test_degenerate_triangles_stay_finite():
    vertices, triangles = disc()
    unknown = middle(vertices)
    vertices[np.flatnonzero(unknown)[:5]] = vertices[np.flatnonzero(unknown)[5]]
    filled = extrapolate(vertices[:, :1], ~unknown, vertices, triangles)
    assert np.isfinite(filled).all()


def test_rejects_what_cannot_be_reached():
    vertices, triangles = disc(50)
    apart = np.concatenate([vertices, vertices + 5])
    both = np.concatenate([triangles, triangles + len(vertices)])
    known = np.arange(len(apart)) < len(vertices)
    with pytest.raises(ValueError, match=f"{len(vertices)} unknown vertices hang together with no known vertex"):
        extrapolate(np.zeros((len(apart), 1)), known, apart, both)
    with pytest.raises(ValueError, match="1 unknown vertices"):  # a vertex of no triangle
        extrapolate(np.zeros((len(vertices) + 1, 1)), known[: len(vertices) + 1], apart[: len(vertices) + 1], triangles)
