"""The demonstration of averaging: many photographs of one person, flattened, and their mean beside the truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from stn3dmm.average import Average, average_textures
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces
from stn3dmm.drawing import Pixels, enlarge, texture_pixels
from stn3dmm.evaluation.textures import texture_psnr
from stn3dmm.flattening import flatten
from stn3dmm.layout import below, beside, titled
from stn3dmm.localised import TrainedLocaliser

VIEWS = 30
# What covers the same part of the face in every view cannot be averaged away: no hair over the forehead, no glasses.
CONFIG = SyntheticConfig(image_size=(160, 160), yaw=(-60.0, 60.0), hair=0.0, glasses=0.0)
SEED, PERSON = 2, 0
THUMBNAILS = 10  # in a row


class OnePerson(NamedTuple):
    """A person's mean flattened face, and how near it comes to the truth."""

    average: Average
    mean_psnr: float  # decibels, of the mean over its mask
    best_view_psnr: float  # of the view that comes nearest, over its own mask
    median_view_psnr: float
    picture: Pixels


def one_person(
    localiser: TrainedLocaliser, person: int = PERSON, seed: int = SEED, config: SyntheticConfig = CONFIG
) -> OnePerson:
    """Flattens ``VIEWS`` synthetic photographs of a person with a trained localiser, and averages them."""
    views = SyntheticFaces(config, seed).views(person, VIEWS)
    photographs = [np.ascontiguousarray(texture_pixels(image)) for image in views.image]
    landmarks = views.landmarks["ibug68"]
    boxes = torch.cat([landmarks.amin(dim=1), landmarks.amax(dim=1)], dim=1).tolist()
    theta = localiser.localise(photographs, [tuple(box) for box in boxes])
    texture, mask = flatten(views.image, localiser.model, theta)
    average = average_textures(texture, mask)
    truth = views.texture
    single = texture_psnr(texture, truth, mask)
    mean = texture_psnr(average.texture[None], truth[:1], (average.weight > 0).to(mask)[None])
    best = int(single.argmax())
    sheet = below(
        [beside(photographs[start : start + THUMBNAILS], gap=2) for start in range(0, VIEWS, THUMBNAILS)], gap=2
    )
    large = sheet.shape[1] // 3 // truth.shape[-1]
    named = {
        f"The view that comes nearest ({float(single[best]):.1f} dB)": texture[best] * mask[best],
        f"The mean of {VIEWS} ({float(mean):.1f} dB)": average.texture,
        "The truth": truth[0],
    }
    faces = beside([titled(enlarge(texture_pixels(pixels), large), words) for words, pixels in named.items()])
    return OnePerson(average, float(mean), float(single[best]), float(single.median()), below([sheet, faces]))
