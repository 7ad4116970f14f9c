"""Which point of the head each grid vertex is: rows and columns crowd where the face has detail.

Rows are spaced by a density along the profile and bend so that they follow the eyelids and the lips;
columns are spaced by a density in the polar angle. Both work for any grid size.
"""

from __future__ import annotations

import numpy as np

from . import anatomy as at
from .ear import rear_edge
from .head import BOTTOM, TOP, head_surface
from .outlines import EYE_HALF_WIDTH, EYE_MIDDLE, eye_outline, lip_outline
from .shapes import Array, bump, step

# The columns crowd towards the ear, from PSI_EAR on; a section's edge would lie at PSI_EDGE but for the ear's shape.
PSI_EAR, PSI_EDGE = 1.30, 1.90


def row_density(h: Array) -> Array:
    """Rows per millimetre at front height h, up to a factor."""
    density = 0.36 + 0.52 * bump(h - at.EYE_HEIGHT, 11.0) + 0.30 * bump(h - at.EYE_HEIGHT, 30.0)
    density = density + 0.70 * bump(h - at.PRONASALE_HEIGHT + 4, 9.0) + 0.75 * bump(h - at.STOMION_HEIGHT, 9.0)
    density = density + 1.5 * bump(h - at.STOMION_HEIGHT, 1.3)  # the walls between the lips
    return np.asarray(density * (1 - 0.45 * step(h, at.GNATHION_HEIGHT, BOTTOM)))


def column_density(psi: Array) -> Array:
    """Columns per radian at polar angle psi >= 0, up to a factor."""
    return np.asarray(0.30 + 0.70 * (1 - step(psi, 0.45, 1.15)) + 0.42 * step(psi, 1.35, 1.55))


def spaced(start: float, end: float, fractions: Array, density: Array) -> Array:
    """Positions from start to end at these fractions (0..1) of the integral of a sampled density."""
    sample = np.linspace(start, end, len(density))
    total = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return np.asarray(np.interp(fractions * total[-1], total, sample))


def row_heights(P: int) -> Array:
    """Front heights (P,) of the rows, from the forehead down, millimetres."""
    density = row_density(np.linspace(TOP, BOTTOM, 4001))
    return spaced(TOP, BOTTOM, np.linspace(0, 1, P), density)


def column_angles(Q: int) -> Array:
    """Polar angles (Q,) of the columns, exactly antisymmetric, radians."""
    density = column_density(np.linspace(0, PSI_EDGE, 4001))
    half = spaced(0.0, PSI_EDGE, np.linspace(-1, 1, Q)[(Q + 1) // 2 :], density)
    middle = [0.0] * (Q % 2)
    return np.concatenate([-half[::-1], middle, half])


def squeeze(offset: Array, above: float, below: float, ratio: Array) -> Array:
    """Offsets from a fold line, scaled by ``ratio`` between -below and above, catching up outside (monotone)."""
    reach = np.where(offset > 0, above, below)
    size = np.abs(offset)
    beyond = np.maximum(size - reach, 0.0)
    squeezed = np.minimum(size, reach) * ratio + beyond + reach * (1 - ratio) * (1 - np.exp(-beyond / (1.6 * reach)))
    return np.asarray(np.sign(offset) * squeezed)


def opening(across: Array, fade: float) -> Array:
    """How far apart two outlines that meet at |across| = 1 keep the rows between them: 1 is undisturbed.

    The rows keep half of their distance at the corners, so that no mode folds the cells there.
    """
    beyond = np.maximum(across - 1, 0.0)
    return np.asarray(0.5 + 0.5 * np.where(across < 1, np.clip(1 - across**2, 0, 1) ** 0.75, 1 - bump(beyond, fade)))


def follow(x: Array, y: Array) -> Array:
    """Heights of the rows after they are bent along the eyelids and the lips."""
    beside = np.abs(x)
    axis, upper, lower = (float(edge) for edge in eye_outline(np.array(EYE_MIDDLE)))
    eye = opening(np.abs(beside - EYE_MIDDLE) / EYE_HALF_WIDTH, 0.4)
    y = axis + squeeze(y - axis, upper - axis, axis - lower, eye)
    fade = bump(np.maximum(beside - at.EXOCANTHION, 0), 8.0)
    y = y + (eye_outline(beside)[0] - axis) * bump(y - axis, 6.0) * fade
    line, upper, lower = (float(edge) for edge in lip_outline(np.array(0.0)))
    mouth = opening(beside / at.CHEILION, 0.5)
    y = line + squeeze(y - line, upper - line, line - lower, mouth)
    fade = bump(np.maximum(beside - at.CHEILION, 0), 8.0)
    return np.asarray(y + (lip_outline(x)[0] - line) * bump(y - line, 5.0) * fade)


def along_ear(h: Array, psi: Array) -> Array:
    """Polar angles after the outer columns are bent along the rear edge of the ear."""
    _, y, z = np.moveaxis(head_surface(h[:, :1], np.array(np.pi / 2)), -1, 0)
    front = head_surface(h[:, :1], np.array(0.0))[..., 2]
    edge = np.pi / 2 + (z - rear_edge(y)) / (front - z)
    beyond = np.maximum(np.abs(psi) - PSI_EAR, 0.0) * ((edge - PSI_EAR) / (PSI_EDGE - PSI_EAR) - 1)
    return np.asarray(psi + np.sign(psi) * beyond)


def lattice(grid_shape: tuple[int, int]) -> tuple[Array, Array]:
    """(h, psi) of every vertex, each (P, Q): front height in millimetres, polar angle in radians."""
    P, Q = grid_shape
    h, psi = np.broadcast_arrays(row_heights(P)[:, None], column_angles(Q)[None, :])
    psi = along_ear(h, psi)
    x, y, _ = np.moveaxis(head_surface(h, psi), -1, 0)
    return h + follow(x, y) - y, psi
