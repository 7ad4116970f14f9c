"""The features of the face, as changes of depth over the front view.

Every function takes beside = |x| and y (P, Q) of the head and its depth z (P, Q), millimetres, and returns the
new depth. The relief of each (a few millimetres) is drawn from the cited measurements where there is one and from
surface anatomy otherwise.
"""

from __future__ import annotations

import numpy as np

from . import anatomy as at
from .outlines import EYE_HALF_WIDTH, EYE_MIDDLE, GAP_DEPTH, brow_line, eye_outline, lip_gap, lip_outline
from .proportions import mean
from .shapes import Array, bump, ellipsoid, smooth_maximum, step

EYEBALL_RADIUS = 12.1  # mm
LID_THICKNESS = 1.7  # mm
# The cornea stands about 9 mm behind the root of the nose, 17 mm before the outer orbital rim (exophthalmometry).
EYEBALL_CENTRE = (at.PUPIL - 0.5, at.EYE_HEIGHT - 0.4, at.NASION_DEPTH - 9.5 - EYEBALL_RADIUS)


def add_brow(beside: Array, y: Array, z: Array) -> Array:
    """The ridge over the orbit, the glabella and the thickness of the eyebrow."""
    crest = brow_line(beside)
    along = step(beside, 2, 20) * step(beside, 60, 42)
    ridge = 2.6 * bump(y - crest + 1.5, 7.5) * along
    hair = 0.8 * step(np.abs(y - crest), 4.6, 2.4) * step(beside, 9, 19) * step(beside, 57, 44)
    glabella = 2.2 * bump(beside, 12) * bump(y - at.GLABELLA_HEIGHT + 1, 9)
    return np.asarray(z + ridge + hair + glabella)


def add_eyes(beside: Array, y: Array, z: Array) -> Array:
    """The socket, the eyeball and the lids over it."""
    z = z - 6.0 * bump(beside - 20, 7.5) * bump(y - at.EYE_HEIGHT - 3, 8)
    z = z - 4.0 * bump(beside - 34, 15) * bump(y - at.EYE_HEIGHT - 6, 6.5)
    z = z - 2.0 * bump(beside - 30, 14) * bump(y - at.EYE_HEIGHT + 9, 7)
    across = np.abs(beside - EYE_MIDDLE) / EYE_HALF_WIDTH
    axis, upper, lower = eye_outline(beside)
    radius = EYEBALL_RADIUS + LID_THICKNESS
    lids = ellipsoid(beside, y, EYEBALL_CENTRE, (radius + 2.5, radius, radius))
    skin = smooth_maximum(z, lids, 3.0 + 3.0 * step(y, axis, axis - 6))
    skin = skin - 1.0 * bump(y - upper - 3.4 + 1.4 * across, 1.0) * step(across, 1.25, 0.7)
    ball = ellipsoid(beside, y, EYEBALL_CENTRE, (EYEBALL_RADIUS + 2.5, EYEBALL_RADIUS, EYEBALL_RADIUS))
    within = step(np.minimum(upper - y, y - lower), -0.3, 0.8) * step(across, 1.05, 0.93)
    return np.asarray(skin * (1 - within) + np.maximum(ball, skin - 2.4) * within)


def add_nose(beside: Array, y: Array, z: Array) -> Array:
    """The bridge, a roof over the ridge line; tip, columella and wings, ellipsoids; the nostrils, hollows."""
    root, supratip = at.NASION_HEIGHT, at.PRONASALE_HEIGHT + 6
    fall = np.clip((root - y) / (root - supratip), -0.6, 1.25)
    rise = at.PRONASALE_DEPTH - 4.0 - at.NASION_DEPTH
    line = at.NASION_DEPTH + rise * (1.08 * fall - 0.08 * fall**2) + 5.0 * np.minimum(fall, 0) ** 2
    rounding = 4.0 + 2.0 * step(fall, 0.5, 1.0)
    slope = 1.35 + 0.30 * step(fall, 0.0, 0.6)
    bridge = line - slope * (np.hypot(beside, rounding) - rounding)
    bridge = bridge - 0.32 * np.maximum(0, supratip - 2 - y) ** 2 - 12 * step(y, root + 4, root + 22)
    z = smooth_maximum(z, bridge, 6.0)
    wing_radius = 6.6
    # The wing ends sharply at the groove around it and runs out upwards into the side of the nose.
    wing_height = 6.6 + 7.0 * step(y, 4.5, 14.0)
    wing_at = (at.ALARE - wing_radius, 5.6, at.SUBNASALE_DEPTH - 4.0)
    wings = ellipsoid(beside, y, wing_at, (wing_radius, wing_height, 9.5))
    z = smooth_maximum(z, wings, 2.2 + 3.0 * step(y, 7, 12))
    columella = ellipsoid(beside, y, (0.0, 7.0, at.SUBNASALE_DEPTH + 3.0), (4.2, 5.4, 9.5))
    tip = ellipsoid(beside, y, (0.0, at.PRONASALE_HEIGHT, at.PRONASALE_DEPTH - 10.0), (9.4, 8.0, 10.0))
    nose = smooth_maximum(smooth_maximum(z, columella, 2.0), tip, 5.0)
    nostril = bump(beside - 7.4 - 0.2 * (y - 2), 2.4) * bump(y - 2.6, 1.8)
    return np.asarray(nose - 4.5 * nostril)


def _lip_pad(across: Array, middle: float) -> Array:
    """The bulge of a lip; ``across`` is 0 at the line between the lips and 1 at the vermilion border."""
    return np.asarray(0.55 * bump(across - middle, 0.42) + 0.6 * np.clip(1 - ((across - 0.5) / 0.68) ** 2, 0, 1) ** 0.8)


def add_mouth(beside: Array, y: Array, z: Array) -> Array:
    """The muzzle over the teeth, the philtrum, the lips and the line between them."""
    z = z + 3.2 * bump(beside, 20) * bump(y - at.STOMION_HEIGHT, 15)
    line, upper, lower = lip_outline(beside)
    along = step(y, -1.0, -6.0) * step(y, at.STOMION_HEIGHT + 4, at.STOMION_HEIGHT + 8)
    z = z + along * (0.9 * bump(beside - mean("philtrum_width") / 2, 1.9) - 1.1 * bump(beside, 2.4))
    taper = np.clip(1 - (beside / (at.CHEILION + 0.5)) ** 2, 0, 1)
    over, inside, parting = lip_gap(beside, y)
    # Between the lips their pads are level, so that the floor of the gap is.
    above = over * (1 - inside) / np.maximum(upper - line, 0.8)
    below = -over * (1 - inside) / np.maximum(line - lower, 0.8)
    z = z + 3.4 * taper**0.8 * _lip_pad(above, 0.42) * (above > -1)
    z = z + 4.2 * taper**0.7 * _lip_pad(below, 0.50) * (below > -1)
    seam = GAP_DEPTH * parting**0.7 * inside
    seam = seam + 0.8 * bump(y - line, 0.9) * step(beside, at.CHEILION + 3, at.CHEILION - 3)
    corner = 1.6 * bump(beside - at.CHEILION - 0.5, 3.2) * bump(y - line, 3.2)
    return np.asarray(z - seam - corner)


def add_chin(beside: Array, y: Array, z: Array) -> Array:
    """The boss of the chin and the fold between it and the lower lip."""
    fold = 4.0 * bump(beside, 17) * bump(y - at.SUBLABIALE_HEIGHT - 0.5, 4.2)
    boss = 6.0 * bump(y - at.POGONION_HEIGHT, 9.5) * np.exp(-((beside / 19) ** 3))
    return np.asarray(z - fold + boss)


def add_cheeks(beside: Array, y: Array, z: Array) -> Array:
    """The cheekbone, the fold from the nose's wing to the mouth's corner and the hollow below the bone."""
    bone = 4.2 * bump(beside - 46, 13) * bump(y - at.EYE_HEIGHT + 22, 11)
    hollow = 2.6 * bump(beside - 50, 10) * bump(y - at.STOMION_HEIGHT, 13)
    fold_x = at.ALARE + 3.5 + 0.42 * np.maximum(4 - y, 0)
    fold = 1.5 * bump(beside - fold_x, 2.6) * step(y, 9, 1) * step(y, at.STOMION_HEIGHT - 6, at.STOMION_HEIGHT + 6)
    return np.asarray(z + bone - hollow - fold)


def add_features(beside: Array, y: Array, z: Array) -> Array:
    """The depth (P, Q) of the face with all its features."""
    for add in (add_cheeks, add_brow, add_eyes, add_chin, add_mouth, add_nose):
        z = add(beside, y, z)
    return z
