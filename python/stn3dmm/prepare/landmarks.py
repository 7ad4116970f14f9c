"""Landmarks of a mesh as vertices of the grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .topology import Floats, Indices

ROUNDING = 1e-6  # of the square: so far outside it, a vertex still lies on its border


def nearest_grid_vertices(
    landmarks: Indices,
    vertices: Floats,
    uv: Floats,
    grid: Floats,
    valid: npt.NDArray[np.bool_],
    grid_shape: tuple[int, int],
) -> tuple[Indices, Floats]:
    """The grid vertex nearest each landmark, of the corners of the grid cell that it lies in; valid ones go first.

    Args:
        landmarks: (L,) vertices of the mesh, -1 = none.
        vertices: (V, 3) mm.
        uv: (at least V, 2); NaN for vertices that are not in the map; these have no landmark, and
            neither have those outside the unit square.
        grid: (P Q, 3) mm.
        valid: (P Q,).
        grid_shape: (P, Q).

    Returns:
        Grid vertices (L,), -1 = none, and how far they are (L,) in mm, NaN = none. The lowest of equals.
    """
    P, Q = grid_shape
    chosen, distance = np.full(len(landmarks), -1), np.full(len(landmarks), np.nan)
    known = np.flatnonzero(landmarks >= 0)
    place = uv[landmarks[known]]
    known = known[((place >= -ROUNDING) & (place <= 1 + ROUNDING)).all(axis=1)]
    if len(known) == 0:
        return chosen, distance
    u, v = uv[landmarks[known]].T
    left = np.clip(np.floor(u * (Q - 1)), 0, Q - 2).astype(np.int64)
    upper = np.clip(np.floor((1 - v) * (P - 1)), 0, P - 2).astype(np.int64)
    corner = (upper * Q + left)[:, None] + np.array([0, 1, Q, Q + 1])
    far = np.linalg.norm(grid[corner] - vertices[landmarks[known], None], axis=2)
    best = np.argmin(np.where(valid[corner], far, far + far.max(initial=0) + 1), axis=1)
    rows = np.arange(len(known))
    chosen[known], distance[known] = corner[rows, best], far[rows, best]
    return chosen, distance
