"""Continuing values over the part of a mesh where they are not known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.sparse.csgraph
import scipy.sparse.linalg

FLATTEST = 1e-8  # the least sine of a corner; a flatter corner's cotangent is cut off there


def extrapolate(
    values: npt.NDArray[np.floating],
    known: npt.NDArray[np.bool_],
    vertices: npt.NDArray[np.float64],
    triangles: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Fills in the values of unknown vertices so that the result is as smooth as the known values allow.

    It minimises |L x|^2, L the cotangent Laplacian of the mesh, over the unknown vertices; known values are kept
    exactly. This is the objective of Bas et al. 2017 (prepareExpressionBFM), who mixed the known values in as
    equations of equal weight and so moved them. A value that varies linearly over a flat mesh is continued exactly.

    Args:
        values: (V, A); rows of unknown vertices are not read.
        known: (V,).
        vertices: (V, 3), finite.
        triangles: (F, 3).

    Returns:
        (V, A) float64.

    Raises:
        ValueError: some unknown vertex hangs together with no known one.
    """
    filled = np.array(values, dtype=np.float64)
    unknown = ~known
    if not unknown.any():
        return filled
    filled[unknown] = 0
    laplacian = cotangent_laplacian(vertices, triangles)
    _check_reached(known, triangles)
    # Rows that touch no unknown vertex are constant; columns of known vertices are the right-hand side.
    columns = laplacian.tocsc()[:, unknown]
    rows = np.unique(columns.indices)
    matrix, right = columns[rows], -(laplacian[rows] @ filled)
    try:
        filled[unknown] = scipy.sparse.linalg.splu((matrix.T @ matrix).tocsc()).solve(matrix.T @ right)
    except RuntimeError as error:  # SuperLU's word for a singular matrix
        raise ValueError(f"the values cannot be continued over this mesh ({error}); repair its triangles.") from error
    return filled


def cotangent_laplacian(vertices: npt.NDArray[np.float64], triangles: npt.NDArray[np.int64]) -> scipy.sparse.csr_array:
    """(V, V): row i sums (cot a + cot b) / 2 (x_i - x_j) over the edges ij, a and b the angles opposite to it."""
    V = len(vertices)
    starts, ends, weights = [], [], []
    for corner in range(3):
        apex, start, end = (triangles[:, (corner + step) % 3] for step in range(3))
        to_start, to_end = vertices[start] - vertices[apex], vertices[end] - vertices[apex]
        lengths = np.linalg.norm(to_start, axis=1) * np.linalg.norm(to_end, axis=1)
        double_area = np.linalg.norm(np.cross(to_start, to_end), axis=1)
        least = np.maximum(FLATTEST * lengths, np.finfo(np.float64).tiny)
        weights.append((to_start * to_end).sum(axis=1) / np.maximum(double_area, least) / 2)
        starts.append(start)
        ends.append(end)
    start, end, weight = (np.concatenate(part) for part in (starts, ends, weights))
    edges = scipy.sparse.csr_array((weight, (start, end)), shape=(V, V))
    adjacency = edges + edges.T
    return scipy.sparse.csr_array(scipy.sparse.diags_array(adjacency.sum(axis=1)) - adjacency)


def _check_reached(known: npt.NDArray[np.bool_], triangles: npt.NDArray[np.int64]) -> None:
    V = len(known)
    start, end = triangles[:, [0, 1]].T, triangles[:, [1, 2]].T
    links = scipy.sparse.coo_array((np.ones(2 * len(triangles)), np.hstack([start, end])), shape=(V, V))
    _, part = scipy.sparse.csgraph.connected_components(links, directed=False)
    stranded = ~np.isin(part, part[known])
    if stranded.any():
        raise ValueError(
            f"the values cannot be continued: {stranded.sum()} unknown vertices hang together with no known vertex."
        )
