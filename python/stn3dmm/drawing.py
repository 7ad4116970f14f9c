"""Pictures of a fit: landmarks and mesh over the photograph, texture and mask."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

Pixels = npt.NDArray[np.uint8]  # (H, W, 3) RGB or (H, W) grey
Points = npt.NDArray[np.floating[Any]]  # (..., 2) pixels

GIVEN = (64, 224, 128, 255)
HIDDEN = (150, 150, 150, 255)
FITTED = (255, 96, 64, 255)
LINES = (0, 200, 255, 190)
SUPERSAMPLING = 3  # Pillow draws hard edges; lines are drawn larger and averaged down


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """An enlarged part of a photograph, to draw on."""

    pixels: Pixels  # (height, width, 3)
    left: int  # photograph column of the view's first column
    top: int
    zoom: float  # view pixels per photograph pixel

    def place(self, points: Points) -> npt.NDArray[np.float64]:
        """Photograph pixels (..., 2), centres at integers, to corner-based view coordinates as Pillow draws them."""
        return np.asarray((points - np.array([self.left, self.top]) + 0.5) * self.zoom, dtype=np.float64)


def view_of_face(photograph: Pixels, points: Points, *, margin: float = 0.2, size: int = 720) -> View:
    """The part of the photograph around points (N, 2); margin in face sizes, longest side about ``size`` pixels."""
    H, W = photograph.shape[:2]
    finite = points[np.isfinite(points).all(axis=-1)]
    low, high = (finite.min(axis=0), finite.max(axis=0)) if len(finite) else (np.zeros(2), np.array([W, H]) - 1.0)
    border = margin * float((high - low).max())
    left, top = (int(v) for v in np.clip(np.floor(low - border), 0, [W - 1, H - 1]))
    right, bottom = (int(v) for v in np.clip(np.ceil(high + border) + 1, [left + 1, top + 1], [W, H]))
    zoom = size / max(right - left, bottom - top)
    shape = (max(1, round((right - left) * zoom)), max(1, round((bottom - top) * zoom)))
    part = Image.fromarray(photograph[top:bottom, left:right]).resize(shape, Image.Resampling.BICUBIC)
    return View(np.array(part), left, top, zoom)


def whole_view(photograph: Pixels, size: int) -> View:
    """The whole photograph, its longer side about ``size`` pixels."""
    H, W = photograph.shape[:2]
    zoom = size / max(H, W)
    picture = Image.fromarray(photograph).resize((round(W * zoom), round(H * zoom)), Image.Resampling.BICUBIC)
    return View(np.array(picture), 0, 0, zoom)


def draw_landmarks(view: View, given: Points, visible: npt.NDArray[np.bool_], fitted: Points | None = None) -> Pixels:
    """The given landmarks (L, 2) as green rings (grey where not visible), the fitted ones (L, 2) as red dots."""
    layer = _Layer(view)
    radius = max(2.5, view.pixels.shape[0] / 160)
    for k, point in enumerate(view.place(given)):
        partner = None if fitted is None else view.place(fitted[k])
        if partner is not None and visible[k] and np.isfinite([*point, *partner]).all():
            layer.line([tuple(point), tuple(partner)], FITTED, 1.2)
        layer.ring(point, radius, GIVEN if visible[k] else HIDDEN)
        if partner is not None:
            layer.dot(partner, radius * 0.45, FITTED)
    return layer.merged()


def draw_mesh(view: View, points: Points, shown: npt.NDArray[np.bool_], grid_shape: tuple[int, int]) -> Pixels:
    """The texture grid over the photograph: every fourth row and column of the vertices that are shown.

    Args:
        view: where to draw.
        points: (N, 2 or 3) pixels.
        shown: (N,) False = hidden vertices, which get no line.
        grid_shape: (P, Q).
    """
    layer = _Layer(view)
    grid = view.place(np.asarray(points)[:, :2]).reshape(*grid_shape, 2)
    mask = shown.reshape(grid_shape)
    width = max(0.6, min(1.4, view.pixels.shape[0] / 700))
    for axis in (0, 1):
        lines, masks = (grid, mask) if axis == 0 else (grid.swapaxes(0, 1), mask.T)
        for index in _every_fourth(len(lines)):
            for run in _runs(masks[index]):
                layer.line([tuple(point) for point in lines[index][run]], LINES, width)
    return layer.merged()


def texture_pixels(texture: torch.Tensor) -> Pixels:
    """A texture (3, P, Q) in 0..1 as (P, Q, 3) pixels."""
    return np.ascontiguousarray(_to_bytes(texture).transpose(1, 2, 0))


def mask_pixels(mask: torch.Tensor) -> Pixels:
    """A mask (1, P, Q) in 0..1 as (P, Q) grey pixels, white = seen."""
    return np.ascontiguousarray(_to_bytes(mask)[0])


def enlarge(pixels: Pixels, factor: int) -> Pixels:
    """Pixels repeated, so that a small texture can be looked at without being smoothed."""
    return np.ascontiguousarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1))


def side_by_side(pictures: list[Pixels], *, height: int = 480, gap: int = 12) -> Pixels:
    """Pictures scaled to one height and set in a row on white."""
    tiles = []
    for pixels in pictures:
        picture = Image.fromarray(pixels).convert("RGB")
        width = max(1, round(picture.width * height / picture.height))
        tiles.append(np.array(picture.resize((width, height), Image.Resampling.BICUBIC)))
        tiles.append(np.full((height, gap, 3), 255, dtype=np.uint8))
    return np.concatenate(tiles[:-1], axis=1)


def _to_bytes(values: torch.Tensor) -> Pixels:
    array = values.detach().to(torch.float32).cpu().numpy()
    return np.asarray(np.rint(np.clip(np.nan_to_num(array), 0.0, 1.0) * 255), dtype=np.uint8)


def _every_fourth(count: int) -> list[int]:
    return sorted({*range(0, count, 4), count - 1})


def _runs(mask: npt.NDArray[np.bool_]) -> Iterator[slice]:
    """Stretches of at least two neighbours that are all True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start >= 2:
            yield slice(int(start), int(stop))


class _Layer:
    """A transparent drawing over a view, in view coordinates."""

    def __init__(self, view: View) -> None:
        self.view = view
        height, width = view.pixels.shape[:2]
        self.image = Image.new("RGBA", (width * SUPERSAMPLING, height * SUPERSAMPLING), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)

    def line(self, points: list[tuple[float, ...]], colour: tuple[int, ...], width: float) -> None:
        flat = [value * SUPERSAMPLING for point in points for value in point[:2]]
        if np.isfinite(flat).all():
            self.draw.line(flat, fill=colour, width=max(1, round(width * SUPERSAMPLING)), joint="curve")

    def ring(self, centre: Points, radius: float, colour: tuple[int, ...]) -> None:
        if np.isfinite(centre).all():
            self.draw.ellipse(self._box(centre, radius), outline=colour, width=round(1.6 * SUPERSAMPLING))

    def dot(self, centre: Points, radius: float, colour: tuple[int, ...]) -> None:
        if np.isfinite(centre).all():
            self.draw.ellipse(self._box(centre, radius), fill=colour)

    def merged(self) -> Pixels:
        height, width = self.view.pixels.shape[:2]
        # Premultiplied, or the transparent black around a line would darken its edge.
        layer = np.asarray(self.image.convert("RGBa").resize((width, height), Image.Resampling.BOX), dtype=np.float64)
        opacity = layer[..., 3:] / 255
        mixed = layer[..., :3] + self.view.pixels * (1 - opacity)
        return np.asarray(np.clip(np.rint(mixed), 0, 255), dtype=np.uint8)

    @staticmethod
    def _box(centre: Points, radius: float) -> list[float]:
        x, y = (float(value) * SUPERSAMPLING for value in centre)
        r = radius * SUPERSAMPLING
        return [x - r, y - r, x + r, y + r]
