"""Vertices -> points in the image, by scaled orthographic projection."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks
from ._registration import register, register_backward
from ._short_way import operators


def project(
    vertices: torch.Tensor, rotation: torch.Tensor, translation: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Poses the vertices and projects them: x = s (R X)_x + t_x, y = -s (R X)_y + t_y, depth = s (R X)_z.

    Convention:
        Model frame y up, image frame y down: y is flipped here and nowhere else. Pixel centres at integers. A larger
        depth is nearer to the viewer.

    Args:
        vertices: (B, N, 3) model units, float32 or float64.
        rotation: (B, 3, 3), same dtype.
        translation: (B, 2) pixels, same dtype.
        scale: (B,) pixels per model unit, same dtype.

    Returns:
        points (B, N, 3) pixels.

    Differentiable once, in all four. Deterministic, whatever the number of threads.

    Raises:
        TypeError: dtypes differ or are not float32 or float64.
        ValueError: a shape does not fit.

    Source:
        docs/math.md#points

    Example:
        >>> one = torch.tensor([[[1.0, 2.0, 3.0]]])
        >>> project(one, torch.eye(3)[None], torch.tensor([[10.0, 10.0]]), torch.tensor([2.0])).tolist()
        [[[12.0, 6.0, 6.0]]]
    """
    _checks.coordinates("project", vertices=vertices, rotation=rotation, translation=translation, scale=scale)
    _checks.shape("project", "vertices", vertices, "(B, N, 3)", (None, None, 3))
    B = vertices.shape[0]
    _checks.shape("project", "rotation", rotation, "(B, 3, 3)", (B, 3, 3), like="vertices")
    _checks.shape("project", "translation", translation, "(B, 2)", (B, 2), like="vertices")
    _checks.shape("project", "scale", scale, "(B,)", (B,), like="vertices")
    points: torch.Tensor = operators.project(vertices, rotation, translation, scale)
    return points


def _setup(ctx: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
    vertices, rotation, _, scale = inputs
    ctx.save_for_backward(vertices, rotation, scale)


def _backward(ctx: Any, grad_points: torch.Tensor) -> tuple[torch.Tensor, ...]:
    grads: tuple[torch.Tensor, ...] = operators.project_backward(grad_points, *ctx.saved_tensors)
    return grads


def _backward_fake(
    grad_points: torch.Tensor, vertices: torch.Tensor, rotation: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    B = vertices.shape[0]
    return (
        vertices.new_empty(vertices.shape),
        vertices.new_empty(B, 3, 3),
        vertices.new_empty(B, 2),
        vertices.new_empty(B),
    )


register(
    "project",
    fake=lambda vertices, rotation, translation, scale: vertices.new_empty(vertices.shape),
    setup_context=_setup,
    backward=_backward,
)
register_backward("project", fake=_backward_fake)
