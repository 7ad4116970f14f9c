"""The elementary functions that the surface and its modes are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def bump(distance: npt.ArrayLike, width: float | Array) -> Any:
    """A Gaussian of height 1 and standard deviation ``width``."""
    return np.exp(-0.5 * (np.asarray(distance) / width) ** 2)


def step(x: npt.ArrayLike, start: float | Array, end: float | Array) -> Any:
    """A smooth step: 0 before ``start``, 1 after ``end`` (start > end falls)."""
    t = np.clip((np.asarray(x) - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def smooth_maximum(a: Array, b: Array, blend: float | Array) -> Array:
    """The larger of two heights, rounded where they differ by less than ``blend``."""
    overlap = np.maximum(0.0, 1 - np.abs(a - b) / blend)
    return np.asarray(np.maximum(a, b) + 0.25 * blend * overlap**2)


def dome(radius: Array) -> Array:
    """The unit hemisphere over the unit disc, continued outside by its tangent cone."""
    rim = 0.93
    height = np.sqrt(1 - rim**2)
    inside = np.sqrt(1 - np.minimum(radius, rim) ** 2)
    return np.asarray(np.where(radius < rim, inside, height - rim / height * (radius - rim)))


def ellipsoid(x: Array, y: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    """z of the front of an ellipsoid over (x, y), steep and finite outside it."""
    radius = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
    return np.asarray(centre[2] + radii[2] * dome(radius))
