"""The identity modes: how faces differ at rest.

Sizes come from the standard deviations of `proportions` (half of it for each side of a breadth) where the
mode changes one of those measurements; the others are set from the range of surface relief in adults.
"""

from __future__ import annotations

import numpy as np

from . import anatomy as at
from .fields import front, lids, lips, move, near, outward, side
from .modes import Mode
from .outlines import EYE_HALF_WIDTH, EYE_MIDDLE
from .proportions import deviation
from .shapes import Array, bump, step
from .surface import FaceSurface

_NOSE_MIDDLE = (at.NASION_HEIGHT + at.PRONASALE_HEIGHT) / 2


def _face_width(face: FaceSurface) -> Array:
    return move(face, x=outward(face, at.ZYGION_HALF_BREADTH))


def _upper_face_height(face: FaceSurface) -> Array:
    return move(face, y=step(face.y, -8, at.NASION_HEIGHT + 8))


def _lower_face_height(face: FaceSurface) -> Array:
    return move(face, y=-np.clip(-face.y / -at.GNATHION_HEIGHT, 0, 1.1))


def _forehead_height(face: FaceSurface) -> Array:
    return move(face, y=np.clip((face.y - at.BROW_HEIGHT) / (at.TRICHION_HEIGHT - at.BROW_HEIGHT), 0, None))


def _forehead_slope(face: FaceSurface) -> Array:
    above = np.clip((face.y - at.BROW_HEIGHT + 8) / (at.TRICHION_HEIGHT - at.BROW_HEIGHT), 0, None)
    return move(face, z=-(above**1.5) * front(face))


def _head_depth(face: FaceSurface) -> Array:
    return move(face, z=face.z / at.SUBNASALE_DEPTH)


def _temple_width(face: FaceSurface) -> Array:
    return move(face, x=outward(face, 60.0) * step(face.y, at.EYE_HEIGHT - 5, at.EYE_HEIGHT + 30))


def _jaw_width(face: FaceSurface) -> Array:
    # It runs out slowly: up to the ear, and down the neck, which is as broad as the jaw that stands on it.
    over = face.y - at.GONION_HEIGHT
    window = bump(np.maximum(62 - np.abs(face.x), 0), 24) * np.where(over > 0, bump(over, 22), bump(over, 60))
    return move(face, x=outward(face, at.GONION_HALF_BREADTH) * window)


def _jaw_angle(face: FaceSurface) -> Array:
    return move(face, y=-near(face, 62, at.GONION_HEIGHT, 16, 22))


def _jaw_depth(face: FaceSurface) -> Array:
    return move(face, z=step(face.y, 5, at.POGONION_HEIGHT) * np.clip(face.z / at.GNATHION_DEPTH, 0, 1))


def _chin_protrusion(face: FaceSurface) -> Array:
    return move(face, z=near(face, 0, at.POGONION_HEIGHT - 6, 20, 13) * front(face))


def _chin_breadth(face: FaceSurface) -> Array:
    return move(face, x=side(face) * near(face, 36, at.POGONION_HEIGHT - 4, 14, 14))


def _cheekbone(face: FaceSurface) -> Array:
    window = near(face, 48, at.EYE_HEIGHT - 22, 16, 14) * front(face)
    return move(face, x=0.4 * side(face) * window, z=window)


def _cheek_fullness(face: FaceSurface) -> Array:
    window = near(face, 52, at.STOMION_HEIGHT + 6, 17, 22) * front(face)
    return move(face, x=0.8 * side(face) * window, z=window)


def _eye_distance(face: FaceSurface) -> Array:
    return move(face, x=side(face, 10.0) * near(face, EYE_MIDDLE, at.EYE_HEIGHT + 4, 18, 15))


def _eye_height(face: FaceSurface) -> Array:
    upper, lower = lids(face)
    return move(face, y=upper - lower)


def _eye_width(face: FaceSurface) -> Array:
    across = (np.abs(face.x) - EYE_MIDDLE) / EYE_HALF_WIDTH
    window = np.exp(-0.5 * (across / 1.1) ** 2) * bump(face.y - at.EYE_HEIGHT, 9)
    return move(face, x=side(face) * across * window)


def _eye_tilt(face: FaceSurface) -> Array:
    across = (np.abs(face.x) - EYE_MIDDLE) / EYE_HALF_WIDTH
    return move(face, y=across * np.exp(-0.5 * (across / 1.2) ** 2) * bump(face.y - at.EYE_HEIGHT - 4, 14))


def _brow_ridge(face: FaceSurface) -> Array:
    return move(face, z=near(face, 26, at.BROW_HEIGHT, 20, 9) * front(face))


def _brow_arch(face: FaceSurface) -> Array:
    return move(face, y=near(face, 41, at.BROW_HEIGHT, 11, 8))


def _nose_length(face: FaceSurface) -> Array:
    lower = np.where(face.y < 4, bump(face.y - 4, 10), step(face.y, at.NASION_HEIGHT, 4))
    return move(face, y=-lower * bump(face.x, 16))


def _nose_width(face: FaceSurface) -> Array:
    return move(face, x=outward(face, at.ALARE) * np.exp(-((face.x / 26) ** 4)) * bump(face.y - 5, 11))


def _nose_protrusion(face: FaceSurface) -> Array:
    along = np.where(face.y < at.PRONASALE_HEIGHT, bump(face.y - at.PRONASALE_HEIGHT, 7.5), 0)
    along = along + (face.y >= at.PRONASALE_HEIGHT) * step(face.y, at.NASION_HEIGHT + 4, at.PRONASALE_HEIGHT)
    return move(face, z=along * bump(face.x, 9.5))


def _nose_tip(face: FaceSurface) -> Array:
    window = near(face, 0, at.PRONASALE_HEIGHT, 8, 7)
    return move(face, y=window, z=-0.3 * window)


def _nose_bridge(face: FaceSurface) -> Array:
    return move(face, z=near(face, 0, _NOSE_MIDDLE + 8, 9, 15))


def _mouth_width(face: FaceSurface) -> Array:
    beside = np.abs(face.x)
    fade = bump(np.maximum(beside - at.CHEILION, 0), 15)
    return move(face, x=outward(face, at.CHEILION) * fade * bump(face.y - at.STOMION_HEIGHT, 13))


def _mouth_height(face: FaceSurface) -> Array:
    return move(face, y=bump(np.maximum(np.abs(face.x) - 12, 0), 18) * bump(face.y - at.STOMION_HEIGHT, 12))


def _lip_fullness(face: FaceSurface) -> Array:
    upper, lower = lips(face)
    beyond = np.abs(face.y - at.STOMION_HEIGHT)
    return move(face, y=(upper - lower) * step(beyond, 1, 9), z=0.7 * (upper + lower) * step(beyond, 0, 3))


def _ear_level(face: FaceSurface) -> Array:
    return move(face, y=step(np.abs(face.psi), 0.9, 1.5) * bump(face.y - at.TRAGION_HEIGHT, 32))


def _half(name: str) -> float:
    return deviation(name) / 2


IDENTITY_MODES = (
    Mode("identity/face width", _half("bizygomatic_breadth"), _face_width, "the whole face is broader"),
    Mode("identity/upper face height", deviation("nose_height"), _upper_face_height, "eyes and forehead lie higher"),
    Mode("identity/lower face height", 6.0, _lower_face_height, "mouth and chin lie lower"),
    Mode("identity/forehead height", deviation("forehead_height"), _forehead_height, "the hairline lies higher"),
    Mode("identity/forehead slope", 5.0, _forehead_slope, "the forehead leans back"),
    Mode("identity/head depth", deviation("middle_face_depth"), _head_depth, "the face lies farther before the ears"),
    Mode("identity/temple width", _half("minimum_frontal_breadth"), _temple_width, "temples and forehead are broader"),
    Mode("identity/jaw width", _half("bigonial_breadth"), _jaw_width, "the angles of the jaw stand farther apart"),
    Mode("identity/jaw angle drop", 5.0, _jaw_angle, "the angles of the jaw lie lower"),
    Mode("identity/jaw depth", 4.5, _jaw_depth, "the lower jaw lies farther forward"),
    Mode("identity/chin protrusion", 3.0, _chin_protrusion, "the chin is more prominent"),
    Mode("identity/chin breadth", 3.5, _chin_breadth, "the jaw is broader beside the chin: square, not pointed"),
    Mode("identity/cheekbone prominence", 2.5, _cheekbone, "the cheekbones stand out"),
    Mode("identity/cheek fullness", 3.5, _cheek_fullness, "the cheeks are fuller"),
    Mode("identity/eye distance", _half("interpupillary_distance"), _eye_distance, "the eyes lie farther apart"),
    Mode("identity/eye height", _half("eye_fissure_height"), _eye_height, "the eyes are rounder"),
    Mode("identity/eye width", 1.2, _eye_width, "the eyes are longer"),
    Mode("identity/eye tilt", 1.3, _eye_tilt, "the outer corners of the eyes lie higher"),
    Mode("identity/brow ridge", 2.0, _brow_ridge, "the ridge over the eyes stands out"),
    Mode("identity/brow arch", 2.0, _brow_arch, "the outer halves of the eyebrows lie higher"),
    Mode("identity/nose length", 2.8, _nose_length, "the nose reaches lower"),
    Mode("identity/nose width", _half("nose_breadth"), _nose_width, "the wings of the nose are broader"),
    Mode("identity/nose protrusion", deviation("nose_protrusion"), _nose_protrusion, "the nose is more prominent"),
    Mode("identity/nose tip lift", 2.2, _nose_tip, "the tip of the nose turns up"),
    Mode("identity/nose bridge", 1.8, _nose_bridge, "the bridge of the nose is higher"),
    Mode("identity/mouth width", _half("mouth_width"), _mouth_width, "the mouth is wider"),
    Mode("identity/mouth height", deviation("upper_lip_height"), _mouth_height, "the mouth lies higher"),
    Mode("identity/lip fullness", deviation("lower_vermilion_height"), _lip_fullness, "the lips are fuller"),
    Mode("identity/ear level", 4.0, _ear_level, "the ears lie higher"),
)
