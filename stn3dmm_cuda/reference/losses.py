"""The losses: docs/math.md#losses. Those that compare no textures are plain PyTorch everywhere."""

from __future__ import annotations

import torch

from .. import _weighting
from ..losses import landmark_loss, masked, prior_loss

__all__ = ["landmark_loss", "masked", "prior_loss", "siamese_loss", "symmetry_loss"]


def _masked_difference(first: torch.Tensor, second: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """mean_b [ sum weight |first - second|^2 / max(1, sum weight) ], weight (B, 1, P, Q)."""
    total = (weight * _weighting.squared(first - second, weight, dim=1)).sum(dim=(1, 2, 3))
    return _weighting.mean_of_ratios(total, weight.sum(dim=(1, 2, 3)))


def symmetry_loss(texture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """A texture (B, C, P, Q) against its mirror image, weighted by mask x mirrored mask, mask (B, 1, P, Q) -> ()."""
    _weighting.require_texture("symmetry_loss", texture, mask)
    image, weight = _weighting.widened(texture, mask)
    return _masked_difference(image, image.flip(-1), weight * weight.flip(-1))


def siamese_loss(
    texture_a: torch.Tensor, mask_a: torch.Tensor, texture_b: torch.Tensor, mask_b: torch.Tensor, mirror: bool = False
) -> torch.Tensor:
    """Two textures (B, C, P, Q), weighted by both masks (B, 1, P, Q) -> (); mirror=True flips the second ones first."""
    _weighting.require_textures("siamese_loss", texture_a, mask_a, texture_b, mask_b)
    first, weight_a, second, weight_b = _weighting.widened(texture_a, mask_a, texture_b, mask_b)
    if mirror:
        second, weight_b = second.flip(-1), weight_b.flip(-1)
    return _masked_difference(first, second, weight_a * weight_b)
