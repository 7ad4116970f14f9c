"""Who is seen and how: the random numbers of an identity and of a view of it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch

from stn3dmm.angles import rotation_vector
from stn3dmm.morphable_model import MorphableModel

from .atlas import atlas
from .body import Style, draw_style
from .colouring import paint_parts
from .complexion import draw_palette, paint_face
from .config import SyntheticConfig
from .draws import Draws
from .lighting import Light, draw_light
from .regions import regions

# Streams of random numbers: what is drawn for one purpose must not shift what is drawn for another.
SHAPE, SKIN, STYLE, BODY = range(4)
POSE, EXPRESSION, LIGHT, BACKGROUND, OCCLUDER, CAMERA = range(10, 16)
# Ranges in standard deviations, for expressions whose other half looks like no face.
LIMITS = {"expression/jaw open": (-0.2, 2.2), "expression/eyes close": (-0.6, 1.6), "expression/pucker": (-0.8, 2.0)}


@dataclasses.dataclass(frozen=True, eq=False)
class Person:
    """What all views of an identity share."""

    alpha: np.ndarray  # (K,) standard deviations, 0 for expressions
    style: Style
    texture: torch.Tensor  # (3, p, q) display colours, the face
    parts: torch.Tensor  # (3, h - p, w) display colours, the rest of the atlas


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """What differs between the views of an identity."""

    alpha: np.ndarray  # (K,) standard deviations, 0 for identity modes
    rotation: np.ndarray  # (3,) axis-angle, radians
    angles: tuple[float, float, float]  # yaw, pitch, roll in degrees
    size: float  # longer side of the face's box, shorter sides of the image
    place: tuple[float, float]  # of the box within the room it has, 0 to 1
    light: Light


def draw_person(model: MorphableModel, config: SyntheticConfig, seed: int, number: int) -> Person:
    """The identity of this number."""
    shape = Draws(seed, number, SHAPE)
    mine = np.array([name.startswith("identity/") for name in model.mode_names])
    alpha = shape.normals(len(mine), config.identity_deviation, config.largest_coefficient) * mine
    skin = Draws(seed, number, SKIN)
    hair, beard, make_up = (skin.chance(share) for share in (config.hair, config.beard, config.make_up))
    palette = draw_palette(skin)
    style = Draws(seed, number, STYLE)
    glasses = style.chance(config.glasses)
    wears = draw_style(style, hair, glasses, model.grid_shape[0])
    clothes = style.colour()
    return Person(
        alpha=alpha,
        style=wears,
        texture=paint_face(skin, regions(model.grid_shape), palette, beard and not make_up, hair, make_up),
        parts=paint_parts(atlas(model.grid_shape), Draws(seed, number, BODY), palette, wears, clothes),
    )


def draw_view(model: MorphableModel, config: SyntheticConfig, key: tuple[int, int, int]) -> View:
    """The view with the key (seed, number of the identity, number of the view)."""
    pose = Draws(*key, POSE)
    angles = pose.uniform(*config.yaw), pose.uniform(*config.pitch), pose.uniform(*config.roll)
    return View(
        alpha=_expression(model, config, Draws(*key, EXPRESSION)),
        rotation=np.array(rotation_vector(*angles)),
        angles=angles,
        size=pose.uniform(*config.face_size),
        place=(pose.uniform(0, 1), pose.uniform(0, 1)),
        light=draw_light(Draws(*key, LIGHT), config),
    )


def _expression(model: MorphableModel, config: SyntheticConfig, draws: Draws) -> np.ndarray:
    mine = np.array([name.startswith("expression/") for name in model.mode_names])
    alpha = draws.normals(len(mine), config.expression_deviation, config.largest_coefficient)
    strength = 0.5 + draws.uniform(0, 1)  # some faces are calm
    for k, name in enumerate(model.mode_names):
        low, high = LIMITS.get(name, (-math.inf, math.inf))
        limit = config.largest_coefficient
        alpha[k] = min(max(strength * alpha[k], low, -limit), high, limit)
    return np.asarray(alpha * mine)
