"""theta -> rotation, translation, scale, alpha: docs/math.md#pose."""

from __future__ import annotations

import math

import torch

from ..results import Pose

# Below this angle (squared, radians^2) the coefficients are series: both branches, and their first two derivatives,
# are then good to a few units in the last place of float64.
SERIES_BELOW = 1.0
SERIES_TERMS = 12  # 1 / 25! = 6e-26: far below float64


def _series(square: torch.Tensor, first: int) -> torch.Tensor:
    """sum_k (-square)^k / (2 k + first)!: sin(t) / t for first = 1, (1 - cos t) / t^2 for first = 2."""
    total = torch.zeros_like(square)
    for k in reversed(range(SERIES_TERMS)):
        total = (-1) ** k / math.factorial(2 * k + first) + square * total
    return total


def rodrigues_coefficients(square: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """sin(t) / t and (1 - cos t) / t^2 as smooth functions of square = t^2 (any shape)."""
    small = square < SERIES_BELOW
    # The branch not taken still sees a gradient of 0: its argument must keep its derivative finite.
    near = torch.where(small, square, torch.zeros_like(square))
    far = torch.where(small, torch.ones_like(square), square)
    angle = far.sqrt()
    half = angle / 2
    a = torch.where(small, _series(near, 1), torch.sin(angle) / angle)
    b = torch.where(small, _series(near, 2), 2 * (torch.sin(half) / angle).square())
    return a, b


def axis_angle_to_matrix(r: torch.Tensor) -> torch.Tensor:
    """Rodrigues' formula, r (B, 3) radians -> R (B, 3, 3) = I + a [r]x + b [r]x^2."""
    if r.ndim != 2 or r.shape[1] != 3:
        raise ValueError(f"axis_angle_to_matrix: r must be (B, 3); got {tuple(r.shape)}.")
    a, b = rodrigues_coefficients(r.square().sum(dim=1))
    x, y, z = r.unbind(dim=1)
    zero = torch.zeros_like(x)
    cross = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=1).reshape(-1, 3, 3)
    outer = r[:, :, None] * r[:, None, :]
    identity = torch.eye(3, dtype=r.dtype, device=r.device)
    cross_square = outer - r.square().sum(dim=1)[:, None, None] * identity
    return identity + a[:, None, None] * cross + b[:, None, None] * cross_square


def pose(theta: torch.Tensor) -> Pose:
    """theta (B, 6 + K) -> Pose: copies, so that writing to one never changes theta."""
    if theta.ndim != 2 or theta.shape[1] < 6:
        raise ValueError(f"pose: theta must be (B, 6 + K); got {tuple(theta.shape)}.")
    rotation = axis_angle_to_matrix(theta[:, :3])
    return Pose(rotation, theta[:, 3:5].clone(), theta[:, 5].exp(), theta[:, 6:].clone())
