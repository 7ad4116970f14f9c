"""Displacement fields that the modes are written in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import anatomy as at
from .outlines import eye_outline, lip_gap, lip_outline
from .proportions import mean
from .shapes import Array, bump, step
from .surface import FaceSurface


def move(face: FaceSurface, x: npt.ArrayLike = 0.0, y: npt.ArrayLike = 0.0, z: npt.ArrayLike = 0.0) -> Array:
    """The field (P, Q, 3) with these components, each (P, Q) or a number."""
    return np.stack([np.broadcast_to(np.asarray(c, dtype=float), face.x.shape) for c in (x, y, z)], axis=-1)


def outward(face: FaceSurface, scale: float) -> Array:
    """x / scale: a sideways unit at |x| = scale, odd and smooth in the midline."""
    return np.asarray(face.x / scale)


def side(face: FaceSurface, blend: float = 4.0) -> Array:
    """-1 on the image's left, 1 on its right, smooth across the midline (blend, mm)."""
    return np.asarray(np.tanh(face.x / blend))


def near(face: FaceSurface, x: float, y: float, width: float, height: float) -> Array:
    """A Gaussian window around (|x|, y), on both sides of the face."""
    beside = np.abs(face.x)
    # Both sides' Gaussians everywhere, so that the window is smooth in the midline.
    across = bump(beside - x, width) + (bump(beside + x, width) if x > 0 else 0.0)
    return np.asarray(across * bump(face.y - y, height))


def front(face: FaceSurface) -> Array:
    """1 on the front of the face, 0 from the ears back."""
    return np.asarray(step(np.abs(face.psi), 1.45, 1.0))


def _soft_jaw(face: FaceSurface) -> Array:
    beside = np.abs(face.x)
    line = lip_outline(face.x)[0] + 0.45 * np.maximum(beside - at.CHEILION, 0.0)
    blur = 18.0 + 9.0 * step(beside, 0.78 * at.CHEILION, 1.9 * at.CHEILION)
    return np.asarray(step(line - face.y, -blur, blur))


def below_mouth(face: FaceSurface) -> Array:
    """1 on the lower lip, the chin and the mandible, 0 above.

    Between the lips it falls along the walls of the gap, which run into the mouth: what slides along them does not
    turn them over. Towards the corners, where the lips cannot part, it becomes soft.
    """
    over, inside, parting = lip_gap(face.x, face.y)
    sharp = np.where(over > 0, 0.5 * inside, 1 - 0.5 * inside)
    return np.asarray(parting * sharp + (1 - parting) * _soft_jaw(face))


def lips(face: FaceSurface) -> tuple[Array, Array]:
    """Windows (upper, lower) on the two lips: 1 on the vermilion, fading into the skin and to the corners."""
    _, upper, lower = lip_outline(face.x)
    taper = np.clip(1 - (face.x / (at.CHEILION + 4)) ** 2, 0, 1)
    lower_part = below_mouth(face)
    above = step(face.y - upper, 12.0, 0.0) * (1 - lower_part) * taper
    below = step(lower - face.y, 10.0, 0.0) * lower_part * taper
    return np.asarray(above), np.asarray(below)


def lids(face: FaceSurface) -> tuple[Array, Array]:
    """Windows (upper, lower) that are 1 on the lid margins, linear between them and fading into the skin."""
    beside = np.abs(face.x)
    _, upper, lower = eye_outline(beside)
    # In proportion to the opening, so that lids that close meet all along.
    across = (upper - lower) / mean("eye_fissure_height")
    fraction = np.clip((face.y - lower) / np.maximum(upper - lower, 1.0), 0, 1)
    above = np.where(face.y > upper, bump(np.maximum(face.y - upper, 0), 5.5), fraction)
    below = np.where(face.y < lower, bump(np.maximum(lower - face.y, 0), 4.5), 1 - fraction)
    return np.asarray(above * across), np.asarray(below * across)
