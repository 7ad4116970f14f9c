"""Image and points -> the image's values at the points, bilinearly."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks
from ._registration import register, register_backward
from ._short_way import operators


def sample(image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Samples the image bilinearly at the points, with zeros outside.

    Convention:
        Pixels, x right, y down, pixel centres at integers; equal to `grid_sample(..., align_corners=True)` of the
        points' `grid`. A point that is not finite samples 0 and gets gradient 0.

    Args:
        image: (B, C, H, W) float32 or float64, or float16 or bfloat16 with float32 points.
        points: (B, N, 2 or 3) pixels, float32 or float64; the depth is not used.

    Returns:
        (B, C, N) in the image's dtype.

    Differentiable once, in image and points. Deterministic on the CPU; on CUDA the gradient to the image is, under
    `torch.use_deterministic_algorithms(True)`.

    Raises:
        TypeError: dtypes do not go together.
        ValueError: a shape does not fit, or the image has no pixel.

    Source:
        docs/math.md#sample

    Example:
        >>> ramp = torch.arange(6.0).reshape(1, 1, 2, 3)
        >>> sample(ramp, torch.tensor([[[0.5, 0.0], [1.0, 0.5], [2.5, 0.0]]])).tolist()
        [[[0.5, 2.5, 1.0]]]
    """
    _checks.coordinates("sample", points=points)
    _checks.image("sample", image, "points", points)
    _checks.points("sample", points)
    if points.shape[0] != image.shape[0]:
        raise ValueError(
            f"sample: points must have B = {image.shape[0]} as in image; got {tuple(points.shape)}. "
            "Expand the one of batch size 1 with .expand."
        )
    samples: torch.Tensor = operators.sample(image, points)
    return samples


def _setup(ctx: Any, inputs: tuple[torch.Tensor, torch.Tensor], output: torch.Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad_samples: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    needed = ctx.needs_input_grad[:2]
    deterministic = torch.are_deterministic_algorithms_enabled()
    grads = operators.sample_backward(grad_samples, *ctx.saved_tensors, *needed, deterministic)
    return tuple(grad if need else None for grad, need in zip(grads, needed, strict=True))


def _backward_fake(
    grad_samples: torch.Tensor,
    image: torch.Tensor,
    points: torch.Tensor,
    image_needed: bool,
    points_needed: bool,
    deterministic: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    return image.new_empty(image.shape if image_needed else 0), points.new_empty(points.shape if points_needed else 0)


register(
    "sample",
    fake=lambda image, points: image.new_empty(image.shape[0], image.shape[1], points.shape[1]),
    setup_context=_setup,
    backward=_backward,
)
register_backward("sample", fake=_backward_fake)
