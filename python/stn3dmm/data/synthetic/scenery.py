"""Backgrounds, and things that come between the camera and the face."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch

from .complexion import SKIN, between, doubled
from .draws import Colour, Draws, planes

BACKGROUNDS = ("gradient", "clouds", "stripes", "lamps", "checker", "room")
OCCLUDERS = ("hand", "card", "ball", "scarf")


class Layer(NamedTuple):
    """A thing before the face."""

    colour: torch.Tensor  # (3, H, W)
    opacity: torch.Tensor  # (H, W)


class Box(NamedTuple):
    """Where the face lies in the image."""

    x: float  # pixels, the middle
    y: float
    size: float  # pixels, half of the longer side


@functools.lru_cache(maxsize=8)
def _plane(H: int, W: int) -> tuple[torch.Tensor, torch.Tensor]:
    """x (1, W) and y (H, 1) in pixels."""
    return torch.arange(W, dtype=torch.float32)[None], torch.arange(H, dtype=torch.float32)[:, None]


def paint_background(draws: Draws, H: int, W: int) -> torch.Tensor:
    """(3, H, W): a plain wall, a pattern, a room or lights, a little out of focus."""
    return doubled(_background(draws, H // 2 + 1, W // 2 + 1))[:, :H, :W]


def _background(draws: Draws, H: int, W: int) -> torch.Tensor:
    kind = BACKGROUNDS[draws.below(len(BACKGROUNDS))]
    first, second = draws.colour(), draws.colour()
    if kind == "lamps":
        image = _lamps(draws, first, H, W)
    elif kind == "room":
        image = _room(draws, first, H, W)
    else:
        pattern = _pattern(draws, kind, H, W)
        image = torch.lerp(planes(first), planes(second), pattern)
    uneven = draws.uniform(0, 0.12) * draws.noise("clouds", H, W)
    return image.mul_(uneven.add_(1)).clamp_(0, 1)


def _pattern(draws: Draws, kind: str, H: int, W: int) -> torch.Tensor:
    """(H, W) 0..1."""
    if kind == "clouds":
        return (0.5 + draws.uniform(0.1, 0.4) * draws.noise("clouds", H, W)).clamp(0, 1)
    wave = _wave(draws, H, W, 0.3 if kind == "gradient" else draws.uniform(3, 14))
    sharp = draws.uniform(1, 12) if kind != "gradient" else 1.0
    if kind == "checker":
        wave = 4 * (wave - 0.5) * (_wave(draws, H, W, draws.uniform(3, 14)) - 0.5) + 0.5
    return ((wave - 0.5) * sharp + 0.5).clamp(0, 1)


def _wave(draws: Draws, H: int, W: int, cycles: float) -> torch.Tensor:
    """(H, W) a triangle wave, 0..1, so many cycles across the image, in any direction."""
    x, y = _plane(H, W)
    angle = draws.uniform(0, math.pi)
    pace = cycles / max(H, W)
    phase = x * (math.cos(angle) * pace) + (y * (math.sin(angle) * pace) + draws.uniform(0, 1))
    return (2 * (phase - phase.floor()) - 1).abs()


def _lamps(draws: Draws, base: Colour, H: int, W: int) -> torch.Tensor:
    """Discs of light, out of focus."""
    image = (planes(base) * 0.6).expand(3, H, W).clone()
    x, y = _plane(H, W)
    side = min(H, W)
    for _ in range(6):
        radius, u, v = draws.uniform(0.04, 0.22) * side, draws.uniform(0, W), draws.uniform(0, H)
        rows, columns = _reach(v, radius, H), _reach(u, radius, W)
        across = ((x[:, columns] - u) ** 2 + (y[rows] - v) ** 2).sqrt_()
        opacity = ((radius - across) / (draws.uniform(0.1, 0.8) * radius)).clamp_(0, 1) * draws.uniform(0.2, 0.8)
        image[:, rows, columns].lerp_(planes(draws.colour(0.2, 1.0)), opacity)
    return image


def _reach(middle: float, radius: float, size: int) -> slice:
    """The pixels of a row or column of so many that lie within a radius."""
    return slice(max(math.ceil(middle - radius), 0), min(math.floor(middle + radius) + 1, size))


def _room(draws: Draws, base: Colour, H: int, W: int) -> torch.Tensor:
    """Upright boxes: shelves, windows, doors."""
    image = planes(base).expand(3, H, W).clone()
    for _ in range(7):
        rows, columns = sorted((draws.uniform(0, H), draws.uniform(0, H))), draws.uniform(0, W)
        wide = draws.uniform(0.04, 0.4) * W
        image[:, int(rows[0]) : int(rows[1]) + 1, int(columns) : int(columns + wide) + 1] = planes(draws.colour())
    return image


def paint_occluder(draws: Draws, H: int, W: int, face: Box) -> Layer:
    """Something before a part of the face."""
    kind = OCCLUDERS[draws.below(len(OCCLUDERS))]
    step = 2 if kind == "hand" else 1  # a hand is smooth enough to be drawn on every other pixel
    x, y = (step * axis for axis in _plane(H // step + step - 1, W // step + step - 1))
    if kind == "scarf":
        return _scarf(draws, (x - face.x) / face.size, (y - face.y) / face.size, face.size)
    towards, away = draws.uniform(0, 2 * math.pi), draws.uniform(0.3, 0.9)
    turn = towards + draws.uniform(-0.6, 0.6) if kind == "hand" else draws.uniform(-math.pi, math.pi)
    cosine, sine = math.cos(turn) / face.size, math.sin(turn) / face.size
    dx = x - (face.x + away * face.size * math.cos(towards))
    dy = y - (face.y + away * face.size * math.sin(towards))
    # Half face sizes; u points away from the face.
    u, v = dx * cosine + dy * sine, dy * cosine - dx * sine
    layer = {"hand": _hand, "card": _card, "ball": _ball}[kind](draws, u, v, face.size)
    return Layer(layer.colour[:, :H, :W], layer.opacity[:H, :W])


def _card(draws: Draws, u: torch.Tensor, v: torch.Tensor, size: float) -> Layer:
    """A printed card or a telephone."""
    inside = torch.minimum(draws.uniform(0.2, 0.55) - u.abs(), draws.uniform(0.2, 0.45) - v.abs())
    H, W = inside.shape
    printed = 1 - 0.5 * ((draws.noise("strands", H, W) > 0.4) & (inside > 0.12)).float()
    colour = planes(draws.colour()) * draws.uniform(0.6, 1.0)
    return Layer(colour * printed, (inside * size + 0.5).clamp(0, 1))


def _ball(draws: Draws, u: torch.Tensor, v: torch.Tensor, size: float) -> Layer:
    """A ball or an egg, lit from one side."""
    radius = draws.uniform(0.25, 0.5)
    squared = (u * u + (v * draws.uniform(0.8, 1.5)) ** 2) / radius**2
    shade = 0.45 + 0.55 * (1 - squared).clamp_min(0).sqrt() + (0.15 / radius) * (u + v)
    colour = planes(draws.colour()) * draws.uniform(0.6, 1.0)
    return Layer((colour * shade).clamp(0, 1), ((1 - squared) * (radius * size / 2) + 0.5).clamp(0, 1))


def _scarf(draws: Draws, u: torch.Tensor, v: torch.Tensor, size: float) -> Layer:
    """Cloth over mouth and chin, down to the lower edge of the image."""
    top = draws.uniform(0.2, 0.5) + draws.uniform(-0.25, 0.25) * u + draws.uniform(-0.15, 0.25) * u * u
    inside = torch.minimum(v - top, draws.uniform(0.95, 1.2) - u.abs() + 0.7 * (v - top).clamp_min(0))
    H, W = inside.shape
    folds = 0.75 + 0.22 * draws.noise("clouds", H, W) + 0.35 * (3 * inside).clamp(0, 1)
    weave = 1 + 0.25 * ((12 * (v - top)).floor().remainder(2) if draws.chance(0.4) else 0 * v)
    colour = planes(draws.colour()) * draws.uniform(0.6, 1.0)
    return Layer((colour * (folds * weave)).clamp(0, 1), (inside * size + 0.5).clamp(0, 1))


def _hand(draws: Draws, u: torch.Tensor, v: torch.Tensor, size: float) -> Layer:
    """A flat hand that reaches from outside over the face; u and v, of every other pixel, in half face sizes."""
    scale = draws.uniform(0.85, 1.15)
    mirror = -1.0 if draws.chance(0.5) else 1.0
    spread = draws.uniform(0.02, 0.16)
    limbs = [(0.25, 0.0, 2.6, 0.0, 0.26), (-0.02, 0.0, 0.4, 0.05, 0.30)]  # arm and palm: from u, v to u, v, radius
    for k, length in enumerate((0.62, 0.74, 0.70, 0.52)):
        base, slope = -0.235 + 0.157 * k, (k - 1.5) * spread
        limbs.append((-0.1, base, -0.1 - length * (1 - 0.3 * slope**2), base + slope * length, 0.082))
    limbs.append((0.25, -0.25, -0.12, -0.52, 0.09))
    u, v = u / scale, v * (mirror / scale)
    inside = torch.full_like(u, -10.0)
    rounded = torch.zeros_like(u)
    for u0, v0, u1, v1, radius in limbs:
        du, dv = u1 - u0, v1 - v0
        x, y = u - u0, v - v0
        along = (x * (du / (du * du + dv * dv))).add_(y, alpha=dv / (du * du + dv * dv)).clamp_(0, 1)
        squared = x.sub_(along, alpha=du).square_().add_(y.sub_(along, alpha=dv).square_())
        depth = radius - squared.sqrt()
        height = (1 - squared / radius**2).clamp_min_(0).sqrt_()
        rounded = torch.where(depth > inside.clamp_min(0), height, rounded)
        inside = torch.maximum(inside, depth)
    inside, rounded = doubled(torch.stack([inside, rounded]))
    light = draws.uniform(0.65, 1.0)
    skin = planes(between(SKIN, draws.uniform(0, 1)))
    fold = planes((0.12, 0.25, 0.28)) * (1 - rounded)
    return Layer(skin * (light * (0.62 + 0.38 * rounded) * (1 - fold)), (inside * (size * scale) + 0.5).clamp(0, 1))
