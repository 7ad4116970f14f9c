"""What a camera does to a picture."""

from __future__ import annotations

import math

import torch

from .config import SyntheticConfig
from .draws import Draws


def photograph(draws: Draws, image: torch.Tensor, config: SyntheticConfig) -> torch.Tensor:
    """The picture (3, H, W) as a camera records it: lens, colour cast, noise, tones, 8 bits."""
    H, W = image.shape[1:]
    image = blurred(image, draws.uniform(*config.blur))
    image *= torch.tensor([1 + draws.uniform(-0.06, 0.06) for _ in range(3)])[:, None, None]
    strength = draws.uniform(*config.noise)
    noise = draws.colour_noise(H, W) + 0.5 * draws.noise("grain", H, W)
    image += noise.mul_(image * (0.6 * strength) + 0.4 * strength)
    image.clamp_(0, 1)
    bend = draws.uniform(*config.tone)
    image = (image * (-255 * bend)).add_(255 * (1 + bend)).mul_(image)
    if draws.chance(config.grey):
        image = (0.30 * image[0] + 0.59 * image[1] + 0.11 * image[2]).repeat(3, 1, 1)
    return image.clamp_(0, 255).round_().div_(255)


def blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian of so many pixels' standard deviation, the border repeated; a copy."""
    if sigma < 0.2:
        return image.clone()
    reach = math.ceil(2 * sigma)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(reach + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    for dim in (1, 2):
        size = image.shape[dim]
        first, last = image.narrow(dim, 0, 1), image.narrow(dim, size - 1, 1)
        padded = torch.cat([first] * reach + [image] + [last] * reach, dim=dim)
        image = padded.narrow(dim, reach, size) * (weights[0] / total)
        for k in range(1, reach + 1):
            image.add_(padded.narrow(dim, reach - k, size), alpha=weights[k] / total)
            image.add_(padded.narrow(dim, reach + k, size), alpha=weights[k] / total)
    return image
