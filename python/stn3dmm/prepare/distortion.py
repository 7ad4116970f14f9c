"""How a flattening treats triangles: flips, stretched angles, shares of area."""

from __future__ import annotations

import dataclasses

import numpy as np

from .topology import Floats, Indices, triangle_areas

FLIPPED = -1e-12  # of the square's area; rounding alone stays above
PERCENTILES = (5, 50, 95)


@dataclasses.dataclass(frozen=True)
class Distortion:
    """What a flattening does to the triangles of a surface."""

    triangles: int
    flipped: int  # triangles with a signed area below -1e-12
    least_area: float  # signed, the square being 1
    # At the 5th, 50th and 95th percentile of the surface's area:
    angle: tuple[float, float, float]  # the larger stretch divided by the smaller; 1 keeps angles
    area: tuple[float, float, float]  # share of the map's area divided by the share of the surface's; 1 keeps areas


def signed_areas(uv: Floats, triangles: Indices) -> Floats:
    """The areas (F,) of triangles in the map (V, 2), negative where they are flipped."""
    a, b, c = (uv[triangles[:, k]] for k in range(3))
    along, across = b - a, c - a
    return np.asarray((along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]) / 2, dtype=np.float64)


def flipped(uv: Floats, triangles: Indices) -> int:
    """How many triangles a map (V, 2) flips, or leaves nowhere (NaN)."""
    return int((~(signed_areas(uv, triangles) >= FLIPPED)).sum())


def distortion(vertices: Floats, triangles: Indices, uv: Floats) -> Distortion:
    """Measures the map (V, 2) of a surface, vertices (V, 3) and triangles (F, 3)."""
    signed, area = signed_areas(uv, triangles), triangle_areas(vertices, triangles)
    proper = (area > 0) & (signed != 0)
    weight = area[proper]
    share = np.abs(signed[proper]) / weight * (weight.sum() / np.abs(signed[proper]).sum()) if proper.any() else weight
    return Distortion(
        triangles=len(triangles),
        flipped=flipped(uv, triangles),
        least_area=float(signed.min()),
        angle=_percentiles(stretches(vertices, triangles[proper], uv), weight),
        area=_percentiles(share, weight),
    )


def stretches(vertices: Floats, triangles: Indices, uv: Floats) -> Floats:
    """The larger principal stretch divided by the smaller (F,), each triangle with area in space and in the map."""
    origin = triangles[:, :1]
    along, across = np.moveaxis(vertices[triangles[:, 1:]] - vertices[origin], 1, 0)
    # The surface's metric and the map's, in the coordinates of the triangle's two sides.
    space = _metric(along, across)
    plane = _metric(*np.moveaxis(uv[triangles[:, 1:]] - uv[origin], 1, 0))
    ratio = np.linalg.solve(space, plane)
    trace, determinant = np.trace(ratio, axis1=1, axis2=2), np.linalg.det(ratio)
    larger = trace / 2 + np.sqrt(np.maximum(trace**2 / 4 - determinant, 0))
    return np.asarray(larger / np.sqrt(np.maximum(determinant, np.finfo(float).tiny)), dtype=np.float64)


def _metric(along: Floats, across: Floats) -> Floats:
    entries = [(along * along).sum(1), (along * across).sum(1), (along * across).sum(1), (across * across).sum(1)]
    return np.stack(entries, axis=1).reshape(-1, 2, 2)


def _percentiles(value: Floats, weight: Floats) -> tuple[float, float, float]:
    """The weighted percentiles, lower ones; NaN of nothing."""
    if len(value) == 0:
        return (np.nan, np.nan, np.nan)
    order = np.argsort(value, kind="stable")
    reached = np.cumsum(weight[order])
    at = np.searchsorted(reached, np.array(PERCENTILES) / 100 * reached[-1])
    low, middle, high = value[order][np.minimum(at, len(value) - 1)]
    return (float(low), float(middle), float(high))


def slope(position: Floats, coordinate: Floats, vertices: Floats, triangles: Indices) -> float:
    """Whether a coordinate (V,) rises with a position (V,) over a surface: its covariance, weighted by area."""
    weight = triangle_areas(vertices, triangles)
    weight = weight / (weight.sum() or 1.0)
    p, c = position[triangles].mean(axis=1), coordinate[triangles].mean(axis=1)
    return float(weight @ ((p - weight @ p) * (c - weight @ c)))
