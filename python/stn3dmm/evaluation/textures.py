"""How near a flattened face comes to the true colours of the face."""

from __future__ import annotations

import torch

__all__ = ["texture_psnr"]


def texture_psnr(texture: torch.Tensor, truth: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The peak signal-to-noise ratio of textures over their masks, up to one gain a channel.

    A photograph does not tell strong light from bright skin, nor warm light from warm skin; the gain that brings each
    channel nearest to the truth is therefore taken out of every texture alike, and the result clipped to 0..1.

    Args:
        texture: (B, 3, P, Q) in 0..1; anything where the mask is 0.
        truth: (B, 3, P, Q) in 0..1.
        mask: (B, 1, P, Q) weights of 0 or more.

    Returns:
        (B,) decibels; nan where the mask shows nothing.

    Example:
        >>> truth = torch.linspace(0.2, 0.8, 12).reshape(1, 3, 2, 2)
        >>> bool(texture_psnr(0.7 * truth, truth, torch.ones(1, 1, 2, 2)) > 100)  # darker light, the same face
        True
    """
    shown = torch.where(mask > 0, texture, torch.zeros_like(texture))
    gain = (mask * shown * truth).sum(dim=(2, 3)) / (mask * shown.square()).sum(dim=(2, 3)).clamp(min=1e-12)
    nearest = (gain[:, :, None, None] * shown).clamp(0, 1)
    weight = mask.sum(dim=(1, 2, 3))
    error = (mask * (nearest - truth).square()).sum(dim=(1, 2, 3)) / (texture.shape[1] * weight)
    return -10 * torch.log10(error)
