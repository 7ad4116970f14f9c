"""Where on the texture grid the parts of the embedded face lie: its own formulas, evaluated between its vertices.

A synthetic texture has a texel on every vertex and one between any two: 2 P - 1 rows, 2 Q - 1 columns.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stn3dmm.embedded import anatomy as at
from stn3dmm.embedded.features import EYEBALL_CENTRE
from stn3dmm.embedded.outlines import (
    EYE_HALF_WIDTH,
    EYE_MIDDLE,
    brow_line,
    eye_outline,
    lip_gap,
    lip_outline,
)
from stn3dmm.embedded.shapes import Array, bump, step
from stn3dmm.embedded.surface import FaceSurface, face_surface

FINENESS = 2  # texels per cell
Window = tuple[slice, slice]


@dataclasses.dataclass(frozen=True, eq=False)
class Regions:
    """Maps (p, q) float32 over the texture, or (P, Q) over the vertices, millimetres or 0..1."""

    x: torch.Tensor  # mm on the mean face
    y: torch.Tensor  # mm
    psi: torch.Tensor  # radians around the head, 0 in the midline
    blush: torch.Tensor  # (P, Q) where blood shows: cheeks, nose, ears, chin
    tired: torch.Tensor  # (P, Q) below the eyes
    nostrils: torch.Tensor  # (P, Q)
    freckled: torch.Tensor  # where the sun reaches
    beard: torch.Tensor  # where it grows
    moustache: torch.Tensor
    hairline: torch.Tensor  # mm above the average hairline
    brow_over: torch.Tensor  # mm above the middle of the eyebrow
    brow_beside: torch.Tensor  # mm from the midline
    lips: torch.Tensor
    gap: torch.Tensor  # between the lips
    gap_over: torch.Tensor  # mm above the line between them
    eye_open: torch.Tensor  # the eyeball
    eye_upper: torch.Tensor  # mm below the margin of the upper lid
    eye_across: torch.Tensor  # -1 at the inner, 1 at the outer corner
    eye_x: torch.Tensor  # mm from the middle of the eyeball, to the image's right
    eye_y: torch.Tensor  # mm
    lid: torch.Tensor  # the upper lid up to the brow
    hair_rows: slice
    beard_rows: slice
    brows: Window
    eyes: Window
    lid_rows: slice
    mouth: Window
    front: list[tuple[int, int]]  # rows and columns on the front of the face, for marks

    @property
    def shape(self) -> tuple[int, int]:
        """(p, q)."""
        return self.x.shape[0], self.x.shape[1]


@functools.lru_cache(maxsize=4)
def regions(grid_shape: tuple[int, int]) -> Regions:
    """The regions for a grid of P x Q vertices."""
    P, Q = grid_shape
    face = face_surface((FINENESS * (P - 1) + 1, FINENESS * (Q - 1) + 1))
    x, y, psi, beside = face.x, face.y, np.abs(face.psi), np.abs(face.x)
    ahead = step(psi, 1.25, 0.95)
    maps: dict[str, Any] = {"x": x, "y": y, "psi": face.psi}
    maps["blush"] = _blush(face)
    maps["freckled"] = ahead * np.clip(
        bump(beside - 30, 20) * bump(y - 20, 16) + bump(beside, 16) * bump(y - 22, 18) + 0.3 * bump(y - 75, 22), 0, 1
    )
    maps["tired"] = ahead * bump(beside - EYE_MIDDLE + 3, 10) * bump(y - at.EYE_HEIGHT + 11, 4.5)
    maps["nostrils"] = bump(beside - 7.4 - 0.2 * (y - 2), 2.6) * bump(y - 2.6, 2.0) * ahead
    maps["hairline"] = y - at.TRICHION_HEIGHT + 50 * step(psi, 0.80, 1.22) + 0.004 * beside**2
    maps["brow_over"], maps["brow_beside"] = y - brow_line(beside) - 1.0, beside
    maps |= _mouth(face) | _eyes(face) | _hair_on_face(face)
    for name in ("blush", "tired", "nostrils"):
        maps[name] = np.ascontiguousarray(maps[name][::FINENESS, ::FINENESS])
    tensors = {name: torch.from_numpy(np.asarray(values, dtype=np.float32)) for name, values in maps.items()}
    on_front = (psi < 1.0) & (y < 95) & (y > -62) & (np.asarray(maps["lips"]) + maps["eye_open"] + maps["gap"] == 0)
    return Regions(
        **tensors,
        hair_rows=_rows(maps["hairline"] > -16),
        beard_rows=_rows(np.maximum(maps["beard"], maps["moustache"]) > 0.02),
        brows=_window((np.abs(maps["brow_over"]) < 8) & (beside < 60) & (psi < 1.1)),
        eyes=_window((np.abs(y - at.EYE_HEIGHT) < 9) & (beside < 50) & (psi < 1.1)),
        lid_rows=_rows(maps["lid"] > 0.01),
        mouth=_window((maps["lips"] + maps["gap"] > 0) & (psi < 1.1)),
        front=[(int(row), int(column)) for row, column in np.argwhere(on_front)],
    )


def _blush(face: FaceSurface) -> Array:
    beside = np.abs(face.x)
    cheeks = bump(beside - 44, 15) * bump(face.y - 10, 15)
    nose = 0.9 * bump(beside, 13) * bump(face.y - 8, 12)
    ears = 0.8 * step(np.abs(face.psi), 1.35, 1.55)
    chin = 0.5 * bump(beside, 16) * bump(face.y - at.POGONION_HEIGHT, 12)
    eyes = 0.35 * bump(beside - EYE_MIDDLE, 16) * bump(face.y - at.EYE_HEIGHT, 10)
    return np.asarray(np.maximum.reduce([cheeks, nose, ears, chin, eyes]))


def _mouth(face: FaceSurface) -> dict[str, Array]:
    _, upper, lower = lip_outline(face.x)
    ahead = (np.abs(face.psi) < 1.0) & (np.abs(face.x) < at.CHEILION + 3)
    within = np.minimum(upper - face.y, face.y - lower) + 0.4
    over, inside, _ = lip_gap(face.x, face.y)
    gap = ahead * step(inside, 0.02, 0.5) * step(np.abs(face.x), at.CHEILION + 1, at.CHEILION - 1.5)
    lips = ahead * np.clip(within / 0.9, 0, 1) * step(np.abs(face.x), at.CHEILION + 1, at.CHEILION - 2)
    return {"lips": np.asarray(lips), "gap": np.asarray(gap), "gap_over": over}


def _eyes(face: FaceSurface) -> dict[str, Array]:
    beside = np.abs(face.x)
    _, upper, lower = eye_outline(beside)
    across = (beside - EYE_MIDDLE) / EYE_HALF_WIDTH
    ahead = np.abs(face.psi) < 1.1
    within = np.minimum(upper - face.y, face.y - lower)
    return {
        "eye_open": np.asarray(ahead * (np.abs(across) < 1) * np.clip(within / 0.5 + 0.5, 0, 1)),
        "eye_upper": upper - face.y,
        "eye_across": across,
        "eye_x": face.x - np.sign(face.x) * EYEBALL_CENTRE[0],
        "eye_y": face.y - EYEBALL_CENTRE[1],
        "lid": np.asarray(
            ahead * step(face.y - upper, -0.5, 0.8) * step(face.y - upper, 9, 2) * step(np.abs(across), 1.35, 0.8)
        ),
    }


def _hair_on_face(face: FaceSurface) -> dict[str, Array]:
    beside, psi = np.abs(face.x), np.abs(face.psi)
    _, upper, lower = lip_outline(face.x)
    outside = 1 - (beside < at.CHEILION) * step(np.minimum(upper - face.y, face.y - lower), -2.5, -1.0)
    below = step(face.y, 36, -30) * step(psi, 0.55, 0.9) + step(face.y, at.STOMION_HEIGHT + 4, at.STOMION_HEIGHT - 14)
    beard = np.clip(below, 0, 1) * step(psi, 1.38, 1.25) * step(face.y, 70, 40) * outside
    drop = 0.006 * beside**2
    wide = step(beside, at.CHEILION + 8, at.CHEILION - 10)
    over = step(face.y + drop, 0, -6) * step(face.y, at.STOMION_HEIGHT - 14, at.STOMION_HEIGHT - 2)
    moustache = wide * over * outside * (0.55 + 0.45 * step(beside, 1.0, 5.0))
    return {"beard": np.asarray(beard), "moustache": np.asarray(moustache * (psi < 1.0))}


def _rows(mask: npt.NDArray[np.bool_]) -> slice:
    rows = np.flatnonzero(mask.any(axis=1))
    return slice(int(rows[0]), int(rows[-1]) + 1)


def _window(mask: npt.NDArray[np.bool_]) -> Window:
    return _rows(mask), _rows(mask.T)
