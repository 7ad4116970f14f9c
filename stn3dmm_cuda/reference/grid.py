"""Image points -> a sampling grid for torch.nn.functional.grid_sample: docs/math.md#grid."""

from __future__ import annotations

import torch


def _normalise(pixels: torch.Tensor, size: int) -> torch.Tensor:
    # An axis of one pixel has no scale; grid_sample then reads pixel 0 for any finite value, so 1 stands in.
    return 2 * pixels / max(size - 1, 1) - 1


def grid(points: torch.Tensor, grid_shape: tuple[int, int], image_size: tuple[int, int]) -> torch.Tensor:
    """u = 2 x / (W - 1) - 1, v = 2 y / (H - 1) - 1: (B, N, 2 or 3) pixels -> (B, P, Q, 2), align_corners=True."""
    P, Q = grid_shape
    H, W = image_size
    if points.ndim != 3 or points.shape[1] != P * Q or points.shape[2] not in (2, 3):
        raise ValueError(f"grid: points must be (B, {P * Q}, 2 or 3) for the grid {(P, Q)}; got {tuple(points.shape)}.")
    u, v = _normalise(points[..., 0], W), _normalise(points[..., 1], H)
    return torch.stack((u, v), dim=-1).reshape(points.shape[0], P, Q, 2)
