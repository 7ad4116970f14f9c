"""Light on the face and on what surrounds it; linear, 1 = as bright as the texture."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

import stn3dmm_cuda
from stn3dmm.embedded import embedded_model

from .config import SyntheticConfig
from .draws import Colour, Draws

DIRECTIONS = 160  # from which the mean face's shadows are known
NEIGHBOURS = 5  # of them blend into the shadow of a light
SCATTER = (0.30, 0.12, 0.06)  # how far red, green and blue light run below the skin, around the edge of a shadow


@dataclasses.dataclass(frozen=True)
class Lamp:
    """A light far away."""

    direction: tuple[float, float, float]  # towards it, view frame, unit length
    colour: Colour


@dataclasses.dataclass(frozen=True)
class Light:
    """All light of one image."""

    ambient: Colour  # from everywhere
    rise: Colour  # of the ambient light from below to above
    lamps: tuple[Lamp, Lamp]  # the main one and a weaker one
    gloss: float  # strength of the skin's highlights


@dataclasses.dataclass(frozen=True, eq=False)
class Shadows:
    """What the mean face hides from itself."""

    directions: np.ndarray  # (D, 3) model frame, unit length
    lit: torch.Tensor  # (D, P Q) 0..1, whether the light from there arrives, softened
    open: torch.Tensor  # (P Q,) 0..1, how much of the light from everywhere arrives


class Shade(NamedTuple):
    """What a face in the light hides from itself."""

    open: torch.Tensor  # (n,) share of the light from everywhere that arrives
    lamps: list[torch.Tensor]  # (n,) share of each lamp's light that arrives


def draw_light(draws: Draws, config: SyntheticConfig) -> Light:
    """Light from any side in front of the face."""
    brightness, contrast = draws.uniform(*config.brightness), draws.uniform(*config.contrast)
    tint = tuple(1 + draws.uniform(-0.10, 0.10) for _ in range(3))
    ambient = tuple(brightness * (1 - contrast) * (0.92 + 0.08 * value) for value in tint)
    lift = draws.uniform(-0.1, 0.35)
    main = _lamp(draws, 1.25 * brightness * contrast, -0.55, 0.15)
    second = _lamp(draws, draws.uniform(0.15, 0.5) * brightness * contrast, -0.7, -0.35)
    base = tuple(value + 0.16 * brightness * contrast for value in ambient)
    rise = tuple(lift * value for value in base)
    return Light((base[0], base[1], base[2]), (rise[0], rise[1], rise[2]), (main, second), draws.uniform(0.0, 0.22))


def _lamp(draws: Draws, strength: float, lowest: float, nearest: float) -> Lamp:
    """A lamp not far below the face and not far behind it (z >= nearest)."""
    direction = draws.direction(lowest)
    while direction[2] < nearest:
        direction = draws.direction(lowest)
    warmth = draws.uniform(-0.15, 0.15)
    x, y, z = (float(value) for value in direction)
    return Lamp((x, y, z), (strength * (1 + warmth), strength, strength * (1 - warmth)))


@functools.lru_cache(maxsize=4)
def shadows(grid_shape: tuple[int, int]) -> Shadows:
    """The mean face's shadows, by the visibility of its vertices from many sides."""
    index = np.arange(DIRECTIONS) + 0.5
    y, around = 1 - 2 * index / DIRECTIONS, math.pi * (1 + math.sqrt(5)) * index
    beside = np.sqrt(1 - y * y)
    towards = np.stack([beside * np.cos(around), y, beside * np.sin(around)], axis=1)
    mean, _ = embedded_model(grid_shape).tensors()
    normal = grid_normals(mean.mT.reshape(3, *grid_shape))
    seen = []
    rotations = torch.from_numpy(_looking(towards)).float()
    for first in range(0, DIRECTIONS, 16):
        turned = mean @ rotations[first : first + 16].mT
        points = turned * torch.tensor([1.0, -1.0, 1.0])
        seen.append(stn3dmm_cuda.visibility(points.contiguous(), grid_shape=grid_shape, tolerance=1.0))
    lit = torch.cat(seen).reshape(-1, 1, *grid_shape)
    facing = (torch.from_numpy(towards).float() @ normal).clamp_min(0).reshape(lit.shape)
    arriving = (lit * facing).sum(0) / facing.sum(0).clamp_min(1.0)
    openness = 0.25 + 0.75 * _softened(arriving[None])
    return Shadows(towards, _softened(_softened(lit)).flatten(1), openness.flatten())


def _looking(towards: np.ndarray) -> np.ndarray:
    """(D, 3, 3) rotations that turn each direction towards the viewer."""
    helper = np.where(np.abs(towards[:, 1:2]) < 0.9, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])
    right = np.cross(helper, towards)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(towards, right), towards], axis=1)


def _softened(maps: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(maps, 5, stride=1, padding=2, count_include_pad=False)


def grid_normals(vertices: torch.Tensor) -> torch.Tensor:
    """Normals (3, P Q) of a grid of vertices (3, P, Q) in a frame with y up, by central differences."""
    down, right = torch.empty_like(vertices), torch.empty_like(vertices)
    torch.sub(vertices[:, 2:], vertices[:, :-2], out=down[:, 1:-1])
    torch.sub(vertices[:, :, 2:], vertices[:, :, :-2], out=right[:, :, 1:-1])
    for first, second, edge in ((0, 1, 0), (-2, -1, -1)):
        torch.sub(vertices[:, second], vertices[:, first], out=down[:, edge])
        torch.sub(vertices[:, :, second], vertices[:, :, first], out=right[:, :, edge])
    return cross(down.flatten(1), right.flatten(1))


def cross(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The unit vectors (3, n) across a and b (3, n)."""
    (ax, ay, az), (bx, by, bz) = a, b
    x = (ay * bz).addcmul_(az, by, value=-1)
    y = (az * bx).addcmul_(ax, bz, value=-1)
    z = (ax * by).addcmul_(ay, bx, value=-1)
    scale = (x * x).addcmul_(y, y).addcmul_(z, z).clamp_min_(1e-24).rsqrt_()
    return torch.stack([x.mul_(scale), y.mul_(scale), z.mul_(scale)])


def shade_face(shadow: Shadows, rotation: np.ndarray, light: Light) -> Shade:
    """The light that reaches the vertices of a face, turned by a rotation (3, 3)."""
    shares = []
    for lamp in light.lamps:
        towards = (rotation * np.array(lamp.direction)[:, None]).sum(axis=0)  # model frame
        near = (shadow.directions * towards).sum(axis=1)
        order = np.argsort(-near, kind="stable")[: NEIGHBOURS + 1]
        weights = near[order[:-1]] - near[order[-1]]
        weights /= weights.sum()
        (first, weight), *others = zip(order.tolist(), weights.tolist(), strict=False)
        share = shadow.lit[first] * weight
        for k, weight in others:
            share.add_(shadow.lit[k], alpha=weight)
        shares.append(share)
    return Shade(shadow.open, shares)


def _column(colour: Colour) -> torch.Tensor:
    return torch.tensor(colour)[:, None]


def light_skin(normals: torch.Tensor, light: Light, shade: Shade | None = None) -> torch.Tensor:
    """The light (3, n) on surfaces.

    Args:
        normals: (3, n) view frame.
        light: of the image.
        shade: what of it arrives; None = all.
    """
    x, y, z = normals
    total: torch.Tensor = (_column(light.rise) * y).add_(_column(light.ambient))
    if shade is not None:
        total *= shade.open
    wrap = _column(SCATTER)
    for k, lamp in enumerate(light.lamps):
        dx, dy, dz = lamp.direction
        facing = (x * dx).add_(y, alpha=dy).add_(z, alpha=dz)
        lit = (facing + wrap).mul_(_column(lamp.colour) / (1 + wrap)).clamp_min_(0)
        total += lit if shade is None else lit.mul_(shade.lamps[k])
    return total


def highlights(normals: torch.Tensor, light: Light) -> torch.Tensor:
    """The main lamp's reflections (n,) on skin with normals (3, n), view frame."""
    x, y, z = light.lamps[0].direction
    hx, hy, hz = (np.array([x, y, z + 1]) / math.hypot(x, y, z + 1)).tolist()  # halfway to the viewer
    near: torch.Tensor = (normals[0] * hx).add_(normals[1], alpha=hy).add_(normals[2], alpha=hz).clamp_min_(0)
    for _ in range(4):  # to the 16th power
        near.mul_(near)
    return near.mul_(light.gloss * light.lamps[0].colour[1])
