"""Views of a mesh for the pictures of a report: a camera, light, colours of faces, words and scales of colour."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

import stn3dmm_cuda
from stn3dmm.angles import rotation_vector
from stn3dmm.drawing import Pixels
from stn3dmm.layout import INK, TEXT, font
from stn3dmm.render import Lights, interpolate, magnify, normals, reduce, shade
from stn3dmm_cuda.results import Fragments

from .topology import Floats, Indices

SUPERSAMPLING = 2
MARGIN = 0.06  # of the picture's smaller side, around the mesh
CLAY = (0.80, 0.76, 0.72)

Colour = Callable[[Fragments], torch.Tensor]  # fragments of one image -> (1, 3, H, W) in 0..1


@dataclasses.dataclass(frozen=True)
class Camera:
    """Scaled orthography of the model frame into a picture."""

    rotation: torch.Tensor  # (1, 3, 3)
    translation: torch.Tensor  # (1, 2) pixels
    scale: torch.Tensor  # (1,) pixels per millimetre
    image_size: tuple[int, int]  # (H, W)

    def points(self, vertices: npt.NDArray[np.floating[Any]]) -> torch.Tensor:
        """Vertices (V, 3) in millimetres as (1, V, 3) pixels and depth."""
        place = torch.from_numpy(np.array(vertices, dtype=np.float32))[None]
        return stn3dmm_cuda.project(place, self.rotation, self.translation, self.scale)


def camera_on(vertices: npt.NDArray[np.floating[Any]], yaw: float, height: int, width: int) -> Camera:
    """The camera that sees all vertices (V, 3) of a face turned by ``yaw`` degrees, as large as the picture allows."""
    rotation = stn3dmm_cuda.axis_angle_to_matrix(torch.tensor([rotation_vector(yaw, 0.0, 0.0)]))
    turned = np.asarray(vertices) @ rotation[0].numpy().T
    low, high = turned.min(axis=0)[:2], turned.max(axis=0)[:2]
    room = np.array([width, height]) - 1 - 2 * MARGIN * min(height, width)
    scale = float((room / np.maximum(high - low, 1e-9)).min())
    x, y = (scale * (low + high) / 2).tolist()
    translation = torch.tensor([[(width - 1) / 2 - x, (height - 1) / 2 + y]])
    return Camera(rotation, translation, torch.tensor([scale]), (height, width))


def studio() -> Lights:
    """A key light from the upper left, a fill light from the right."""
    directions = torch.tensor([[[-0.45, 0.55, 0.70], [0.80, 0.10, 0.60]]])
    strengths = torch.tensor([[[0.62] * 3, [0.25] * 3]])
    return Lights(torch.full((1, 3), 0.24), torch.nn.functional.normalize(directions, dim=-1), strengths)


def light_on(points: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """The light (1, V, 3) that each vertex of a mesh (1, V, 3), (F, 3) sends back."""
    return shade(normals(points, triangles), studio())


def draw(points: torch.Tensor, triangles: torch.Tensor, image_size: tuple[int, int], colour: Colour) -> Pixels:
    """A mesh (1, V, 3) pixels, (F, 3) on white, each sample coloured by ``colour``; edges are smoothed."""
    H, W = (size * SUPERSAMPLING for size in image_size)
    fragments = stn3dmm_cuda.rasterize(magnify(points, SUPERSAMPLING).contiguous(), triangles, (H, W))
    image = torch.where((fragments.face >= 0)[:, None], colour(fragments), torch.ones((), dtype=points.dtype))
    return _bytes(reduce(image, SUPERSAMPLING))


def clay(points: torch.Tensor, triangles: torch.Tensor) -> Colour:
    """One matt colour in the studio's light."""
    return of_vertices(light_on(points, triangles) * torch.tensor(CLAY), triangles)


def of_vertices(colours: torch.Tensor, triangles: torch.Tensor) -> Colour:
    """Colours (1, V, 3) of vertices, interpolated."""
    return lambda fragments: interpolate(colours, fragments, triangles)


def of_triangles(colours: Floats) -> Colour:
    """Colours (F, 3) of triangles, each of one colour."""
    table = torch.from_numpy(colours).float()
    return lambda fragments: table[fragments.face.clamp_min(0)].permute(0, 3, 1, 2)


def lit(colour: Colour, points: torch.Tensor, triangles: torch.Tensor) -> Colour:
    """Colours in the studio's light, brightened so that they keep what they say."""
    light = of_vertices(0.35 + 0.65 * light_on(points, triangles), triangles)
    return lambda fragments: (colour(fragments) * light(fragments)).clamp(0, 1)


def tensor(indices: Indices) -> torch.Tensor:
    """Triangles for the operators."""
    return torch.from_numpy(np.ascontiguousarray(indices, dtype=np.int64))


def ramp(values: Floats, low: float, high: float, stops: Sequence[tuple[float, float, float]]) -> Floats:
    """Colours (n, 3) in 0..1 of values (n,): ``stops`` spread evenly from low to high, the last ones beyond."""
    place = np.linspace(low, high, len(stops))
    return np.stack([np.interp(values, place, [stop[channel] for stop in stops]) for channel in range(3)], axis=-1)


def scale_bar(
    width: int, low: float, high: float, stops: Sequence[tuple[float, float, float]], marks: Sequence[tuple[float, str]]
) -> Pixels:
    """A scale of colours with words below it; marks are values and their words."""
    inset, bar = 36, 16
    picture = np.full((bar + TEXT + 14, width, 3), 255, dtype=np.uint8)
    values = np.linspace(low, high, width - 2 * inset)
    picture[2 : bar + 2, inset : width - inset] = np.rint(255 * ramp(values, low, high, stops))
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for value, words in marks:
        x = inset + (value - low) / (high - low) * (width - 2 * inset - 1)
        draw.line([(x, 2), (x, bar + 5)], fill=INK)
        draw.text((x, bar + 7), words, fill=INK, font=font(TEXT - 3), anchor="ma")
    return np.array(image)


def sized(pixels: Pixels, side: int) -> Pixels:
    """A grid of values enlarged by a whole factor, or averaged, so that its longer side is about ``side`` pixels."""
    factor = side / max(pixels.shape[:2])
    if factor >= 1:
        return np.ascontiguousarray(pixels.repeat(int(factor), axis=0).repeat(int(factor), axis=1))
    shape = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return np.array(Image.fromarray(pixels).resize(shape, Image.Resampling.BOX))


def _bytes(image: torch.Tensor) -> Pixels:
    return np.ascontiguousarray((image[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy())
