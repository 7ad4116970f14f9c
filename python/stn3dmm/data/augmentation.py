"""Variations of a crop: its geometry in one affine, then occluders, light and the camera's faults."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from stn3dmm.data.crops import Affine, composed, move_points, resampled
from stn3dmm.data.faces import Face
from stn3dmm.data.mirror import SWAPS
from stn3dmm.data.synthetic.camera import blurred
from stn3dmm.data.synthetic.draws import Draws
from stn3dmm.data.synthetic.scenery import Box, paint_occluder

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
LEAST_BLUR = 0.3  # pixels; a Gaussian below this changes nothing that one sees


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """How much samples vary; draws are uniform in both directions unless a comment says otherwise."""

    rotation: float = 15.0  # degrees about the crop's centre
    scale: float = 0.15  # natural log of the scale
    shift: float = 0.06  # of the crop's shorter side, in x and in y
    mirror: float = 0.5  # probability
    occluder: float = 0.15  # probability of a hand, a card, a ball or a scarf before the face
    brightness: float = 0.2  # added to a factor of 1
    contrast: float = 0.2  # added to a factor of 1, about middle grey
    saturation: float = 0.3  # added to a factor of 1
    grey: float = 0.05  # probability of a crop without colour
    blur: float = 0.8  # pixels, largest standard deviation; half of the crops stay sharp
    noise: float = 0.02  # largest standard deviation, on white = 1; half of the crops stay clean

    def __post_init__(self) -> None:
        limits = {"rotation": 180.0, "shift": 0.5, "scale": 2.0, "blur": 10.0}
        for field in dataclasses.fields(self):
            value, highest = getattr(self, field.name), limits.get(field.name, 1.0)
            if not 0 <= value <= highest:
                raise ValueError(f"augmentation.{field.name} must lie in 0..{highest:g}; got {value}.")


class Augmented(NamedTuple):
    """A crop and where its landmarks are."""

    image: torch.Tensor  # (3, H, W) uint8
    landmarks: npt.NDArray[np.float64]  # (L, 2) pixels of the crop; 0 where not visible
    visible: npt.NDArray[np.bool_]  # (L,)
    affine: Affine  # photograph to crop


def plain(face: Face, affine: Affine, image_size: tuple[int, int], landmark_set: str | None) -> Augmented:
    """The crop as it is; without a landmark set it has no landmarks (L = 0)."""
    image = _in_8_bits(resampled(face.image, affine, image_size))
    return Augmented(image, *_labels(face, affine, landmark_set, False), affine)


def augment(
    face: Face,
    affine: Affine,
    image_size: tuple[int, int],
    landmark_set: str | None,
    config: AugmentationConfig,
    draws: Draws,
) -> Augmented:
    """A variation of the crop that ``affine`` makes; the photograph is resampled once.

    What an occluder hides stays visible: a localiser is to find it all the same.
    """
    variation, mirrored = _variation(image_size, config, draws)
    affine = composed(variation, affine)
    image = _in_8_bits(recoloured(resampled(face.image, affine, image_size), config, draws))
    return Augmented(image, *_labels(face, affine, landmark_set, mirrored), affine)


def _labels(
    face: Face, affine: Affine, landmark_set: str | None, mirrored: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    swap = np.array(SWAPS[landmark_set] if landmark_set else (), dtype=np.int64)
    if not landmark_set or face.landmarks is None or face.visible is None:
        return np.zeros((len(swap), 2)), np.zeros(len(swap), dtype=bool)
    landmarks, visible = move_points(face.landmarks, affine), face.visible
    if mirrored:
        landmarks, visible = landmarks[swap], visible[swap]
    return np.where(visible[:, None], landmarks, 0.0), visible


def _variation(image_size: tuple[int, int], config: AugmentationConfig, draws: Draws) -> tuple[Affine, bool]:
    """The affine from the plain crop to its variation, and whether it mirrors."""
    H, W = image_size
    angle = math.radians(draws.uniform(-config.rotation, config.rotation))
    scale = math.exp(draws.uniform(-config.scale, config.scale))
    reach = config.shift * min(H, W)
    shift = np.array([draws.uniform(-reach, reach), draws.uniform(-reach, reach)])
    mirrored = draws.chance(config.mirror)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array([(W - 1) / 2, (H - 1) / 2])
    turned = np.column_stack([linear, centre + shift - linear @ centre])
    mirror = np.array([[-1.0, 0.0, W - 1.0], [0.0, 1.0, 0.0]])
    return (composed(mirror, turned) if mirrored else turned), mirrored


def recoloured(image: torch.Tensor, config: AugmentationConfig, draws: Draws) -> torch.Tensor:
    """A crop (3, H, W) 0..255 with something before it, in other light, through another camera; beyond 0..255 too."""
    H, W = image.shape[1:]
    if draws.chance(config.occluder):
        layer = paint_occluder(draws, H, W, Box((W - 1) / 2, (H - 1) / 2, min(H, W) * draws.uniform(0.3, 0.4)))
        image = image.lerp(layer.colour * 255, layer.opacity)
    matrix, offset = _light(config, draws)
    image = torch.addmm(offset, matrix, image.reshape(3, H * W)).reshape(3, H, W)
    blur = draws.uniform(-config.blur, config.blur)
    if blur > LEAST_BLUR:
        image = blurred(image, blur)
    noise = draws.uniform(-config.noise, config.noise)
    return image.add_(draws.colour_noise(H, W), alpha=255 * noise) if noise > 0 else image


def _light(config: AugmentationConfig, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
    """Brightness, contrast about middle grey, and saturation as a linear map of colours: (3, 3) and (3, 1)."""
    brightness, contrast, saturation = (
        1 + draws.uniform(-most, most) for most in (config.brightness, config.contrast, config.saturation)
    )
    if draws.chance(config.grey):
        saturation = 0.0
    colours = saturation * torch.eye(3) + (1 - saturation) * torch.tensor(LUMA).expand(3, 3)
    return brightness * contrast * colours, torch.full((3, 1), 127.5 * (1 - contrast))


def _in_8_bits(image: torch.Tensor) -> torch.Tensor:
    return image.round_().clamp_(0, 255).to(torch.uint8)
