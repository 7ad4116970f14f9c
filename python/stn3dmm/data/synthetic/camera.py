"""What a camera does to a picture."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from .config import SyntheticConfig
from .draws import Draws, planes


def photograph(draws: Draws, image: torch.Tensor, config: SyntheticConfig, out: torch.Tensor) -> None:
    """Writes the picture (3, H, W) as a camera records it: lens, colour cast, noise, tones, 8 bits."""
    H, W = image.shape[1:]
    image = blurred(image, draws.uniform(*config.blur))
    image *= planes((draws.uniform(0.94, 1.06), draws.uniform(0.94, 1.06), draws.uniform(0.94, 1.06)))
    strength = draws.uniform(*config.noise)
    image.addcmul_(image + 2 / 3, draws.colour_noise(H, W), value=0.6 * strength).clamp_(0, 1)
    bend = draws.uniform(*config.tone)
    image = (image * (-255 * bend)).add_(255 * (1 + bend)).mul_(image)
    if draws.chance(config.grey):
        image[:] = 0.30 * image[0] + 0.59 * image[1] + 0.11 * image[2]
    torch.div(image.round_(), 255, out=out)


def blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian of so many pixels' standard deviation, the border repeated; a copy.

    Means of neighbours, with weights 1 - a and a, then with a and 1 - a, have the variance 2 a (1 - a) in all.
    """
    if sigma < 0.2:
        return image.clone()
    rounds = math.ceil(2 * sigma**2)
    a = (1 - math.sqrt(1 - 2 * sigma**2 / rounds)) / 2
    image = F.pad(image[None], (rounds,) * 4, mode="replicate")[0]
    for dim in (1, 2):
        for _ in range(rounds):
            size = image.shape[dim] - 1
            image = torch.lerp(image.narrow(dim, 0, size), image.narrow(dim, 1, size), a)
            image = torch.lerp(image.narrow(dim, 1, size - 1), image.narrow(dim, 0, size - 1), a)
    return image
