"""Values of a flattened mesh at the vertices of a regular grid: exact, deterministic point location and barycentrics.

Corners are rounded to a fixed fraction of a grid cell, so fine that float64 holds them exactly, and the sides of
triangles are then compared in integers: a grid vertex on an edge or a corner lies in all triangles that touch it there,
none falls between two, and the answer is the same on every machine.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from stn3dmm.arguments import array, real_tensor

from .topology import Floats, Indices

COORDINATE_BITS = 51  # of a corner's integer coordinates; differences have one more
HALF_BITS = 26  # each is cut into two halves whose products, four of them summed, fit 64 bits
CANDIDATES = 2_000_000  # pairs of a grid vertex and a triangle looked at together: bounds the memory


@dataclasses.dataclass(frozen=True, eq=False)
class Location:
    """Where the vertices of a P x Q grid lie in a flattened mesh."""

    triangle: Indices  # (P Q,) -1 = in none
    barycentric: Floats  # (P Q, 3) none negative, summing to 1; 0 in no triangle
    overlaps: int  # grid vertices inside more than one triangle: the map folds there

    def matrix(self, triangles: Indices, vertex_count: int) -> Any:
        """The scipy.sparse array (P Q, V) that takes values of vertices to the grid; rows of no triangle are 0."""
        found = np.flatnonzero(self.triangle >= 0)
        entries = (self.barycentric[found].ravel(), (np.repeat(found, 3), triangles[self.triangle[found]].ravel()))
        return scipy.sparse.csr_array(entries, shape=(len(self.triangle), vertex_count))


def checked_grid(grid_shape: tuple[int, int]) -> tuple[int, int]:
    """The grid's rows and columns, if there are at least two of each.

    Raises:
        ValueError: fewer.
        TypeError: what are no integers.
    """
    wanted = f"grid_shape must be two integers, (rows, columns); got {grid_shape!r}."
    try:
        sizes = [operator.index(size) for size in grid_shape]
    except TypeError:
        raise TypeError(wanted) from None
    if len(sizes) != 2:
        raise ValueError(wanted)
    P, Q = sizes
    if P < 2 or Q < 2:
        raise ValueError(f"grid_shape must have at least 2 rows and 2 columns; got {P} x {Q}.")
    return P, Q


def resample_attributes(
    values: npt.ArrayLike, triangles: npt.ArrayLike, uv: npt.ArrayLike, grid_shape: tuple[int, int]
) -> Floats:
    """Values of mesh vertices, interpolated linearly over the triangles of a UV map at the vertices of a grid.

    Convention:
        Grid vertex k = row * Q + column; column = u (Q - 1), row = (1 - v) (P - 1).

    Args:
        values: (V, A) real numbers.
        triangles: (F, 3) integers; where several hold a grid vertex, the first of those that are not flipped counts.
        uv: (V, 2) u to the image's right, v up; triangles with a corner that is not finite cover nothing.
        grid_shape: (P, Q), at least 2 x 2.

    Returns:
        (P Q, A) float64, NaN where the map covers nothing.

    Raises:
        ValueError: shapes that disagree, indices out of range.
        TypeError: values or coordinates that are no real numbers, a grid_shape of no integers.

    Deterministic, bit for bit.

    Source: the resampled model of arXiv:1708.07199; docs/math.md#flattening.

    Example:
        >>> corners = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
        >>> resample_attributes(corners, [[0, 1, 2], [0, 2, 3]], corners, (2, 3))[:, 0].tolist()
        [0.0, 0.5, 1.0, 0.0, 0.5, 1.0]
    """
    attributes, place = _real_array("values", values), _real_array("uv", uv)
    corners = array("resample_attributes", "triangles", triangles)
    if attributes.ndim != 2:
        raise ValueError(f"resample_attributes: values must be (V, A); got {attributes.shape}. Add an axis to (V,).")
    if place.shape != (len(attributes), 2):
        raise ValueError(
            f"resample_attributes: uv must be ({len(attributes)}, 2), one a row of values; got {place.shape}."
        )
    location = locate(corners, place, grid_shape)
    # Selected rows, not a matrix product: a value that is not finite must not spread to other triangles' vertices.
    sampled = np.full((len(location.triangle), attributes.shape[1]), np.nan)
    found = np.flatnonzero(location.triangle >= 0)
    corner = corners[location.triangle[found]]
    sampled[found] = sum(location.barycentric[found, k, None] * attributes[corner[:, k]] for k in range(3))
    return sampled


def _real_array(name: str, values: npt.ArrayLike) -> Floats:
    tensor = real_tensor("resample_attributes", name, values)
    return np.asarray(tensor.detach().cpu().double().numpy(), dtype=np.float64)


def locate(triangles: Indices, uv: Floats, grid_shape: tuple[int, int], rank: Indices | None = None) -> Location:
    """Which triangle (F, 3) of a map (V, 2) holds each grid vertex, and where in it.

    Where there are several, one that is not flipped goes first, then the lowest ``rank`` (F,), then the first.

    Raises:
        ValueError: triangles that are not (F, 3) or index no row of ``uv``.
    """
    P, Q = checked_grid(grid_shape)
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise ValueError(f"locate: triangles must be (F, 3) integers; got {triangles.shape} {triangles.dtype}.")
    if triangles.size and (triangles.min() < 0 or triangles.max() >= len(uv)):
        raise ValueError(
            f"locate: triangles must index the vertices 0..{len(uv) - 1}; got {triangles.min()}..{triangles.max()}."
        )
    place = np.stack([uv[:, 0] * (Q - 1), (1 - uv[:, 1]) * (P - 1)], axis=1)
    triangle, barycentric = np.full(P * Q, -1), np.zeros((P * Q, 3))
    covered = np.zeros(P * Q, dtype=np.int64)
    usable = np.flatnonzero(np.isfinite(place[triangles]).all(axis=(1, 2)))
    if len(usable) == 0:
        return Location(triangle, barycentric, 0)
    extent = max(P, Q, float(np.abs(place[triangles[usable]]).max()) + 1)
    scale = 2.0 ** (COORDINATE_BITS - np.ceil(np.log2(extent)))
    fixed = np.zeros(place.shape, dtype=np.int64)
    touched = np.unique(triangles[usable])
    fixed[touched] = np.rint(place[touched] * scale)
    x, y = fixed[triangles, 0], fixed[triangles, 1]
    # Rows run down: a triangle that keeps its winding has a negative area here.
    area = -_cross(x[:, 1] - x[:, 0], y[:, 1] - y[:, 0], x[:, 2] - x[:, 0], y[:, 2] - y[:, 0])
    usable = usable[area[usable] != 0]
    order = np.lexsort((usable, np.zeros_like(usable) if rank is None else rank[usable], area[usable] < 0))
    best = np.full(P * Q, len(order))  # place in the order of the triangle found so far
    # The boxes have room for the rounding of their corners.
    for first, column, row in _candidates(place[triangles[usable[order]]], (P, Q), 1 / scale):
        among = usable[order[first]]
        px, py = (column * scale).astype(np.int64)[:, None], (row * scale).astype(np.int64)[:, None]
        dx, dy = x[among] - px, y[among] - py
        across = -_cross(np.roll(dx, -1, 1), np.roll(dy, -1, 1), np.roll(dx, 1, 1), np.roll(dy, 1, 1))
        across *= np.sign(area[among])[:, None]
        inside = (across >= 0).all(axis=1)
        point = row[inside] * Q + column[inside]
        covered += np.bincount(point[(across[inside] > 0).all(axis=1)], minlength=P * Q)
        np.minimum.at(best, point, first[inside])
        won = best[point] == first[inside]
        barycentric[point[won]] = across[inside][won] / across[inside][won].sum(axis=1, keepdims=True)
    found = best < len(order)
    triangle[found] = usable[order[best[found]]]
    return Location(triangle, barycentric, int((covered > 1).sum()))


def _candidates(
    corner: Floats, grid_shape: tuple[int, int], margin: float
) -> Iterator[tuple[Indices, Indices, Indices]]:
    """Triangle (its place in (T, 3, 2) corners), column and row of all grid vertices in triangles' boxes, in parts."""
    limit = np.array([grid_shape[1] - 1, grid_shape[0] - 1])
    low = np.ceil(np.clip(corner.min(axis=1) - margin, 0, limit + 1)).astype(np.int64)
    high = np.floor(np.clip(corner.max(axis=1) + margin, -1, limit)).astype(np.int64)
    wide, tall = np.maximum(high - low + 1, 0).T
    total = np.concatenate([[0], np.cumsum(wide * tall)])
    for start in range(0, int(total[-1]), CANDIDATES):
        count = np.arange(start, min(start + CANDIDATES, int(total[-1])))
        first = np.searchsorted(total, count, side="right") - 1
        within = count - total[first]
        yield first, low[first, 0] + within % wide[first], low[first, 1] + within // wide[first]


def _cross(ax: Indices, ay: Indices, bx: Indices, by: Indices) -> Floats:
    """ax by - ay bx of integers up to 2 ** 52, as float64: rounded once, its sign exact."""
    mask = (1 << HALF_BITS) - 1
    (ah, al), (bh, bl), (ch, cl), (dh, dl) = ((n >> HALF_BITS, n & mask) for n in (ax, ay, bx, by))
    high = ah * dh - bh * ch
    middle = ah * dl + al * dh - bh * cl - bl * ch
    low = al * dl - bl * cl
    middle += low >> HALF_BITS
    high += middle >> HALF_BITS
    rest = ((middle & mask) << HALF_BITS) + (low & mask)
    return np.asarray(high * 2.0 ** (2 * HALF_BITS) + rest, dtype=np.float64)
