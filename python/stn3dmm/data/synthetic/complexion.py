"""The skin of a person: a texture (3, p, q) in display colours, 0 to 1, without any light on it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from .draws import Colour, Draws, planes
from .regions import Regions, Window

Array = npt.NDArray[Any]

# Skin from light to dark, hair from black to white, irises.
SKIN = (
    (0.95, 0.81, 0.74),
    (0.91, 0.74, 0.63),
    (0.84, 0.64, 0.50),
    (0.71, 0.50, 0.36),
    (0.52, 0.35, 0.25),
    (0.35, 0.23, 0.17),
)
HAIR = (
    (0.06, 0.05, 0.05),
    (0.17, 0.11, 0.08),
    (0.30, 0.18, 0.10),
    (0.46, 0.22, 0.11),
    (0.52, 0.37, 0.21),
    (0.74, 0.60, 0.38),
    (0.64, 0.62, 0.60),
)
IRIS = (
    (0.22, 0.13, 0.08),
    (0.35, 0.22, 0.11),
    (0.42, 0.40, 0.20),
    (0.34, 0.47, 0.40),
    (0.38, 0.53, 0.66),
    (0.45, 0.50, 0.53),
)

SHAVED = 0.25  # how dark a shaved head still shows its hair


@dataclasses.dataclass(frozen=True)
class Palette:
    """The colours of a person."""

    skin: Colour
    hair: Colour
    iris: Colour
    darkness: float  # of the skin, 0 light to 1 dark


def draw_palette(draws: Draws) -> Palette:
    """Colours that people have."""
    darkness = draws.uniform(0, 1)
    skin = between(SKIN, darkness)
    warmth = draws.uniform(-0.03, 0.03)
    natural = draws.uniform(0, len(HAIR) - 1) if not draws.chance(darkness) else draws.uniform(0, 1.2)
    hair = between(HAIR, natural / (len(HAIR) - 1))
    iris = between(IRIS, draws.uniform(0, 1) if not draws.chance(darkness) else draws.uniform(0, 0.25))
    return Palette((skin[0] + warmth, skin[1], skin[2] - warmth), hair, iris, darkness)


def between(colours: tuple[Colour, ...], place: float) -> Colour:
    """A colour between those of a row, place 0 the first and 1 the last."""
    at = min(max(place, 0.0), 1.0) * (len(colours) - 1)
    first = min(int(at), len(colours) - 2)
    weight = at - first
    return tuple(a + weight * (b - a) for a, b in zip(colours[first], colours[first + 1], strict=True))  # type: ignore[return-value]


def mix(texture: torch.Tensor, opacity: torch.Tensor, colour: Colour | torch.Tensor) -> None:
    """Paints a colour, (3,) or (3, h, w), with an opacity (h, w), into a texture (3, h, w)."""
    texture.lerp_(colour if isinstance(colour, torch.Tensor) else planes(colour), opacity)


def _part(texture: torch.Tensor, window: Window) -> torch.Tensor:
    """The window of a texture, to paint in."""
    return texture[:, window[0], window[1]]


def darken(texture: torch.Tensor, amount: torch.Tensor, by: Colour) -> None:
    """Takes so much of red, green and blue away where the amount (h, w) is 1."""
    for plane, share in zip(texture, by, strict=True):
        plane.addcmul_(plane, amount, value=-share)


def paint_skin(draws: Draws, maps: Regions, palette: Palette, rouge: float) -> torch.Tensor:
    """The bare skin, with freckles and pores."""
    H, W = maps.shape
    P, Q = maps.blush.shape
    melanin = 0.05 * draws.noise("clouds", P, Q) + 0.02 * draws.noise("spots", P, Q)
    melanin += draws.uniform(0.0, 0.35) * maps.tired + draws.uniform(0.5, 0.9) * maps.nostrils
    blood = (draws.uniform(0.15, 0.6) * (1 - 0.5 * palette.darkness) + rouge) * maps.blush
    blood += 0.06 * draws.noise("clouds", P, Q)
    coarse = planes(palette.skin).expand(3, P, Q).clone()
    darken(coarse, melanin, (0.45, 0.60, 0.65))
    darken(coarse, blood, (0.02, 0.24, 0.18))
    texture = doubled(coarse)
    grain = (draws.uniform(0.015, 0.035) * draws.noise("grain", H, W)).add_(draws.noise("spots", H, W), alpha=0.015)
    if draws.chance(0.45 * (1 - palette.darkness)):
        spots = (draws.noise("grain", H, W) * 1.4 - draws.uniform(1.2, 2.4)).clamp_(0, 1)
        grain += draws.uniform(0.2, 0.6) * spots * maps.freckled
    darken(texture, grain, (0.45, 0.60, 0.65))
    return texture


def paint_beard(texture: torch.Tensor, draws: Draws, maps: Regions, palette: Palette) -> None:
    """A beard or a moustache, from a shadow to a full one."""
    rows = maps.beard_rows
    where = maps.moustache[rows]
    if draws.chance(0.7):
        where = torch.maximum(maps.beard[rows], where)
    grown = draws.uniform(0.25, 1.1)
    coarse = 0.5 * draws.noise("strands", *where.shape) + 0.4 * draws.noise("grain", *where.shape)
    mix(texture[:, rows], (where * (grown + 0.35 * coarse * min(grown, 1.0))).clamp_(0, 0.96), palette.hair)


def doubled(values: torch.Tensor) -> torch.Tensor:
    """Values (..., P, Q) on vertices, and their means between them: (..., 2 P - 1, 2 Q - 1)."""
    P, Q = values.shape[-2:]
    out = values.new_empty(*values.shape[:-2], 2 * P - 1, 2 * Q - 1)
    even = out[..., ::2, :]
    even[..., ::2] = values
    torch.lerp(values[..., :-1], values[..., 1:], 0.5, out=even[..., 1::2])
    torch.lerp(even[..., :-1, :], even[..., 1:, :], 0.5, out=out[..., 1::2, :])
    return out


def paint_brows(texture: torch.Tensor, draws: Draws, maps: Regions, palette: Palette) -> None:
    """Two eyebrows, each with a shape of its own."""
    part, over, beside = _part(texture, maps.brows), maps.brow_over[maps.brows], maps.brow_beside[maps.brows]
    right = (maps.x[maps.brows] > 0).float()
    thick, dense, end = draws.uniform(2.6, 4.6), draws.uniform(0.6, 1.1), draws.uniform(53, 60)

    def either(low: float, high: float) -> torch.Tensor:
        """A number for each side of the face."""
        first = draws.uniform(low, high)
        return (right * (draws.uniform(low, high) - first)).add_(first)

    half = either(0.85 * thick, 1.15 * thick).mul_(1 - 0.62 * ((beside - 26) / 32).clamp_(0, 1))
    along = ((beside - either(10, 14)) / 7).clamp_(0, 1).mul_(((end - beside) / 7).clamp_(0, 1))
    body = (half - (over - either(-0.8, 0.8)).abs_()).div_(1.6).clamp_(0, 1).mul_(along)
    hairs = 0.9 + 0.25 * draws.noise("strands", *over.shape)
    red, green, blue = (0.75 * value for value in palette.hair)
    mix(part, body.mul_(hairs).mul_(either(0.9 * dense, 1.1 * dense)).clamp_(0, 0.95), (red, green, blue))


def paint_mouth(texture: torch.Tensor, draws: Draws, maps: Regions, palette: Palette, lipstick: Colour | None) -> None:
    """Lips, and teeth between them."""
    part = _part(texture, maps.mouth)
    lips, gap, over = maps.lips[maps.mouth], maps.gap[maps.mouth], maps.gap_over[maps.mouth]
    skin = palette.skin
    natural = (skin[0] * 0.86, skin[1] * draws.uniform(0.58, 0.72), skin[2] * draws.uniform(0.62, 0.78))
    creases = 1 + 0.07 * draws.noise("strands", *lips.shape)
    colour = torch.tensor(lipstick or natural)[:, None, None] * creases
    mix(part, lips * (0.9 if lipstick else 0.8), colour)
    mix(part, gap, (0.20, 0.07, 0.07))
    teeth = (over + 0.15).clamp(0, 0.2) * 5 * (0.62 - over).clamp(0, 0.2) * 5
    mix(part, gap * teeth * draws.uniform(0.6, 0.95), (0.88, 0.85, 0.77))


class _Eyes(NamedTuple):
    """What all eyes share, within their window (h, w)."""

    ball: torch.Tensor  # (3, h, w) the white, and the red of the inner corner
    shade: torch.Tensor  # (3, h, w) of the upper lid on it
    crease: torch.Tensor  # (h, w) of the upper lid
    lashes: torch.Tensor  # (h, w)
    liner: torch.Tensor  # (h, w) lashes with a line drawn along them


@functools.lru_cache(maxsize=4)
def _eyes(maps: Regions) -> _Eyes:
    upper, across = maps.eye_upper[maps.eyes], maps.eye_across[maps.eyes]
    ball = planes((0.90, 0.88, 0.86)).expand(3, *upper.shape).clone()
    darken(ball, ((across + 0.95).abs() * -5 + 1).clamp(0, 1), (0.10, 0.40, 0.38))
    shade = torch.ones_like(ball)
    darken(shade, (1 - upper / 3.2).clamp(0, 1), (0.55, 0.57, 0.57))
    near = (1.12 - across.abs()).clamp(0, 0.12) / 0.12
    crease = (1 - (upper + 3.4 - 1.4 * across.abs()).abs()).clamp(0, 1) * near
    lashes, liner = ((1 - (upper + 0.3).abs() / width).clamp(0, 1) * near for width in (0.85, 1.1))
    return _Eyes(ball, shade, crease, lashes, liner)


def paint_eyes(texture: torch.Tensor, draws: Draws, maps: Regions, palette: Palette, lined: bool) -> None:
    """White, iris and pupil below the lids' shadow, lashes, the crease of the upper lid."""
    window, eyes = maps.eyes, _eyes(maps)
    part, ball = _part(texture, window), eyes.ball.clone()
    dx, dy = maps.eye_x[window] - draws.uniform(-1.6, 1.6), maps.eye_y[window] - draws.uniform(-0.5, 0.7)
    distance = (dx * dx).addcmul_(dy, dy).sqrt_()
    radius, pupil = draws.uniform(5.6, 6.1), draws.uniform(1.7, 3.0)
    streaks = 1 + 0.12 * draws.noise("strands", *distance.shape)
    streaks *= 1.25 - 0.4 * ((distance - pupil) / 3.5).clamp_(0, 1)
    mix(ball, ((radius - distance) / 0.7 + 0.5).clamp_(0, 1), planes(palette.iris) * streaks)
    darken(ball, (1 - (distance - radius).abs_() / 0.9).clamp_(0, 1), (0.6, 0.6, 0.6))
    mix(ball, ((pupil - distance) / 0.5 + 0.5).clamp_(0, 1), (0.03, 0.03, 0.03))
    mix(part, maps.eye_open[window], ball.mul_(eyes.shade))
    darken(part, eyes.crease, (0.22, 0.28, 0.30))
    lash = draws.uniform(0.65, 1.0) if lined else draws.uniform(0.25, 0.75)
    mix(part, (eyes.liner if lined else eyes.lashes) * lash, (0.07, 0.05, 0.05))


def paint_marks(texture: torch.Tensor, draws: Draws, maps: Regions) -> None:
    """Moles, now and then a scar or a birthmark: what no face has in the mirror image's places."""
    for _ in range(2 + draws.below(5)):
        window, x, y = _spot(draws, maps, 5)
        opacity = ((draws.uniform(0.6, 1.7) - np.hypot(x, y)) / 0.7 + 0.5).clip(0, 1) * draws.uniform(0.5, 0.95)
        _stain(texture, window, opacity, (0.55, 0.68, 0.72))
    if draws.chance(0.15):
        window, x, y = _spot(draws, maps, 24)
        edge = draws.uniform(8, 16) * (1 + 0.35 * draws.noise("clouds", *x.shape).numpy())
        _stain(texture, window, ((edge - np.hypot(x, y)) / 4).clip(0, 1), (0.12, 0.42, 0.36))
    if draws.chance(0.25):
        window, x, y = _spot(draws, maps, 20)
        cosine, sine, _ = draws.direction()
        along = (x * cosine + y * sine).clip(-draws.uniform(4, 9), draws.uniform(4, 9))
        away = np.hypot(x - along * cosine, y - along * sine)
        _stain(texture, window, ((0.9 - away) / 0.6).clip(0, 1) * draws.uniform(0.3, 0.8), (-0.05, 0.35, 0.25))


def _spot(draws: Draws, maps: Regions, reach: int) -> tuple[Window, Array, Array]:
    """A window of so many texels around a random place on the front, and x and y from there in mm."""
    row, column = maps.front[draws.below(len(maps.front))]
    window = (slice(max(row - reach, 0), row + reach + 1), slice(max(column - reach, 0), column + reach + 1))
    x, y = maps.x.numpy(), maps.y.numpy()  # small windows: NumPy has less to do around each operation
    return window, x[window] - x[row, column], y[window] - y[row, column]


def _stain(texture: torch.Tensor, window: Window, opacity: Array, by: Colour) -> None:
    """`darken` for a small window."""
    texture.numpy()[:, window[0], window[1]] *= 1 - opacity * np.array(by, dtype=np.float32)[:, None, None]


def paint_make_up(texture: torch.Tensor, draws: Draws, maps: Regions) -> None:
    """Eye shadow, and now and then a painted mark on one cheek."""
    rows = maps.lid_rows
    mix(texture[:, rows], maps.lid[rows] * draws.uniform(0.1, 0.55), draws.colour(0.1, 0.7))
    if draws.chance(0.25):
        window, x, y = _spot(draws, maps, 16)
        opacity = torch.from_numpy((draws.uniform(3, 7) - np.hypot(x, y)).clip(0, 0.85))
        mix(_part(texture, window), opacity, draws.colour())


def paint_hairline(texture: torch.Tensor, draws: Draws, maps: Regions, palette: Palette, grown: float) -> None:
    """The hair above the forehead and before the ears, from 0, shaved off, to 1."""
    rows = maps.hair_rows
    part, over = texture[:, rows], maps.hairline[rows]
    strands = draws.noise("strands", *over.shape)
    opacity = torch.add(over - draws.uniform(-8, 4), strands, alpha=3.0).mul_(grown / 6).clamp_(0, grown)
    mix(part, opacity, planes(palette.hair) * (1 + 0.22 * strands))


def paint_face(draws: Draws, maps: Regions, palette: Palette, beard: bool, hair: bool, make_up: bool) -> torch.Tensor:
    """The whole texture (3, p, q) of a person, 0..1."""
    texture = paint_skin(draws, maps, palette, draws.uniform(0.0, 0.5) if make_up else 0.0)
    lipstick = (draws.uniform(0.45, 0.8), draws.uniform(0.08, 0.3), draws.uniform(0.12, 0.35)) if make_up else None
    if make_up:
        paint_make_up(texture, draws, maps)
    if beard:
        paint_beard(texture, draws, maps, palette)
    paint_marks(texture, draws, maps)
    paint_brows(texture, draws, maps, palette)
    paint_mouth(texture, draws, maps, palette, lipstick)
    paint_eyes(texture, draws, maps, palette, make_up)
    paint_hairline(texture, draws, maps, palette, 1.0 if hair else SHAVED)
    return texture.clamp_(0, 1)
