"""Pictures of a prepared model: its map, its grid, its landmarks and modes, for the report of `stn3dmm prepare`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

import stn3dmm_cuda
from stn3dmm.drawing import Pixels, View, draw_landmarks, draw_mesh
from stn3dmm.layout import INK, PAPER, below, beside, font, titled
from stn3dmm.morphable_mesh import MorphableMesh
from stn3dmm.morphable_model import LANDMARK_SETS, MorphableModel
from stn3dmm.render import interpolate, magnify, wireframe
from stn3dmm_cuda.results import Fragments

from .distortion import signed_areas, stretches
from .report import FlatMap, PrepareReport
from .topology import triangle_areas
from .views import (
    SUPERSAMPLING,
    Camera,
    Colour,
    camera_on,
    clay,
    draw,
    light_on,
    lit,
    of_triangles,
    ramp,
    scale_bar,
    sized,
    tensor,
)

VIEW = (640, 480)  # pixels, height and width of a face
CLOSE = (760, 620)  # of one with landmarks
THREE_QUARTERS = -35.0  # degrees of yaw: the nose to the image's left
SQUARE = 640  # pixels, side of a map
TILE = 360  # pixels, longer side of one part of the geometry image
CHECKS = 32  # along each side of the square
SIGMAS = 3.0
CELL = (165, 118)  # pixels, height and width of a face on the sheet of modes
SHEET_COLUMNS = 4
NUMBERS_AWAY = 13.0  # pixels from a landmark to the middle of its number
SEEN_WITHIN = 1.0  # pixels that a landmark may lie behind the surface: eyelids and lips close over it

LEFT, RIGHT, WHITE = (0.20, 0.52, 0.82), (0.93, 0.56, 0.18), (0.95, 0.95, 0.95)
HOLE = (0.86, 0.27, 0.22)
AREA_SCALE = 2.0  # powers of two
AREA_STOPS = ((0.13, 0.30, 0.66), (0.55, 0.71, 0.88), (0.97, 0.97, 0.96), (0.95, 0.65, 0.50), (0.70, 0.11, 0.16))
AREA_MARKS = ((-2.0, "1/4"), (-1.0, "1/2"), (0.0, "1: kept"), (1.0, "2"), (2.0, "4"))
ANGLE_SCALE = 2.0  # powers of two
ANGLE_STOPS = ((0.97, 0.97, 0.96), (0.99, 0.78, 0.42), (0.91, 0.36, 0.27), (0.48, 0.12, 0.38))
ANGLE_MARKS = ((0.0, "1: kept"), (1.0, "2"), (2.0, "4"))
OCCASIONAL = (*(f"landmarks_{name}" for name in LANDMARK_SETS), "modes")  # pictures that not every model has


class Picture(NamedTuple):
    """A picture of the report."""

    name: str  # of its file, without suffix
    caption: str
    pixels: Pixels


def pictures(
    mesh: MorphableMesh, model: MorphableModel, report: PrepareReport, step: Callable[[str], object] = lambda name: None
) -> Iterator[Picture]:
    """All pictures of a model that `prepare_model` made from ``mesh``, one after the other.

    Args:
        mesh: the model on its own mesh.
        model, report: what `prepare_model` returned for it.
        step: told the name of each picture before it is drawn.
    """
    for name, (caption, make) in _makers(mesh, model, report.map).items():
        step(name.replace("_", " "))
        yield Picture(name, caption, make())


def picture_names(mesh: MorphableMesh, model: MorphableModel, report: PrepareReport) -> list[str]:
    """The names of the pictures that `pictures` makes, in their order."""
    return list(_makers(mesh, model, report.map))


def _makers(mesh: MorphableMesh, model: MorphableModel, flat: FlatMap) -> dict[str, tuple[str, Callable[[], Pixels]]]:
    """Caption and maker of every picture, by its name."""
    makers: dict[str, tuple[str, Callable[[], Pixels]]] = {
        "uv_map": (
            "The mesh on the unit square, u to the right and v up, over a checkerboard. Red: holes, filled.",
            functools.partial(uv_map, flat),
        ),
        "checkerboard": (
            "The same checkerboard on the mesh: blue at the image's left, orange at its right, darker downwards.",
            functools.partial(checkerboard, flat),
        ),
        "mesh": (
            "The mean shape on the grid, with every fourth row and column.",
            functools.partial(resampled, model),
        ),
        "geometry_image": (
            "The mean shape as a picture, one pixel a vertex: x, y and z as red, green and blue, and each alone.",
            functools.partial(geometry_image, model),
        ),
        "valid": (
            "The grid in the light of the mean shape. Red: vertices that are not valid.",
            functools.partial(valid_vertices, model),
        ),
        "distortion": (
            "What the map does to angles and areas, on the square and on the mesh.",
            functools.partial(distortions, flat),
        ),
    }
    for name, index in model.landmarks.items():
        if (index >= 0).any():
            makers[f"landmarks_{name}"] = (
                f"Landmarks {name}, counted from 1. Green rings: on the mesh; red dots: the grid's vertices for them; "
                "grey rings: hidden in this view.",
                functools.partial(landmarks, mesh, model, name),
            )
    if model.mode_count:
        makers["modes"] = (
            f"Each mode at -{SIGMAS:g} and +{SIGMAS:g} standard deviations, with its largest displacement at one.",
            functools.partial(modes, model),
        )
    return makers


def uv_map(flat: FlatMap) -> Pixels:
    """The triangles on the square."""
    uv, triangles = _on_square(flat), tensor(flat.triangles)
    squares = _checks(torch.from_numpy(flat.uv).float()[None], triangles)
    holes = torch.from_numpy(flat.filled)

    def colour(fragments: Fragments) -> torch.Tensor:
        image = 0.45 + 0.55 * squares(fragments)
        image = torch.where(holes[fragments.face.clamp_min(0)][:, None], torch.tensor(HOLE)[:, None, None], image)
        lines = wireframe(magnify(uv, SUPERSAMPLING), triangles, fragments, width=1.0)
        return image * (1 - 0.6 * lines)

    return draw(uv, triangles, (2 * SQUARE, 2 * SQUARE), colour)


def checkerboard(flat: FlatMap) -> Pixels:
    """A checkerboard of the square on the mesh."""
    shown = tensor(flat.triangles[~flat.filled])
    squares = _checks(torch.from_numpy(flat.uv).float()[None], shown)
    views = []
    for camera in _cameras(flat.vertices[np.unique(flat.triangles)]):
        points = camera.points(flat.vertices)
        views.append(draw(points, shown, camera.image_size, lit(squares, points, shown)))
    return beside(views)


def geometry_image(model: MorphableModel) -> Pixels:
    """x, y and z of the mean as colours of the grid."""
    mean = model.mean.astype(np.float64)
    low, high = mean.min(axis=0), mean.max(axis=0)
    share = np.rint(255 * (mean - low) / np.maximum(high - low, 1e-9)).astype(np.uint8)
    grid = share.reshape(*model.grid_shape, 3)
    names = [f"{axis}: {a:.0f} to {b:.0f} mm" for axis, a, b in zip("xyz", low, high, strict=True)]
    tiles = [titled(sized(grid, TILE), "x, y, z")]
    tiles += [titled(sized(grid[..., axis], TILE), name) for axis, name in enumerate(names)]
    return beside(tiles)


def resampled(model: MorphableModel) -> Pixels:
    """The mean on the grid, lit, with lines of the grid."""
    triangles = _valid_triangles(model)
    views = []
    for camera in _cameras(model.mean):
        points = camera.points(model.mean)
        face = draw(points, triangles, camera.image_size, clay(points, triangles))
        shown = stn3dmm_cuda.visibility(points, grid_shape=model.grid_shape)[0].numpy() > 0
        view = View(face, 0, 0, 1.0)
        views.append(draw_mesh(view, points[0].numpy(), shown & model.valid, model.grid_shape))
    return beside(views)


def valid_vertices(model: MorphableModel) -> Pixels:
    """The grid with its holes marked."""
    points = camera_on(model.mean, 0.0, *VIEW).points(model.mean)
    light = light_on(points, stn3dmm_cuda.grid_faces(model.grid_shape))[0].numpy()
    light[~model.valid] = np.array(HOLE)
    return sized(np.rint(255 * light.clip(0, 1)).astype(np.uint8).reshape(*model.grid_shape, 3), SQUARE)


def distortions(flat: FlatMap) -> Pixels:
    """How triangles' angles and areas fare, on the square and on the face."""
    shown = flat.triangles[~flat.filled]
    space, plane = triangle_areas(flat.vertices, shown), np.abs(signed_areas(flat.uv, shown))
    proper = (space > 0) & (plane > 0)
    angle, area = np.zeros(len(shown)), np.zeros(len(shown))
    if proper.any():
        angle[proper] = np.log2(stretches(flat.vertices, shown[proper], flat.uv))
        area[proper] = np.log2(plane[proper] / space[proper] * (space[proper].sum() / plane[proper].sum()))
    rows = []
    for words, value, low, high, stops, marks in (
        ("Angles: larger stretch / smaller", angle, 0.0, ANGLE_SCALE, ANGLE_STOPS, ANGLE_MARKS),
        ("Areas: share of the map / share of the surface", area, -AREA_SCALE, AREA_SCALE, AREA_STOPS, AREA_MARKS),
    ):
        row = _heat_map(flat, of_triangles(ramp(value, low, high, stops)))
        rows.append(below([titled(row, words), scale_bar(SQUARE, low, high, stops, marks)], gap=8))
    return below(rows)


def _heat_map(flat: FlatMap, colour: Colour) -> Pixels:
    shown = tensor(flat.triangles[~flat.filled])
    tiles = [draw(_on_square(flat, SQUARE), shown, (SQUARE, SQUARE), colour)]
    for camera in _cameras(flat.vertices[np.unique(flat.triangles)]):
        points = camera.points(flat.vertices)
        tiles.append(draw(points, shown, camera.image_size, lit(colour, points, shown)))
    return beside(tiles)


def landmarks(mesh: MorphableMesh, model: MorphableModel, name: str) -> Pixels:
    """One set of landmarks on the mean, where the mesh has them and at the grid's vertices."""
    triangles = _valid_triangles(model)
    index, origin = model.landmarks[name], mesh.landmarks[name]
    views = []
    for camera in _cameras(model.mean[index[index >= 0]], CLOSE):
        points = camera.points(model.mean)
        face = draw(points, triangles, camera.image_size, clay(points, triangles))
        visible = stn3dmm_cuda.visibility(points, grid_shape=model.grid_shape, tolerance=SEEN_WITHIN)[0].numpy() > 0
        on_grid = np.where(index[:, None] >= 0, points[0].numpy()[index, :2], np.nan)
        on_mesh = np.where(origin[:, None] >= 0, camera.points(mesh.mean)[0].numpy()[origin, :2], np.nan)
        seen = visible[index] & (index >= 0)
        views.append(_numbered(draw_landmarks(View(face, 0, 0, 1.0), on_mesh, seen, on_grid), on_mesh, seen))
    return beside(views)


def _numbered(pixels: Pixels, points: npt.NDArray[np.floating[Any]], seen: npt.NDArray[np.bool_]) -> Pixels:
    """Numbers beside the points (L, 2) that are seen, on the side where the other points leave room."""
    image = Image.fromarray(pixels)
    pen = ImageDraw.Draw(image)
    for k in np.flatnonzero(seen):
        away = points[k] - points[seen]
        push = (away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1.0) ** 3).sum(axis=0)
        x, y = points[k] + NUMBERS_AWAY * push / max(float(np.linalg.norm(push)), 1e-9)
        pen.text((x, y), str(k + 1), fill=INK, font=font(12), anchor="mm", stroke_width=2, stroke_fill=PAPER)
    return np.array(image)


def _marked(pixels: Pixels, words: str) -> Pixels:
    image = Image.fromarray(pixels)
    ImageDraw.Draw(image).text((4, 2), words, fill=INK, font=font(13), stroke_width=2, stroke_fill=PAPER)
    return np.array(image)


def modes(model: MorphableModel) -> Pixels:
    """Every mode at minus and plus three standard deviations, below its name."""
    triangles = _valid_triangles(model)
    reach = SIGMAS * np.abs(model.basis).max(axis=0)
    camera = camera_on(np.concatenate([model.mean - reach, model.mean + reach]), 0.0, *CELL)
    cells = []
    for name, mode in zip(model.mode_names, model.basis, strict=True):
        pair = []
        for sigmas in (-SIGMAS, SIGMAS):
            points = camera.points(model.mean + sigmas * mode)
            face = draw(points, triangles, CELL, clay(points, triangles))
            pair.append(_marked(face, f"{sigmas:+g}"))
        largest = float(np.linalg.norm(mode, axis=1).max())
        cells.append(titled(beside(pair, gap=0), f"{name}: {largest:.2g} mm", 13))
    return below([beside(cells[start : start + SHEET_COLUMNS]) for start in range(0, len(cells), SHEET_COLUMNS)])


def _cameras(vertices: npt.NDArray[np.floating[Any]], size: tuple[int, int] = VIEW) -> list[Camera]:
    return [camera_on(vertices, yaw, *size) for yaw in (0.0, THREE_QUARTERS)]


def _valid_triangles(model: MorphableModel) -> torch.Tensor:
    faces = stn3dmm_cuda.grid_faces(model.grid_shape)
    return faces[torch.from_numpy(model.valid)[faces].all(dim=1)]


def _on_square(flat: FlatMap, side: int = 2 * SQUARE) -> torch.Tensor:
    """The map as points (1, R, 3) of a square picture."""
    u, v = flat.uv.T * (side - 1)
    return torch.from_numpy(np.stack([u, side - 1 - v, np.zeros_like(u)], axis=1)).float()[None]


def _checks(uv: torch.Tensor, triangles: torch.Tensor) -> Colour:
    """A checkerboard over the square whose colours tell left from right and upper from lower."""

    def colour(fragments: Fragments) -> torch.Tensor:
        place = interpolate(uv, fragments, triangles)
        u, v = place[:, :1], place[:, 1:]
        left, right, white = torch.tensor([LEFT, RIGHT, WHITE])[..., None, None]
        tone = torch.where(u < 0.5, left, right) * (0.55 + 0.45 * v)
        # Counted from the middle, so that the pattern is as symmetric as the map.
        odd = (((u - 0.5).abs() * CHECKS).floor() + (v * CHECKS).floor()) % 2
        return torch.where(odd > 0, tone, white)

    return colour
