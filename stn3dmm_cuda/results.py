"""What the operators return when they return more than one tensor."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Pose(NamedTuple):
    """theta taken apart, every part a copy."""

    rotation: torch.Tensor  # (B, 3, 3) model frame to view frame, R = exp([r]x)
    translation: torch.Tensor  # (B, 2) pixels
    scale: torch.Tensor  # (B,) pixels per model unit
    alpha: torch.Tensor  # (B, K) standard deviations


class Fragments(NamedTuple):
    """What the pixels of an image show."""

    face: torch.Tensor  # (B, H, W) int64, index within the image's own faces, -1 where none
    barycentric: torch.Tensor  # (B, H, W, 3) in the order of the face's vertices, 0 where none
    depth: torch.Tensor  # (B, H, W) pixels, a larger depth is nearer, 0 where none


class Warp(NamedTuple):
    """The flattened face."""

    texture: torch.Tensor  # (B, C, P, Q) the sampled image, not multiplied by the mask
    mask: torch.Tensor  # (B, 1, P, Q) visibility x inside the image x valid, 0 to 1
    landmarks: torch.Tensor  # (B, L, 2) pixels; L = 0 without indices
