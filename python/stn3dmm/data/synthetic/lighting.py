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


class Lights(NamedTuple):
    """The light of B images."""

    ambient: torch.Tensor  # (B, 3)
    rise: torch.Tensor  # (B, 3)
    directions: torch.Tensor  # (B, 2, 3)
    colours: torch.Tensor  # (B, 2, 3)
    gloss: torch.Tensor  # (B,)


@dataclasses.dataclass(frozen=True, eq=False)
class Shadows:
    """What the mean face hides from itself."""

    directions: np.ndarray  # (D, 3) model frame, unit length
    lit: torch.Tensor  # (D, P, Q) 0..1, whether the light from there arrives, softened
    open: torch.Tensor  # (P, Q) 0..1, how much of the light from everywhere arrives


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


def together(lights: list[Light]) -> Lights:
    """The light of several images as tensors."""
    return Lights(
        torch.tensor([light.ambient for light in lights]),
        torch.tensor([light.rise for light in lights]),
        torch.tensor([[lamp.direction for lamp in light.lamps] for light in lights]),
        torch.tensor([[lamp.colour for lamp in light.lamps] for light in lights]),
        torch.tensor([light.gloss for light in lights]),
    )


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
    normal = grid_normals(mean.reshape(*grid_shape, 3)).reshape(-1, 3)
    seen = []
    rotations = torch.from_numpy(_looking(towards)).float()
    for first in range(0, DIRECTIONS, 16):
        turned = mean @ rotations[first : first + 16].mT
        points = turned * torch.tensor([1.0, -1.0, 1.0])
        seen.append(stn3dmm_cuda.visibility(points.contiguous(), grid_shape=grid_shape, tolerance=1.0))
    lit = torch.cat(seen).reshape(-1, 1, *grid_shape)
    facing = (normal @ torch.from_numpy(towards).float().mT).clamp_min(0).mT.reshape(lit.shape)
    arriving = (lit * facing).sum(0) / facing.sum(0).clamp_min(1.0)
    return Shadows(towards, _softened(_softened(lit))[:, 0], _softened(arriving[None])[0, 0])


def _looking(towards: np.ndarray) -> np.ndarray:
    """(D, 3, 3) rotations that turn each direction towards the viewer."""
    helper = np.where(np.abs(towards[:, 1:2]) < 0.9, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])
    right = np.cross(helper, towards)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(towards, right), towards], axis=1)


def _softened(maps: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(maps, 5, stride=1, padding=2, count_include_pad=False)


def grid_normals(vertices: torch.Tensor) -> torch.Tensor:
    """Normals (..., P, Q, 3) of a grid of vertices in a frame with y up, by central differences."""
    down, right = torch.empty_like(vertices), torch.empty_like(vertices)
    torch.sub(vertices[..., 2:, :, :], vertices[..., :-2, :, :], out=down[..., 1:-1, :, :])
    torch.sub(vertices[..., :, 2:, :], vertices[..., :, :-2, :], out=right[..., :, 1:-1, :])
    for edge, inner, sign in ((0, 1, 1), (-1, -2, -1)):
        down[..., edge, :, :] = sign * (vertices[..., inner, :, :] - vertices[..., edge, :, :])
        right[..., :, edge, :] = sign * (vertices[..., :, inner, :] - vertices[..., :, edge, :])
    (a, b, c), (d, e, f) = down.unbind(-1), right.unbind(-1)
    normal = torch.stack([b * f - c * e, c * d - a * f, a * e - b * d], dim=-1)
    return normal / (normal * normal).sum(-1, keepdim=True).sqrt().clamp_min(1e-12)


def arriving_light(shade: Shadows, rotation: torch.Tensor, lights: Lights) -> torch.Tensor:
    """(B, 2, P, Q) how much of either lamp's light the face does not hide from itself, rotation (B, 3, 3)."""
    towards = (rotation[:, None] * lights.directions[..., None]).sum(dim=2).double().numpy()  # model frame
    near = np.stack([[shade.directions @ lamp for lamp in lamps] for lamps in towards])  # (B, 2, D)
    order = np.argsort(-near, axis=-1, kind="stable")[..., : NEIGHBOURS + 1]
    closest = np.take_along_axis(near, order, axis=-1)
    weight = closest[..., :-1] - closest[..., -1:]
    weights = torch.from_numpy(weight / weight.sum(axis=-1, keepdims=True)).float()[..., None, None]
    index = torch.from_numpy(order)
    total = shade.lit[index[..., 0]] * weights[:, :, 0]
    for k in range(1, NEIGHBOURS):
        total += shade.lit[index[..., k]] * weights[:, :, k]
    return total


def light_skin(
    normals: torch.Tensor, lights: Lights, openness: torch.Tensor | None = None, arriving: torch.Tensor | None = None
) -> torch.Tensor:
    """The light (B, 3, n) on surfaces.

    Args:
        normals: (B, n, 3) view frame.
        lights: of the images.
        openness: (n,) share of the light from everywhere that arrives; None = all.
        arriving: (B, 2, n) share of the lamps' light that arrives; None = all.
    """
    x, y, z = normals[:, None].unbind(-1)  # (B, 1, n) each
    total = lights.ambient[..., None] + lights.rise[..., None] * y
    if openness is not None:
        total = total * (0.25 + 0.75 * openness)
    wrap = torch.tensor(SCATTER)[:, None]
    for k in range(2):
        dx, dy, dz = lights.directions[:, k, :, None, None].unbind(1)
        facing = x * dx + y * dy + z * dz
        if arriving is not None:
            total += arriving[:, k, None] * ((facing + wrap) * (lights.colours[:, k, :, None] / (1 + wrap))).clamp_(
                min=0
            )
        else:
            total += ((facing + wrap) * (lights.colours[:, k, :, None] / (1 + wrap))).clamp_(min=0)
    return total


def highlights(normals: torch.Tensor, lights: Lights) -> torch.Tensor:
    """The main lamp's reflections (B, 1, n) on skin with normals (B, n, 3), view frame."""
    half = lights.directions[:, 0] + torch.tensor([0.0, 0.0, 1.0])
    half = half / (half * half).sum(-1, keepdim=True).sqrt()
    x, y, z = normals[:, None].unbind(-1)
    hx, hy, hz = half[:, :, None, None].unbind(1)
    near = (x * hx + y * hy + z * hz).clamp_min(0)
    for _ in range(4):  # to the 16th power
        near = near * near
    return near * (lights.gloss * lights.colours[:, 0, 1])[:, None, None]
