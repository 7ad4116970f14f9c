"""The head without its features: plane horizontal sections, superellipses, strung along the profile.

A point is found by its section's front height h (millimetres: the height at which the section leaves the
midline) and by the polar angle psi around the head (radians: 0 in the midline, pi / 2 over the tragion):

    x = W r sin(psi)
    y = y_front + (y_side - y_front)(1 - r cos(psi))
    z = z_side + (z_front - z_side) r cos(psi)
    r = (p(sin psi) + p(cos psi))^(-1/n),  p(t) ~ |t|^n

y is linear in z before the ear, so every section is plane there; that of gnathion runs along the mandible to
gonion. Below gnathion h is only a label: the sections turn under the chin towards the neck.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from scipy.interpolate import CubicSpline

from . import anatomy as at
from .shapes import Array, smooth_maximum


@dataclasses.dataclass(frozen=True)
class Section:
    """One section of the head; the others are cubic splines between them. All in millimetres but the exponent."""

    h: float
    y_front: float
    z_front: float
    half_breadth: float
    y_side: float
    z_side: float
    exponent: float


# The profile stays behind the landmarks that nose, lips and chin reach. No measurement gives the heights of the sides
# and the exponents: they are surface anatomy, and the bitragion arcs of `proportions` check them.
SECTIONS = (
    Section(at.TRICHION_HEIGHT + 8, at.TRICHION_HEIGHT + 5, 72.0, 60.0, 93.0, 4.0, 2.15),
    Section(at.TRICHION_HEIGHT - 22, at.TRICHION_HEIGHT - 22, 93.0, 67.0, 75.0, 2.0, 2.25),
    Section(at.GLABELLA_HEIGHT + 6, at.GLABELLA_HEIGHT + 6, at.NASION_DEPTH + 2.5, 69.5, 58.0, 0.0, 2.4),
    Section(at.EYE_HEIGHT, at.EYE_HEIGHT, at.NASION_DEPTH - 4.5, 70.5, 42.0, 0.0, 2.4),
    Section(at.ORBITALE_HEIGHT, at.ORBITALE_HEIGHT, at.SUBNASALE_DEPTH - 9, at.ZYGION_HALF_BREADTH, 24.0, 0.0, 2.3),
    Section(0.0, 0.0, at.SUBNASALE_DEPTH - 3, at.TRAGION_HALF_BREADTH - 1.5, 7.0, 0.0, 2.2),
    Section(at.STOMION_HEIGHT, at.STOMION_HEIGHT, at.SUBNASALE_DEPTH - 3, 63.5, -7.0, 1.0, 2.1),
    Section(at.SUBLABIALE_HEIGHT, at.SUBLABIALE_HEIGHT, at.SUBNASALE_DEPTH - 6, 60.0, -18.0, 3.0, 2.0),
    Section(
        at.GNATHION_HEIGHT,
        at.GNATHION_HEIGHT,
        at.GNATHION_DEPTH + 2,
        at.GONION_HALF_BREADTH,
        at.GONION_HEIGHT,
        at.GONION_DEPTH,
        1.72,
    ),
    Section(at.GNATHION_HEIGHT - 16, at.GNATHION_HEIGHT - 6, at.GNATHION_DEPTH - 14, 53.0, -45.0, 3.0, 1.8),
    Section(at.GNATHION_HEIGHT - 34, at.GNATHION_HEIGHT - 12, at.GNATHION_DEPTH - 34, 50.0, -62.0, -4.0, 1.9),
)
TOP, BOTTOM = SECTIONS[0].h, SECTIONS[-1].h


@functools.cache
def _section_splines() -> CubicSpline:
    table = np.array([dataclasses.astuple(section) for section in reversed(SECTIONS)])
    return CubicSpline(table[:, 0], table[:, 1:], bc_type="natural")


def _power(t: Array, exponent: Array) -> Array:
    """|t|^exponent for |t| <= 1, rounded at 0 so that sections with an exponent below 2 have no edge there."""
    rounding = 0.02
    floor = rounding ** (exponent / 2)
    return np.asarray(((t**2 + rounding) ** (exponent / 2) - floor) / ((1 + rounding) ** (exponent / 2) - floor))


def head_surface(h: Array, psi: Array) -> Array:
    """Points (..., 3) of the featureless head; h in millimetres and psi in radians broadcast."""
    h, psi = np.broadcast_arrays(h, psi)
    y_front, z_front, half_breadth, y_side, z_side, exponent = np.moveaxis(_section_splines()(h), -1, 0)
    radius = (_power(np.sin(psi), exponent) + _power(np.cos(psi), exponent)) ** (-1 / exponent)
    forward = radius * np.cos(psi)
    # Behind the ear the sections run level, or those that rise from the chin would meet those above.
    rise = 1 - smooth_maximum(forward, np.zeros_like(forward), 0.3)
    return np.stack(
        [
            half_breadth * radius * np.sin(psi),
            y_front + (y_side - y_front) * rise,
            z_side + (z_front - z_side) * forward,
        ],
        axis=-1,
    )
