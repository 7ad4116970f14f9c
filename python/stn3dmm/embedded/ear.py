"""The outer ear: relief on the side of the head.

The auricle stands off the head by about 20 degrees, so over the side view it is a height field: a flare that
grows backwards, the helix around it, the antihelix, the hollow of the concha, the tragus before it and the lobe.
"""

from __future__ import annotations

import numpy as np

from . import anatomy as at
from .proportions import mean
from .shapes import Array, bump, step

_HALF_LENGTH, _HALF_WIDTH = mean("ear_length") / 2, mean("ear_width") / 2
# The ear reaches from the level of the brow to that of subnasale; the tragus lies at its front edge.
_CENTRE = (at.TRAGION_HEIGHT + 1.0, -0.85 * _HALF_WIDTH)  # (y, z) mm
_BACKWARD_TILT = np.radians(12.0)
_FLARE = 13.0  # mm, how far the back rim stands off the head
EAR_LOBE = (at.TRAGION_HALF_BREADTH, _CENTRE[0] - 0.9 * _HALF_LENGTH, _CENTRE[1] + 0.45 * _HALF_WIDTH)


def ear_relief(y: Array, z: Array) -> Array:
    """How far (millimetres) the ear stands off the side of the head at (y, z)."""
    sine, cosine = np.sin(_BACKWARD_TILT), np.cos(_BACKWARD_TILT)
    up, back = y - _CENTRE[0], _CENTRE[1] - z
    v = (cosine * up + sine * back) / _HALF_LENGTH
    u = (cosine * back - sine * up) / _HALF_WIDTH
    u = u / (0.72 + 0.28 * step(v, -1.0, 0.2))
    rim = np.hypot(u, v)
    # The back rim is the edge of the grid, so only the front and the ends slope down to the head.
    inside = np.maximum(step(rim, 1.12, 0.80), step(u, 0.0, 0.6) * step(np.abs(v), 1.02, 0.80))
    behind = step(u, -0.9, -0.2)
    helix = 2.6 * bump(rim - 0.92, 0.13) * np.maximum(behind, step(v, 0.1, 0.5)) * step(v, -0.75, -0.3)
    antihelix = 2.0 * bump(np.hypot(u + 0.15, v - 0.05) - 0.50, 0.14) * step(u, -0.5, 0.1)
    concha = 6.0 * bump(u + 0.35, 0.30) * bump(v + 0.05, 0.32)
    tragus = 3.0 * bump(u + 0.85, 0.16) * bump(v + 0.12, 0.18)
    flare = _FLARE * np.clip((u + 1) / 2, 0, 1)
    return np.asarray(inside * np.maximum(flare + helix + antihelix - concha, 0) + tragus)


def rear_edge(y: Array) -> Array:
    """z of the rear edge of the ear, continued straight above and below it."""
    v = (y - _CENTRE[0]) / _HALF_LENGTH
    bulge = np.sqrt(np.clip(1 - v**2, 0, 1)) * (0.72 + 0.28 * step(v, -1.0, 0.2))
    slant = np.tan(_BACKWARD_TILT) * np.clip(y - _CENTRE[0], -_HALF_LENGTH, _HALF_LENGTH)
    return np.asarray(_CENTRE[1] - _HALF_WIDTH * 0.96 * bulge - slant)
