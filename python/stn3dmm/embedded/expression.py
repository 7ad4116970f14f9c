"""The expression modes: what the muscles of the face do.

Sizes are set so that two to three standard deviations reach a plain expression. The lips of the mean part by
2 mm, so a strongly negative "jaw open" slides the lower lip over the upper one, as in any linear model; no cell
turns over, for the steep walls between the lips take up what the lips move against each other.
"""

from __future__ import annotations

import numpy as np

from . import anatomy as at
from .fields import below_mouth, front, lids, lips, move, near, outward, side
from .modes import Mode
from .shapes import Array, bump
from .surface import FaceSurface

# The jaw turns about the condyles, just before and below the tragion.
_HINGE_HEIGHT, _HINGE_DEPTH = at.TRAGION_HEIGHT - 6, 8.0


def _corners(face: FaceSurface) -> Array:
    return near(face, at.CHEILION, at.STOMION_HEIGHT, 10.5, 11)


def _jaw_open(face: FaceSurface) -> Array:
    jaw = below_mouth(face)
    down = -np.maximum(face.z - _HINGE_DEPTH, 0) * jaw
    back = np.minimum(face.y - _HINGE_HEIGHT, 0) * jaw
    return move(face, y=down, z=back)


def _smile(face: FaceSurface) -> Array:
    corner, cheek = _corners(face), near(face, 44, 12, 15, 14) * front(face)
    return move(face, x=0.75 * side(face) * corner, y=corner + 0.35 * cheek, z=-0.55 * corner + 0.35 * cheek)


def _corners_down(face: FaceSurface) -> Array:
    corner = _corners(face)
    return move(face, x=0.1 * side(face) * corner, y=-corner, z=-0.2 * corner)


def _pucker(face: FaceSurface) -> Array:
    window = bump(np.maximum(np.abs(face.x) - at.CHEILION, 0), 14) * bump(face.y - at.STOMION_HEIGHT, 13)
    return move(face, x=-outward(face, at.CHEILION) * window, z=1.1 * bump(face.x, 16) * window)


def _upper_lip_up(face: FaceSurface) -> Array:
    upper, _ = lips(face)
    return move(face, y=upper, z=-0.15 * upper)


def _lower_lip_down(face: FaceSurface) -> Array:
    _, lower = lips(face)
    return move(face, y=-lower, z=0.1 * lower)


def _smirk(face: FaceSurface) -> Array:
    corner = _corners(face)
    return move(face, x=0.5 * corner, y=side(face) * corner)


def _jaw_sideways(face: FaceSurface) -> Array:
    return move(face, x=below_mouth(face) * np.clip(face.z / at.GNATHION_DEPTH, 0, 1))


def _cheeks_puff(face: FaceSurface) -> Array:
    window = near(face, 35, at.STOMION_HEIGHT - 2, 12, 14) * front(face)
    return move(face, x=0.6 * side(face) * window, z=window + 0.4 * near(face, 0, at.STOMION_HEIGHT, 15, 12))


def _sneer(face: FaceSurface) -> Array:
    wing = near(face, at.ALARE, 6, 9, 11)
    upper, _ = lips(face)
    return move(face, x=0.25 * side(face) * wing, y=wing + 0.6 * upper, z=0.2 * wing)


def _brows_raise(face: FaceSurface) -> Array:
    return move(face, y=near(face, 32, at.BROW_HEIGHT + 3, 24, 11))


def _brows_frown(face: FaceSurface) -> Array:
    window = near(face, 17, at.BROW_HEIGHT - 2, 13, 9)
    return move(face, x=-0.55 * side(face, 8.0) * window, y=-window, z=0.3 * window)


def _eyes_close(face: FaceSurface) -> Array:
    upper, lower = lids(face)
    return move(face, y=-upper + 0.12 * lower, z=0.3 * upper)


EXPRESSION_MODES = (
    Mode("expression/jaw open", 5.0, _jaw_open, "the lower jaw turns down"),
    Mode("expression/smile", 4.0, _smile, "the corners of the mouth go up, out and back"),
    Mode("expression/mouth corners down", 2.5, _corners_down, "the corners of the mouth go down"),
    Mode("expression/pucker", 3.5, _pucker, "the lips draw together and forward"),
    Mode("expression/upper lip raise", 1.6, _upper_lip_up, "the upper lip rises"),
    Mode("expression/lower lip drop", 2.0, _lower_lip_down, "the lower lip drops"),
    Mode("expression/one-sided smirk (antisymmetric)", 2.0, _smirk, "the mouth slants up on the image's right"),
    Mode("expression/jaw sideways (antisymmetric)", 2.0, _jaw_sideways, "the lower jaw slides to the image's right"),
    Mode("expression/cheeks puff", 3.5, _cheeks_puff, "the cheeks fill with air"),
    Mode("expression/sneer", 2.0, _sneer, "the wings of the nose and the upper lip rise"),
    Mode("expression/brows raise", 3.0, _brows_raise, "the eyebrows rise"),
    Mode("expression/brows frown", 2.2, _brows_frown, "the eyebrows draw together and down"),
    Mode("expression/eyes close", 2.2, _eyes_close, "the upper lids come down"),
)
