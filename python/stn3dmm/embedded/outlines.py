"""The outlines of the eyes and the lips in front view."""

from __future__ import annotations

import numpy as np

from . import anatomy as at
from .proportions import mean
from .shapes import Array, bump, step

EYE_MIDDLE = (at.ENDOCANTHION + at.EXOCANTHION) / 2
EYE_HALF_WIDTH = (at.EXOCANTHION - at.ENDOCANTHION) / 2
# The outer corner stands about 2 mm above the inner one (canthal tilt near 4 degrees, Farkas 1994).
CANTHAL_RISE = 2.0
# The gap between the lips, mm from the line between them: its floor reaches so far, its walls end there; and its depth
# in the midline. The walls are steep, so their cells slide, and do not turn over, where the lips pass each other.
GAP_FLOOR, GAP_EDGE, GAP_DEPTH = 0.4, 1.15, 7.0


def brow_line(beside: Array) -> Array:
    """y of the middle of the eyebrow at |x|: it climbs to two thirds of its length and falls to its tail."""
    offset = (beside - 38) / 20
    return np.asarray(at.BROW_HEIGHT - 1.0 - 2.0 * offset**2 - 7.0 * np.maximum(offset, 0) ** 2)


def eye_outline(x: Array) -> tuple[Array, Array, Array]:
    """y of the line between the eye's corners, of the upper and of the lower lid margin at x >= 0."""
    across = np.clip((x - EYE_MIDDLE) / EYE_HALF_WIDTH, -1, 1)
    axis = at.EYE_HEIGHT - 0.6 + CANTHAL_RISE / 2 * (x - EYE_MIDDLE) / EYE_HALF_WIDTH
    # The upper lid peaks nearer to the nose, the lower lid sags towards the temple.
    upper = 0.57 * mean("eye_fissure_height") * (1 - np.abs(across) ** 2.2) * (1 - 0.16 * across)
    lower = 0.43 * mean("eye_fissure_height") * (1 - np.abs(across) ** 2.3) * (1 + 0.22 * across)
    return axis, axis + upper, axis - lower


def lip_outline(x: Array) -> tuple[Array, Array, Array]:
    """y of the line between the lips, of the upper and of the lower vermilion border at x."""
    beside = np.abs(x)
    across = np.clip(beside / at.CHEILION, 0, 1)
    peak = mean("philtrum_width") / 2
    taper = np.clip(1 - across**2, 0, 1)
    # The upper lip's tubercle dips in the middle; the corners lie a little lower than the line's crests.
    line = at.STOMION_HEIGHT - 0.5 + 1.3 * bump(beside - 0.42 * at.CHEILION, 6.0) - 1.0 * across**3
    bow = 1 - 0.15 * bump(x, 0.55 * peak) + 0.05 * bump(beside - peak, 2.5)
    upper = mean("upper_vermilion_height") * bow * taper**0.85
    lower = mean("lower_vermilion_height") * taper**0.7
    return line, line + upper, line - lower


def lip_gap(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """The gap between the lips: y over the line between them, 1 on its floor to 0 on the lips, how open it is at x.

    It is as open as the lips can part: 1 in the midline, 0 at the corners of the mouth.
    """
    over = y - lip_outline(x)[0]
    inside = 1 - step(np.abs(over), GAP_FLOOR, GAP_EDGE)
    return over, np.asarray(inside), np.asarray(np.clip(1 - (x / at.CHEILION) ** 2, 0, 1))
