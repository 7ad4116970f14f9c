"""The mean flattened face of several photographs of one person."""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["Average", "average_textures"]


class Average(NamedTuple):
    """A mean flattened face."""

    texture: torch.Tensor  # (C, P, Q) mask-weighted mean, filled where nothing was seen
    weight: torch.Tensor  # (1, P, Q) sum of the masks: how many photographs saw each vertex


def average_textures(textures: torch.Tensor, masks: torch.Tensor) -> Average:
    """The mean of M flattened photographs of one face, each vertex over the photographs that saw it.

    Where no photograph saw a vertex, it is filled with the mean at its mirror vertex (faces are nearly symmetric), and
    where that was not seen either, with the mean colour of all that was; with no vertex seen at all, with 0. The
    weight stays 0 there, so a filled vertex can always be told from a seen one.

    Convention:
        The grid is left-right symmetric about its middle columns: mirror = column flip.

    Args:
        textures: (M, C, P, Q), floating.
        masks: (M, 1, P, Q), 0 to 1, the textures' dtype.

    Returns:
        `Average`: texture (C, P, Q) and weight (1, P, Q).

    Differentiable: yes. Deterministic: yes.

    Raises:
        ValueError: shapes that do not match, or no texture at all.

    Source: the mean flattened images of arXiv:1708.07199, section 5.

    Example:
        >>> import torch
        >>> textures = torch.tensor([0.2, 0.6]).reshape(2, 1, 1, 1).expand(2, 1, 4, 4)
        >>> masks = torch.ones(2, 1, 4, 4)
        >>> round(average_textures(textures, masks).texture.mean().item(), 4)
        0.4
    """
    if textures.ndim != 4 or len(textures) == 0:
        raise ValueError(f"average_textures: textures must be (M, C, P, Q) with M > 0; got {tuple(textures.shape)}.")
    expected = (len(textures), 1, *textures.shape[2:])
    if masks.shape != expected:
        raise ValueError(f"average_textures: masks must be {expected} as in textures; got {tuple(masks.shape)}.")
    weight = masks.sum(dim=0)
    # A texture holds nothing of meaning where its mask is 0, perhaps not even a number.
    total = torch.where(masks > 0, masks * textures, torch.zeros_like(textures)).sum(dim=0)
    seen = weight > 0
    mean = total / torch.where(seen, weight, torch.ones_like(weight))
    overall = total.sum(dim=(1, 2), keepdim=True) / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
    mirror_seen = seen.flip(-1)
    fill = torch.where(mirror_seen, mean.flip(-1), overall.expand_as(mean))
    return Average(texture=torch.where(seen, mean, fill), weight=weight)
