"""What surrounds the face: hair, neck, shoulders, glasses; grids of vertices in the model frame, millimetres.

All of them start from the face's own vertices or landmarks, so that they fit every identity. A part that a person lacks
is drawn as a point.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import torch

from stn3dmm.embedded import anatomy as at
from stn3dmm.embedded.outlines import EYE_MIDDLE
from stn3dmm.embedded.surface import ORIGIN_DEPTH

from .draws import Colour, Draws

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
    fringe: torch.Tensor  # (columns,) how far down the forehead hair falls, in rows of the face's grid; 0 = none
    length: float  # mm below the ears where long hair ends; 0 = short
    reach: float  # radians from the back of the head to where long hair ends in front
    lumps: torch.Tensor  # (rows, columns of the skull) unevenness of the hair, 1 on average
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
    fringe = torch.zeros(columns)
    if hair and draws.chance(0.45):
        across = torch.linspace(-1, 1, columns)
        middle, slope = draws.uniform(0.06, 0.17), draws.uniform(-0.10, 0.10)
        jags = torch.from_numpy(draws.normals(columns, 0.010, 0.02)).float()
        fringe = (P * (middle + slope * across + 0.05 * across**2 + jags)).clamp_min(0.0)
    long = hair and draws.chance(0.4)
    lumps = 1 + 0.18 * draws.noise("clouds", 8 * SHAPES["skull"][0], 3 * SHAPES["skull"][1])[::8, ::3]
    exponent = draws.uniform(2.0, 4.5)
    return Style(
        hair=hair,
        volume=draws.uniform(5, 24),
        fringe=fringe,
        length=draws.uniform(20, 150) if long else 0.0,
        reach=draws.uniform(1.5, 2.05),
        lumps=lumps.clamp(0.4, 1.6),
        glasses=glasses,
        lenses=glasses and draws.chance(0.25),
        rim=(draws.uniform(22, 27), draws.uniform(15, 22), draws.uniform(1.2, 4.0), exponent),
        frame=draws.colour(0.04, 0.5),
    )


def body_parts(face: torch.Tensor, mean: torch.Tensor, bridge: int, style: Style) -> dict[str, torch.Tensor]:
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


def head_share(name: str) -> torch.Tensor:
    """(rows,) how far the rows of a turning part follow the head (1) or the body (0)."""
    rows = SHAPES[name][0]
    if name == "chin":
        return torch.linspace(1.0, 0.9, rows)
    return torch.linspace(0.9, 0.0, rows) if name == "neck" else torch.zeros(rows)


def _border(face: torch.Tensor) -> torch.Tensor:
    """(columns of the skull, 3): the face's edge from below one ear over the forehead to below the other."""
    P, Q = face.shape[:2]
    count = SHAPES["skull"][1]
    path = torch.cat([face[:, 0].flip(0), face[0, 1:-1], face[:, -1]])
    index = torch.from_numpy(np.rint(np.linspace(0, 2 * P + Q - 3, count)).astype(np.int64))
    return path[index]


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return vectors / (vectors * vectors).sum(-1, keepdim=True).sqrt()


def _smooth(t: torch.Tensor) -> torch.Tensor:
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


def _skull(face: torch.Tensor, style: Style) -> torch.Tensor:
    """Rings from the face's border over the skull to the nape, with the hair's thickness on them."""
    centre, radii = torch.tensor(SKULL_CENTRE), torch.tensor(SKULL_RADII)
    start = (_border(face) - centre) / radii
    far = (start * start).sum(-1, keepdim=True).sqrt()
    first = start / far
    # From the forehead over the crown; what lies behind the ears already does not go forward again.
    over = _unit(
        torch.stack([first[:, 0], first[:, 1], first[:, 2].clamp_max(0) + 0.15 * first[:, 2].clamp_min(0)], dim=1)
    )
    last = _unit(torch.tensor(NAPE)).expand_as(first)
    t = torch.linspace(0, 1, SHAPES["skull"][0])[:, None, None]
    toward = _unit(torch.where(t < 0.5, first + 2 * t * (over - first), over + (2 * t - 1) * (last - over)))
    height = 1 + (far - 1) * (1 - t) ** 2
    if style.hair:
        # Thin around and below the ears, where short hair ends.
        crown = _smooth((toward[..., 1:2] + 0.55) / 0.75)
        thick = style.volume * (0.25 + 0.75 * _smooth(3 * t)) * crown * style.lumps[..., None]
        height = height + thick / 90
    return centre + radii * toward * height


def _fringe(face: torch.Tensor, style: Style) -> torch.Tensor:
    """Hair over the forehead: the forehead itself, lifted off."""
    rows, columns = SHAPES["fringe"]
    P, Q = face.shape[:2]
    if float(style.fringe.max()) <= 0:
        return face[0, Q // 2].expand(rows, columns, 3)
    column = torch.from_numpy(np.rint(np.linspace(0.13 * Q, 0.87 * Q - 1, columns)).astype(np.int64))
    down = torch.linspace(0, 1, rows)[:, None]
    row = down * style.fringe
    above = row.floor().long().clamp_max(P - 2)
    between = (row - above)[..., None]
    skin = face[above, column] * (1 - between) + face[above + 1, column] * between
    away = _unit((skin - torch.tensor(SKULL_CENTRE)) / torch.tensor(SKULL_RADII))
    return skin + away * (3.0 + 0.35 * style.volume * (1 - 0.7 * down[..., None]))


def _mane(face: torch.Tensor, style: Style) -> torch.Tensor:
    """Long hair: a curtain around the back of the head, open in front."""
    rows, columns = SHAPES["mane"]
    if style.length <= 0:
        return face[0, face.shape[1] // 2].expand(rows, columns, 3)
    beside = face[face.shape[0] // 2, 0, 0].abs() / 82
    down = torch.linspace(0, 1, rows)[:, None]
    # Above it lies within the skull's hair; it opens in front of the ears on its way down.
    side = torch.linspace(-1, 1, columns)
    around = side * (style.reach * (0.70 + 0.30 * _smooth(2.5 * down)))
    uneven = style.lumps[:rows, :columns] - 1
    out = 0.85 + 0.15 * _smooth(3 * down) - 0.16 * _smooth(2 * down - 1) + 0.12 * uneven * down
    wide, deep = (80 + 0.7 * style.volume) * beside * out, (92 + 0.7 * style.volume) * out
    ends = style.length * (1 - 0.3 * side**6) + 25 * uneven[-1:] - 12 * torch.cos(around)
    y = 70 - down * (70 - at.TRAGION_HEIGHT + ends)
    return torch.stack([wide * torch.sin(around), y, EAR_DEPTH - 4 - deep * torch.cos(around)], dim=-1)


def _chin(face: torch.Tensor) -> torch.Tensor:
    """From the face's lower edge to the throat."""
    rows, columns = SHAPES["chin"]
    index = torch.from_numpy(np.rint(np.linspace(0, face.shape[1] - 1, columns)).astype(np.int64))
    edge = face[-1, index]
    fall = torch.linspace(0, 1, rows)[:, None, None]
    return edge + fall * (_throat() - edge)


@functools.cache
def _throat() -> torch.Tensor:
    """(columns of the chin, 3): a line around the front of the neck, within it."""
    around = torch.linspace(-1.9, 1.9, SHAPES["chin"][1])
    y = torch.full_like(around, -97.0)
    return torch.stack([55 * torch.sin(around), y, EAR_DEPTH - 18 + 51 * torch.cos(around)], dim=-1)


@functools.cache
def _neck() -> torch.Tensor:
    rows, columns = SHAPES["neck"]
    down = torch.linspace(0, 1, rows)[:, None]
    around = torch.linspace(-math.pi, math.pi, columns)[None]
    x = (56 + 10 * down**3) * torch.sin(around)
    z = EAR_DEPTH - 12 - 10 * down + (52 + 10 * down**3) * torch.cos(around)
    return torch.stack([x, (-20 - 125 * down).expand_as(x), z], dim=-1)


@functools.cache
def _shoulders() -> torch.Tensor:
    rows, columns = SHAPES["shoulders"]
    around = torch.linspace(-math.pi, math.pi, columns)[None]
    breadth = torch.tensor([48.0, 72.0, 92.0, 130.0, 175.0, 198.0, 205.0, 205.0])[:rows, None]
    depth = torch.tensor([44.0, 62.0, 70.0, 78.0, 88.0, 100.0, 108.0, 110.0])[:rows, None]
    height = torch.tensor([-112.0, -116.0, -130.0, -146.0, -164.0, -190.0, -240.0, -420.0])[:rows, None]
    back = torch.tensor([-24.0, -24.0, -26.0, -28.0, -30.0, -32.0, -32.0, -32.0])[:rows, None]
    x = breadth * torch.sin(around)
    y = height - 8 * torch.cos(around) * (height > -140)  # a collar lies lower in front
    return torch.stack([x, y, EAR_DEPTH + back + depth * torch.cos(around)], dim=-1)


@functools.cache
def _circle() -> torch.Tensor:
    around = torch.linspace(0, 2 * math.pi, RIM_POINTS)
    return torch.stack([torch.cos(around), torch.sin(around)])


def _glasses(face: torch.Tensor, shift: torch.Tensor, style: Style) -> dict[str, torch.Tensor]:
    names = [name for name in SHAPES if name.endswith(("rim", "lens", "arm", "bridge"))]
    nowhere = {name: face[0, face.shape[1] // 2].expand(*SHAPES[name], 3) for name in names}
    if not style.glasses:
        return nowhere
    half_width, half_height, thick, exponent = style.rim
    middle = max(EYE_MIDDLE + 1.0, half_width + 8.0)
    front = at.NASION_DEPTH - ORIGIN_DEPTH + 8.0
    circle = _circle()
    outline = circle.sign() * circle.abs() ** (2 / exponent)
    parts = {}

    def bent(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """On the glasses' front, which bends back towards the temples."""
        return torch.stack([x, y, front - 0.0045 * x * x], dim=-1) + shift

    for side, name in ((-1.0, "left"), (1.0, "right")):
        rings = torch.stack([outline * (1 + part * thick / half_height) for part in (0.0, 1.0)])
        x, y = side * middle + half_width * rings[:, 0], at.EYE_HEIGHT - 1 + half_height * rings[:, 1]
        parts[f"{name}_rim"] = bent(x, y)
        inner = bent(side * middle + half_width * rings[0, 0], at.EYE_HEIGHT - 1 + half_height * rings[0, 1])
        hub = bent(torch.full((RIM_POINTS,), side * middle), torch.full((RIM_POINTS,), at.EYE_HEIGHT - 1))
        parts[f"{name}_lens"] = torch.stack([hub, inner]) if style.lenses else nowhere[f"{name}_lens"]
        hinge = bent(torch.tensor(side * (middle + half_width + thick)), torch.tensor(at.EYE_HEIGHT + 3.0))
        ear = torch.stack([face[face.shape[0] // 3, 0 if side < 0 else -1, 0], torch.tensor(42.0), torch.tensor(-62.0)])
        along = torch.linspace(0, 1, 6)[:, None]
        arm = hinge + along * (ear - hinge)
        arm = arm + torch.tensor([side, 0.0, 0.0]) * (9 * along * (1 - along) * 4)
        tall = torch.tensor([0.0, 0.5 * thick + 1.0, 0.0])
        parts[f"{name}_arm"] = torch.stack([arm + tall, arm - tall])
    gap = middle - half_width
    across = torch.linspace(-1, 1, 5)
    arch = at.EYE_HEIGHT + 3 + 3 * (1 - across**2)
    half = 0.5 * thick + 0.5
    parts["bridge"] = torch.stack([bent(gap * across, arch + half), bent(gap * across, arch - half)])
    return parts
