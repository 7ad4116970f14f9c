"""What surrounds the face: hair, neck, shoulders, glasses; grids of vertices in the model frame, millimetres.

All of them start from the face's own vertices or landmarks, so that they fit every identity. A part that a person lacks
is drawn as a point.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from stn3dmm.embedded import anatomy as at
from stn3dmm.embedded.outlines import EYE_MIDDLE
from stn3dmm.embedded.surface import ORIGIN_DEPTH

from .draws import Colour, Draws

Array = npt.NDArray[Any]

EAR_DEPTH = -ORIGIN_DEPTH  # z of the tragion
SKULL_CENTRE = (0.0, 62.0, EAR_DEPTH)
SKULL_RADII = (76.0, 92.0, 97.0)  # mm; head breadth 152, length 197 mm
NAPE = (0.0, -0.25, -1.0)  # where the skull's rings end, seen from its centre
JOINT = (0.0, -45.0, EAR_DEPTH - 14.0)  # the head turns about it on the shoulders
RIM_POINTS = 29

# Rows and columns of vertices.
SHAPES = {
    "skull": (12, 73),
    "fringe": (7, 60),
    "mane": (8, 30),
    "chin": (3, 30),
    "neck": (5, 26),
    "shoulders": (8, 26),
    "left_rim": (2, RIM_POINTS),
    "right_rim": (2, RIM_POINTS),
    "left_lens": (2, RIM_POINTS),
    "right_lens": (2, RIM_POINTS),
    "left_arm": (2, 6),
    "right_arm": (2, 6),
    "bridge": (2, 5),
}
TURNING = ("neck", "shoulders", "chin")  # parts between head and body


@dataclasses.dataclass(frozen=True, eq=False)
class Style:
    """What a person wears, and how the hair falls."""

    hair: bool
    volume: float  # mm, thickness of the hair on the skull
    fringe: Array  # (columns,) how far down the forehead hair falls, in rows of the face's grid; 0 = none
    length: float  # mm below the ears where long hair ends; 0 = short
    reach: float  # radians from the back of the head to where long hair ends in front
    lumps: Array  # (rows, columns of the skull) unevenness of the hair, 1 on average
    glasses: bool
    lenses: bool  # dark ones
    rim: tuple[float, float, float, float]  # mm: half width, half height, thickness; exponent of the outline
    frame: Colour

    def wears(self, name: str) -> bool:
        """Whether the person has this part."""
        if name.endswith("lens"):
            return self.lenses
        if name.endswith(("rim", "arm", "bridge")):
            return self.glasses
        return {"fringe": float(self.fringe.max()) > 0, "mane": self.length > 0}.get(name, True)


def draw_style(draws: Draws, hair: bool, glasses: bool, P: int) -> Style:
    """Hair and glasses of a person, on a face of P rows."""
    columns = SHAPES["fringe"][1]
    fringe = np.zeros(columns, np.float32)
    if hair and draws.chance(0.45):
        across = _steps(-1, 1, columns)
        middle, slope = draws.uniform(0.06, 0.17), draws.uniform(-0.10, 0.10)
        jags = draws.normals(columns, 0.010, 0.02).astype(np.float32)
        fringe = (P * (middle + slope * across + 0.05 * across**2 + jags)).clip(0)
    long = hair and draws.chance(0.4)
    lumps = 1 + 0.18 * draws.noise("clouds", 8 * SHAPES["skull"][0], 3 * SHAPES["skull"][1])[::8, ::3].numpy()
    exponent = draws.uniform(2.0, 4.5)
    return Style(
        hair=hair,
        volume=draws.uniform(5, 24),
        fringe=fringe,
        length=draws.uniform(20, 150) if long else 0.0,
        reach=draws.uniform(1.5, 2.05),
        lumps=lumps.clip(0.4, 1.6),
        glasses=glasses,
        lenses=glasses and draws.chance(0.25),
        rim=(draws.uniform(22, 27), draws.uniform(15, 22), draws.uniform(1.2, 4.0), exponent),
        frame=draws.colour(0.04, 0.5),
    )


def body_parts(face: Array, mean: Array, bridge: int, style: Style) -> dict[str, Array]:
    """The parts around one face, each (rows, columns, 3) mm.

    Args:
        face: (P, Q, 3) mm.
        mean: (P, Q, 3) mm, the mean face.
        bridge: the vertex at the root of the nose, where glasses rest.
        style: of the person.
    """
    parts = {"skull": _skull(face, style), "fringe": _fringe(face, style), "mane": _mane(face, style)}
    parts |= {"chin": _chin(face), "neck": _neck(), "shoulders": _shoulders()}
    shift = face.reshape(-1, 3)[bridge] - mean.reshape(-1, 3)[bridge]
    parts |= _glasses(face, shift, style)
    return {name: parts[name] for name in SHAPES}


def head_share(name: str) -> Array:
    """(rows,) how far the rows of a turning part follow the head (1) or the body (0)."""
    rows = SHAPES[name][0]
    if name == "chin":
        return _steps(1.0, 0.9, rows)
    return _steps(0.9, 0.0, rows) if name == "neck" else np.zeros(rows, np.float32)


def _border(face: Array) -> Array:
    """(columns of the skull, 3): the face's edge from below one ear over the forehead to below the other."""
    P, Q = face.shape[:2]
    count = SHAPES["skull"][1]
    path = np.concatenate([face[::-1, 0], face[0, 1:-1], face[:, -1]])
    return np.asarray(path[_spread(0, 2 * P + Q - 3, count)])


def _steps(first: float, last: float, count: int) -> Array:
    return np.linspace(first, last, count, dtype=np.float32)


def _spread(first: float, last: float, count: int) -> Array:
    """So many indices from first to last."""
    return np.rint(np.linspace(first, last, count)).astype(np.int64)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.sqrt(np.einsum("...k,...k", vectors, vectors))[..., None])


def _smooth(t: Array) -> Array:
    t = t.clip(0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _skull(face: Array, style: Style) -> Array:
    """Rings from the face's border over the skull to the nape, with the hair's thickness on them."""
    centre, radii = np.array(SKULL_CENTRE, np.float32), np.array(SKULL_RADII, np.float32)
    start = (_border(face) - centre) / radii
    far = np.sqrt(np.einsum("nk,nk->n", start, start))[:, None]
    first = start / far
    # From the forehead over the crown; what lies behind the ears already does not go forward again.
    over = first.copy()
    over[:, 2] = np.minimum(first[:, 2], 0) + 0.15 * np.maximum(first[:, 2], 0)
    over = _unit(over)
    last = _unit(np.array(NAPE, np.float32))
    t = _steps(0, 1, SHAPES["skull"][0])[:, None, None]
    toward = _unit(np.where(t < 0.5, first + 2 * t * (over - first), over + (2 * t - 1) * (last - over)))
    height = 1 + (far - 1) * (1 - t) ** 2
    if style.hair:
        # Thin around and below the ears, where short hair ends.
        crown = _smooth((toward[..., 1:2] + 0.55) / 0.75)
        thick = style.volume * (0.25 + 0.75 * _smooth(3 * t)) * crown * style.lumps[..., None]
        height = height + thick / 90
    return np.asarray(centre + radii * toward * height)


def _fringe(face: Array, style: Style) -> Array:
    """Hair over the forehead: the forehead itself, lifted off."""
    rows, columns = SHAPES["fringe"]
    P, Q = face.shape[:2]
    if style.fringe.max() <= 0:
        return _nothing(face, "fringe")
    column = _spread(0.13 * Q, 0.87 * Q - 1, columns)
    down = _steps(0, 1, rows)[:, None]
    row = down * style.fringe
    above = row.astype(np.int64).clip(0, P - 2)
    between = (row - above.astype(np.float32))[..., None]
    skin = face[above, column] * (1 - between) + face[above + 1, column] * between
    away = _unit((skin - np.array(SKULL_CENTRE, np.float32)) / np.array(SKULL_RADII, np.float32))
    return np.asarray(skin + away * (3.0 + 0.35 * style.volume * (1 - 0.7 * down[..., None])))


def _mane(face: Array, style: Style) -> Array:
    """Long hair: a curtain around the back of the head, open in front."""
    rows, columns = SHAPES["mane"]
    if style.length <= 0:
        return _nothing(face, "mane")
    beside = abs(float(face[face.shape[0] // 2, 0, 0])) / 82
    down = _steps(0, 1, rows)[:, None]
    # Above it lies within the skull's hair; it opens in front of the ears on its way down.
    side = _steps(-1, 1, columns)
    around = side * (style.reach * (0.70 + 0.30 * _smooth(2.5 * down)))
    uneven = style.lumps[:rows, :columns] - 1
    out = 0.85 + 0.15 * _smooth(3 * down) - 0.16 * _smooth(2 * down - 1) + 0.12 * uneven * down
    wide, deep = (80 + 0.7 * style.volume) * beside * out, (92 + 0.7 * style.volume) * out
    ends = style.length * (1 - 0.3 * side**6) + 25 * uneven[-1:] - 12 * np.cos(around)
    y = 70 - down * (70 - at.TRAGION_HEIGHT + ends)
    return np.stack([wide * np.sin(around), y, EAR_DEPTH - 4 - deep * np.cos(around)], axis=-1)


def _nothing(face: Array, name: str) -> Array:
    """A part that is not worn: a point within the head."""
    return np.broadcast_to(face[0, face.shape[1] // 2], (*SHAPES[name], 3))


def _chin(face: Array) -> Array:
    """From the face's lower edge to the throat."""
    rows, columns = SHAPES["chin"]
    edge = face[-1, _spread(0, face.shape[1] - 1, columns)]
    fall = _steps(0, 1, rows)[:, None, None]
    return np.asarray(edge + fall * (_throat() - edge))


@functools.cache
def _throat() -> Array:
    """(columns of the chin, 3): a line around the front of the neck, within it."""
    around = _steps(-1.9, 1.9, SHAPES["chin"][1])
    y = np.full_like(around, -97.0)
    return np.stack([55 * np.sin(around), y, EAR_DEPTH - 18 + 51 * np.cos(around)], axis=-1)


@functools.cache
def _neck() -> Array:
    rows, columns = SHAPES["neck"]
    down = _steps(0, 1, rows)[:, None]
    around = _steps(-math.pi, math.pi, columns)[None]
    x = (56 + 10 * down**3) * np.sin(around)
    z = EAR_DEPTH - 12 - 10 * down + (52 + 10 * down**3) * np.cos(around)
    return np.stack([x, np.broadcast_to(-20 - 125 * down, x.shape), z], axis=-1)


@functools.cache
def _shoulders() -> Array:
    rows, columns = SHAPES["shoulders"]
    around = _steps(-math.pi, math.pi, columns)[None]
    breadth = np.array([48.0, 72.0, 92.0, 130.0, 175.0, 198.0, 205.0, 205.0])[:rows, None]
    depth = np.array([44.0, 62.0, 70.0, 78.0, 88.0, 100.0, 108.0, 110.0])[:rows, None]
    height = np.array([-112.0, -116.0, -130.0, -146.0, -164.0, -190.0, -240.0, -420.0])[:rows, None]
    back = np.array([-24.0, -24.0, -26.0, -28.0, -30.0, -32.0, -32.0, -32.0])[:rows, None]
    x = breadth * np.sin(around)
    y = height - 8 * np.cos(around) * (height > -140)  # a collar lies lower in front
    return np.stack([x, y, EAR_DEPTH + back + depth * np.cos(around)], axis=-1)


@functools.cache
def _circle() -> Array:
    around = _steps(0, 2 * math.pi, RIM_POINTS)
    return np.stack([np.cos(around), np.sin(around)])


def _glasses(face: Array, shift: Array, style: Style) -> dict[str, Array]:
    names = [name for name in SHAPES if name.endswith(("rim", "lens", "arm", "bridge"))]
    nowhere = {name: _nothing(face, name) for name in names}
    if not style.glasses:
        return nowhere
    half_width, half_height, thick, exponent = style.rim
    middle = max(EYE_MIDDLE + 1.0, half_width + 8.0)
    front = at.NASION_DEPTH - ORIGIN_DEPTH + 8.0
    circle = _circle()
    outline = np.sign(circle) * np.abs(circle) ** (2 / exponent)
    parts = {}

    def bent(x: Array, y: Array) -> Array:
        """On the glasses' front, which bends back towards the temples."""
        return np.stack([x, y, front - 0.0045 * x * x], axis=-1) + shift

    for side, name in ((-1.0, "left"), (1.0, "right")):
        rings = np.stack([outline * (1 + part * thick / half_height) for part in (0.0, 1.0)])
        x, y = side * middle + half_width * rings[:, 0], at.EYE_HEIGHT - 1 + half_height * rings[:, 1]
        parts[f"{name}_rim"] = bent(x, y)
        inner = bent(side * middle + half_width * rings[0, 0], at.EYE_HEIGHT - 1 + half_height * rings[0, 1])
        hub = bent(np.full(RIM_POINTS, side * middle), np.full(RIM_POINTS, at.EYE_HEIGHT - 1))
        parts[f"{name}_lens"] = np.stack([hub, inner]) if style.lenses else nowhere[f"{name}_lens"]
        hinge = bent(np.array(side * (middle + half_width + thick)), np.array(at.EYE_HEIGHT + 3.0))
        ear = np.array([face[face.shape[0] // 3, 0 if side < 0 else -1, 0], 42.0, -62.0])
        along = _steps(0, 1, 6)[:, None]
        arm = hinge + along * (ear - hinge)
        arm = arm + np.array([side, 0.0, 0.0]) * (9 * along * (1 - along) * 4)
        tall = np.array([0.0, 0.5 * thick + 1.0, 0.0])
        parts[f"{name}_arm"] = np.stack([arm + tall, arm - tall])
    gap = middle - half_width
    across = _steps(-1, 1, 5)
    arch = at.EYE_HEIGHT + 3 + 3 * (1 - across**2)
    half = 0.5 * thick + 0.5
    parts["bridge"] = np.stack([bent(gap * across, arch + half), bent(gap * across, arch - half)])
    return parts
