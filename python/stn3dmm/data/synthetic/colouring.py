"""The atlases of persons under the light of their views."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F

from .atlas import Atlas
from .body import SHAPES, Style
from .complexion import SHAVED, Palette, doubled, mix
from .draws import Colour, Draws
from .lighting import Lights, arriving_light, grid_normals, highlights, light_skin, shadows
from .regions import regions

HAIR = ("skull", "fringe", "mane")
GLASSES_NORMAL = (0.0, 0.3, 0.95)  # too thin for a shape of their own


def colour_faces(
    textures: list[torch.Tensor], matt: torch.Tensor, points: torch.Tensor, rotation: torch.Tensor, lights: Lights
) -> torch.Tensor:
    """The faces' part of the atlas under the light, (B, 3, p, q) 0..1.

    Args:
        textures: B of (3, p, q), display colours.
        matt: (B, P, Q) 0 where hair takes the skin's gloss away, else 1.
        points: (B, P, Q, 3) pixels.
        rotation: (B, 3, 3) model frame to view frame.
        lights: of the images.
    """
    B, P, Q = points.shape[:3]
    normals = grid_normals(points * torch.tensor([1.0, -1.0, 1.0])).reshape(B, -1, 3)
    shade = shadows((P, Q))
    arriving = arriving_light(shade, rotation, lights).reshape(B, 2, -1)
    light = light_skin(normals, lights, shade.open.flatten(), arriving)
    gloss = highlights(normals, lights) * matt.reshape(B, 1, -1)
    fine = doubled(torch.cat([light, gloss], dim=1).reshape(B, 4, P, Q))
    rows, columns = regions((P, Q)).eyes
    for b, texture in enumerate(textures):
        linear = fine[b, :3]
        linear *= texture
        linear *= texture
        linear += fine[b, 3]
        linear[:, rows, columns] += _glint(lights, rotation, b, (P, Q))
    lit: torch.Tensor = fine[:, :3].clamp(0, 1).sqrt()
    return lit


def _glint(lights: Lights, rotation: torch.Tensor, b: int, grid_shape: tuple[int, int]) -> torch.Tensor:
    """The main lamp's mirror image in both eyes, within their window."""
    maps = regions(grid_shape)
    x, y, z = (rotation[b] * lights.directions[b, 0, :, None]).sum(dim=0).tolist()
    dx, dy = maps.eye_x[maps.eyes] - 2.4 * x, maps.eye_y[maps.eyes] - 2.4 * y
    spot: torch.Tensor = (1.4 - (dx * dx + dy * dy)).clamp(0, 1) * max(z, 0.0)
    spot = spot * maps.eye_open[maps.eyes]
    return spot * min(1.2 * float(lights.colours[b, 0, 1]), 1.0)


def colour_parts(
    colours: torch.Tensor, layout: Atlas, paint: list[torch.Tensor], parts: torch.Tensor, lights: Lights
) -> None:
    """Writes the rest of the atlas under the light, 0..1.

    Args:
        colours: (B, 3, h - p, w), zeros to be written.
        layout: of the atlas.
        paint: B of (3, h - p, w), display colours.
        parts: (B, M, 3) pixels.
        lights: of the images.
    """
    B = len(parts)
    light = light_skin(_part_normals(parts * torch.tensor([1.0, -1.0, 1.0])), lights) * _gloom()
    top = layout.tiles["face"][1]
    first = 0
    for name, (rows, columns) in SHAPES.items():
        row, tall, wide = layout.tiles[name]
        part = light[..., first : first + rows * columns].reshape(B, 3, rows, columns)
        first += rows * columns
        if (tall, wide) != (rows, columns):
            part = F.interpolate(part, size=(tall, wide), mode="bilinear", align_corners=True)
        colours[:, :, row - top : row - top + tall, :wide] = part
    for b, paints in enumerate(paint):
        colours[b] *= paints
        colours[b] *= paints
    colours.clamp_(0, 1).sqrt_()


@functools.cache
def _neighbours() -> tuple[torch.Tensor, ...]:
    """(M,) the vertices below, above, right and left of each vertex of the parts, itself at an edge."""
    sides: list[list[torch.Tensor]] = [[], [], [], []]
    first = 0
    for rows, columns in SHAPES.values():
        row, column = torch.arange(rows)[:, None], torch.arange(columns)[None]
        moves = ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1))
        for side, (r, c) in zip(sides, moves, strict=True):
            side.append((first + r.clamp(0, rows - 1) * columns + c.clamp(0, columns - 1)).flatten())
        first += rows * columns
    return tuple(torch.cat(side) for side in sides)


def _part_normals(vertices: torch.Tensor) -> torch.Tensor:
    """(B, M, 3) normals of the parts (y up), turned to the viewer: one sees no other side of anything."""
    below, above, right, left = (vertices[:, index] for index in _neighbours())
    (a, b, c), (d, e, f) = (below - above).unbind(-1), (right - left).unbind(-1)
    normal = torch.stack([b * f - c * e, c * d - a * f, a * e - b * d], dim=-1)
    normal = normal / (normal * normal).sum(-1, keepdim=True).sqrt().clamp_min(1e-12)
    normal = normal * torch.where(normal[..., 2:] < 0, -1.0, 1.0)
    thin = sum(rows * columns for name, (rows, columns) in SHAPES.items() if is_glasses(name))
    normal[:, -thin:] = torch.tensor(GLASSES_NORMAL)
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
            colours[:, row - top : row - top + tall, :wide] = _paint(name, draws, palette, style, clothes, tall, wide)
    return colours


def _paint(name: str, draws: Draws, palette: Palette, style: Style, clothes: Colour, H: int, W: int) -> torch.Tensor:
    """The colours (3, H, W) or (3, 1, 1) of a part."""
    if name.endswith("lens"):
        return torch.tensor([[[0.06]], [[0.06]], [[0.07]]])
    if is_glasses(name):
        return torch.tensor(style.frame)[:, None, None]
    noise = draws.noise("strands", H, W)
    if name == "shoulders":
        return torch.tensor(clothes)[:, None, None] * (1 + 0.08 * noise + 0.1 * draws.noise("clouds", H, W))
    skin = torch.tensor([[[0.97]], [[0.93]], [[0.93]]]) * torch.tensor(palette.skin)[:, None, None]
    if name not in HAIR:
        return skin * (1 + 0.01 * noise)
    hair = torch.tensor(palette.hair)[:, None, None] * (1 + 0.25 * noise)
    if name != "skull" or style.length > 0:
        return hair
    paint = skin.expand(3, H, W).clone()
    grown = _short_hair(H, W) * (1.0 if style.hair else SHAVED)
    mix(paint, (grown + 0.3 * noise * grown * (1 - grown)).clamp(0, 1), hair)
    return paint


def _short_hair(H: int, W: int) -> torch.Tensor:
    """(H, W) where the skull bears hair that ends at the nape: 0 below the ears, at both ends of the border."""
    along = torch.linspace(-1, 1, W).abs()
    back = torch.linspace(0, 1, H)[:, None]
    return ((0.86 - along - 0.06 * back) / 0.08).clamp(0, 1)
