"""Points in the image -> the sampling grid of torch.nn.functional.grid_sample."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks
from ._registration import register, register_backward
from ._short_way import operators


def grid(points: torch.Tensor, grid_shape: tuple[int, int], image_size: tuple[int, int]) -> torch.Tensor:
    """Pixels to normalised coordinates: u = 2 x / (W - 1) - 1, v = 2 y / (H - 1) - 1.

    Convention:
        For `torch.nn.functional.grid_sample(..., align_corners=True)`: pixel centres of the first and last column
        at u = -1 and 1. An axis of one pixel has u = 2 x - 1.

    Args:
        points: (B, N, 2 or 3) pixels, float32 or float64; the depth is not used.
        grid_shape: (P, Q) with P Q = N.
        image_size: (H, W) pixels.

    Returns:
        (B, P, Q, 2).

    Differentiable once, in points. Deterministic.

    Raises:
        TypeError: points is no float32 or float64 tensor.
        ValueError: a size does not fit.

    Source:
        docs/math.md#grid

    Example:
        >>> grid(torch.tensor([[[0.0, 10.0], [20.0, 0.0]]]), (1, 2), (11, 21)).tolist()
        [[[[-1.0, 1.0], [1.0, -1.0]]]]
    """
    _checks.coordinates("grid", points=points)
    _checks.points("grid", points)
    P, Q = _checks.grid_shape("grid", grid_shape, points.shape[1])
    H, W = _checks.pair("grid", "image_size", image_size)
    result: torch.Tensor = operators.grid(points, P, Q, H, W)
    return result


def _setup(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    points, _, _, H, W = inputs
    ctx.sizes = points.shape[2], H, W


def _backward(ctx: Any, grad_grid: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    return operators.grid_backward(grad_grid, *ctx.sizes), None, None, None, None


register(
    "grid",
    fake=lambda points, P, Q, H, W: points.new_empty(points.shape[0], P, Q, 2),
    setup_context=_setup,
    backward=_backward,
)
register_backward(
    "grid",
    fake=lambda grad_grid, D, H, W: grad_grid.new_empty(grad_grid.shape[0], grad_grid.shape[1] * grad_grid.shape[2], D),
)
