"""The atlas of a person under the light of a view."""

from __future__ import annotations

import functools

import numpy as np
import torch

from .atlas import Atlas
from .body import SHAPES, Style
from .complexion import SHAVED, Palette, doubled
from .draws import Colour, Draws, planes
from .lighting import Light, cross, grid_normals, highlights, light_skin, shade_face, shadows
from .regions import regions

HAIR = ("skull", "fringe", "mane")
LENS = (0.06, 0.06, 0.07)
GLASSES_NORMAL = (0.0, 0.3, 0.95)  # too thin for a shape of their own


def colour_face(
    colours: torch.Tensor, texture: torch.Tensor, points: torch.Tensor, rotation: np.ndarray, light: Light, hair: bool
) -> None:
    """Writes a face's part of the atlas under the light, 0..1.

    Args:
        colours: (3, p, q), to be written.
        texture: (3, p, q), display colours.
        points: (3, P, Q) pixels, y up.
        rotation: (3, 3) model frame to view frame.
        light: of the image.
        hair: takes the skin's gloss away where it grows.
    """
    P, Q = points.shape[1:]
    normals = grid_normals(points)
    lit = light_skin(normals, light, shade_face(shadows((P, Q)), rotation, light))
    gloss = highlights(normals, light)
    if hair:
        gloss *= _matt((P, Q))
    fine = doubled(torch.cat([lit, gloss[None]]).reshape(4, P, Q))
    rows, columns = regions((P, Q)).eyes
    fine[3, rows, columns] += _glint(light, rotation, (P, Q))
    for plane, paint, out in zip(fine, texture, colours, strict=False):
        torch.sqrt(plane.mul_(paint).mul_(paint).add_(fine[3]).clamp_(0, 1), out=out)


@functools.lru_cache(maxsize=4)
def _matt(grid_shape: tuple[int, int]) -> torch.Tensor:
    """(P Q,) 0 where hair takes the skin's gloss away, else 1."""
    return (1 - regions(grid_shape).hairline[::2, ::2] / 8).clamp(0, 1).flatten()


def _glint(light: Light, rotation: np.ndarray, grid_shape: tuple[int, int]) -> torch.Tensor:
    """The main lamp's mirror image in both eyes, within their window."""
    maps, lamp = regions(grid_shape), light.lamps[0]
    x, y, z = (rotation * np.array(lamp.direction)[:, None]).sum(axis=0).tolist()
    dx, dy = maps.eye_x[maps.eyes] - 2.4 * x, maps.eye_y[maps.eyes] - 2.4 * y
    spot: torch.Tensor = (1.4 - (dx * dx + dy * dy)).clamp_(0, 1).mul_(maps.eye_open[maps.eyes])
    return spot.mul_(max(z, 0.0) * min(1.2 * lamp.colour[1], 1.0))


def colour_parts(
    colours: torch.Tensor, layout: Atlas, paint: torch.Tensor, style: Style, points: torch.Tensor, light: Light
) -> None:
    """Writes the rest of the atlas under the light, 0..1.

    Args:
        colours: (3, h - p, w), to be written.
        layout: of the atlas.
        paint: (3, h - p, w), display colours.
        style: what the person wears.
        points: (3, M) pixels, y up, the parts.
        light: of the image.
    """
    bright = light_skin(_part_normals(points), light).mul_(_gloom()).clamp_min_(0).sqrt_()
    top = layout.tiles["face"][1]
    first = 0
    colours.zero_()
    for name, (rows, columns) in SHAPES.items():
        row, tall, wide = layout.tiles[name]
        part = bright[:, first : first + rows * columns].reshape(3, rows, columns)
        first += rows * columns
        if not style.wears(name):
            continue
        while part.shape[1] < tall:
            part = doubled(part)
        colours[:, row - top : row - top + tall, :wide] = part
    colours.mul_(paint).clamp_(max=1)


@functools.cache
def _neighbours() -> tuple[np.ndarray, ...]:
    """(M,) the vertices below, above, right and left of each vertex of the parts, itself at an edge."""
    sides: list[list[np.ndarray]] = [[], [], [], []]
    first = 0
    for rows, columns in SHAPES.values():
        row, column = np.arange(rows)[:, None], np.arange(columns)[None]
        moves = ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1))
        for side, (r, c) in zip(sides, moves, strict=True):
            side.append((first + r.clip(0, rows - 1) * columns + c.clip(0, columns - 1)).flatten())
        first += rows * columns
    return tuple(np.concatenate(side) for side in sides)


def _part_normals(vertices: torch.Tensor) -> torch.Tensor:
    """(3, M) normals of the parts (y up), turned to the viewer: one sees no other side of anything."""
    below, above, right, left = (np.take(vertices.numpy(), index, axis=1) for index in _neighbours())
    normal = cross(torch.from_numpy(below - above), torch.from_numpy(right - left))
    normal *= normal[2].sign()
    thin = sum(rows * columns for name, (rows, columns) in SHAPES.items() if is_glasses(name))
    normal[:, -thin:] = torch.tensor(GLASSES_NORMAL)[:, None]
    return normal


def is_glasses(name: str) -> bool:
    """Whether a part belongs to the glasses, which come last."""
    return name.endswith(("rim", "lens", "arm", "bridge"))


@functools.cache
def _gloom() -> torch.Tensor:
    """(M,): the shade under the chin."""
    shade = []
    for name, (rows, columns) in SHAPES.items():
        down = torch.linspace(0, 1, rows)[:, None]
        dark = {"chin": 1 - 0.35 * down, "neck": 0.62 + 0.38 * (2.5 * down - 1.5).clamp(0, 1)}.get(name, 1 + 0 * down)
        shade.append(dark.expand(rows, columns).flatten())
    return torch.cat(shade)


def paint_parts(layout: Atlas, draws: Draws, palette: Palette, style: Style, clothes: Colour) -> torch.Tensor:
    """The colours (3, h - p, w) of a person's hair, neck, clothes and glasses, without light."""
    top = layout.tiles["face"][1]
    colours = torch.zeros(3, layout.size[0] - top, layout.size[1])
    for name in SHAPES:
        if style.wears(name):
            row, tall, wide = layout.tiles[name]
            _paint(colours[:, row - top : row - top + tall, :wide], name, draws, palette, style, clothes)
    return colours


def _paint(part: torch.Tensor, name: str, draws: Draws, palette: Palette, style: Style, clothes: Colour) -> None:
    """Writes the colours of a part, (3, h, w)."""
    if is_glasses(name):
        part.copy_(planes(LENS if name.endswith("lens") else style.frame))
        return
    H, W = part.shape[1:]
    noise = draws.noise("strands", H, W)
    if name == "shoulders":
        weave = torch.add(0.08 * noise, draws.noise("clouds", H, W), alpha=0.1)
        torch.mul(planes(clothes), weave.add_(1), out=part)
    elif name not in HAIR:
        torch.mul(_sallow(palette), 1 + 0.01 * noise, out=part)
    elif name != "skull" or style.length > 0:
        torch.mul(planes(palette.hair), 1 + 0.25 * noise, out=part)
    else:
        grown = _short_hair(H, W) * (1.0 if style.hair else SHAVED)
        grown += 0.3 * noise * grown * (1 - grown)
        part.copy_(_sallow(palette)).lerp_(planes(palette.hair) * (1 + 0.25 * noise), grown.clamp_(0, 1))


def _sallow(palette: Palette) -> torch.Tensor:
    """(3, 1, 1) the skin below the face and around it."""
    red, green, blue = palette.skin
    return planes((0.97 * red, 0.93 * green, 0.93 * blue))


@functools.cache
def _short_hair(H: int, W: int) -> torch.Tensor:
    """(H, W) where the skull bears hair that ends at the nape: 0 below the ears, at both ends of the border."""
    along = torch.linspace(-1, 1, W).abs()
    back = torch.linspace(0, 1, H)[:, None]
    return ((0.86 - along - 0.06 * back) / 0.08).clamp(0, 1)
