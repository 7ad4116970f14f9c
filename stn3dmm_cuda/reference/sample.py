"""Bilinear sampling with zero padding from four texel reads: docs/math.md#sample."""

from __future__ import annotations

import torch


def _safe_pixels(points: torch.Tensor, image_size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """x, y with points that are not finite sent outside, and far ones held where integers are safe.

    From -1 down and from the size up every tap is outside the image, so neither changes a value or a gradient.
    """
    H, W = image_size
    x, y = points[..., 0], points[..., 1]
    finite = torch.isfinite(x) & torch.isfinite(y)
    outside = torch.full_like(x, -2)
    x = torch.where(finite, x, outside).clamp(-2, W + 1)
    y = torch.where(finite, y, outside).clamp(-2, H + 1)
    return x, y


def _texels(image: torch.Tensor, column: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
    """image (B, C, H, W) at integer columns and rows (B, N) -> (B, C, N), 0 outside."""
    B, C, H, W = image.shape
    inside = (column >= 0) & (column < W) & (row >= 0) & (row < H)
    index = row.clamp(0, H - 1) * W + column.clamp(0, W - 1)
    read = image.reshape(B, C, H * W).gather(2, index[:, None].expand(B, C, -1))
    return torch.where(inside[:, None], read, torch.zeros_like(read))


def sample(image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """The image (B, C, H, W) at points (B, N, 2 or 3) pixels -> (B, C, N) in the image's dtype."""
    if image.ndim != 4:
        raise ValueError(f"sample: image must be (B, C, H, W); got {tuple(image.shape)}.")
    B, C, H, W = image.shape
    if points.ndim != 3 or points.shape[0] != B or points.shape[2] not in (2, 3):
        raise ValueError(f"sample: points must be ({B}, N, 2 or 3); got {tuple(points.shape)}.")
    if H == 0 or W == 0:
        return image.new_zeros(B, C, points.shape[1])
    x, y = _safe_pixels(points, (H, W))
    left, top = x.floor(), y.floor()
    right_part, lower_part = (x - left)[:, None], (y - top)[:, None]  # (B, 1, N)
    column, row = left.detach().long(), top.detach().long()
    source = image.to(points.dtype)
    upper = (1 - right_part) * _texels(source, column, row) + right_part * _texels(source, column + 1, row)
    lower = (1 - right_part) * _texels(source, column, row + 1) + right_part * _texels(source, column + 1, row + 1)
    return ((1 - lower_part) * upper + lower_part * lower).to(image.dtype)
