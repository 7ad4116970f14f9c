"""Weights of the edges for Tutte embeddings, from the lengths of the triangles' sides alone."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse

from .topology import Floats, Indices

Weights = Literal["cotangent", "mean-value", "clamped"]
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
SLACK = 1e-5  # of the mean length, by which two sides of a triangle must exceed the third
LEAST_COTANGENT = 0.01  # of clamped weights; an edge between equilateral triangles has 0.58


def side_lengths(vertices: Floats, triangles: Indices) -> Floats:
    """The lengths (F, 3); entry k is that of the side opposite corner k."""
    corner = vertices[triangles]
    difference = np.roll(corner, -1, axis=1) - np.roll(corner, 1, axis=1)
    return np.asarray(np.linalg.norm(difference, axis=2), dtype=np.float64)


def mollified(lengths: Floats) -> Floats:
    """Lengths (F, 3) with as much added to every one as makes all triangles proper.

    Triangles without area have no angles; this gives them some and hardly changes the others (intrinsic
    mollification, Sharp and Crane, "A Laplacian for nonmanifold triangle meshes", SGP 2020).
    """
    scale = lengths.mean() or 1.0
    lack = SLACK * scale - (lengths.sum(axis=1, keepdims=True) - 2 * lengths)
    return np.asarray(lengths + max(float(lack.max(initial=0)), 0.0), dtype=np.float64)


def weight_matrix(lengths: Floats, triangles: Indices, vertex_count: int, kind: Weights) -> Any:
    """The weights (V, V) as scipy.sparse array; row i holds those with which its neighbours pull vertex i.

    ``cotangent`` (Pinkall and Polthier 1993): half the cotangents of the two angles that face the edge; the most
    conformal, negative where these exceed 180 degrees together. ``clamped``: the same, at least 0.01.
    ``mean-value`` (Floater 2003): always positive, which with a convex boundary forbids flips; not symmetric.
    """
    sides = mollified(lengths)
    half = sides.sum(axis=1, keepdims=True) / 2
    area = np.sqrt(half[:, 0] * (half - sides).prod(axis=1))[:, None]
    i, j, k = (np.roll(triangles, -turn, axis=1) for turn in range(3))  # each corner, the next, the last
    if kind == "mean-value":
        tangent = area / (half * (half - sides))  # of half the angle at each corner
        to_j, to_k = tangent / np.roll(sides, 1, axis=1), tangent / np.roll(sides, -1, axis=1)
        entries = ((i, j, to_j), (i, k, to_k))
    else:
        squares = sides**2
        cotangent = (squares.sum(axis=1, keepdims=True) - 2 * squares) / (8 * area)
        entries = ((j, k, cotangent), (k, j, cotangent))
    row, column, value = (np.concatenate([entry[part].ravel() for entry in entries]) for part in range(3))
    matrix = scipy.sparse.coo_array((value, (row, column)), shape=(vertex_count, vertex_count)).tocsr()
    if kind == "clamped":
        matrix.data = np.maximum(matrix.data, LEAST_COTANGENT)
    return matrix
