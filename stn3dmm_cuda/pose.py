"""theta -> rotation, translation, scale and shape coefficients."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks
from ._registration import register, register_backward
from ._short_way import operators
from .results import Pose


def pose(theta: torch.Tensor) -> Pose:
    """Takes theta apart into rotation, translation, scale and shape coefficients.

    Convention:
        theta = (r[3] axis-angle in radians, t[2] pixels, log s natural logarithm, alpha[K] standard deviations).
        r = 0 is a frontal face.

    Args:
        theta: (B, 6 + K) float32 or float64.

    Returns:
        Pose(rotation (B, 3, 3), translation (B, 2) pixels, scale (B,) pixels per model unit, alpha (B, K)), copies.

    Differentiable once, exactly, at r = 0 too. Deterministic.

    Raises:
        TypeError: theta is no float32 or float64 tensor.
        ValueError: theta is not (B, 6 + K).

    Source:
        docs/math.md#pose

    Example:
        >>> frontal = torch.tensor([[0.0, 0.0, 0.0, 112.0, 112.0, 0.0]])
        >>> pose(frontal).rotation[0].tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    _checks.coordinates("pose", theta=theta)
    _checks.shape("pose", "theta", theta, "(B, 6 + K)", (None, None))
    if theta.shape[1] < 6:
        raise ValueError(f"pose: theta must be (B, 6 + K); got {tuple(theta.shape)}, fewer than six columns.")
    return Pose(*operators.pose(theta))


def axis_angle_to_matrix(r: torch.Tensor) -> torch.Tensor:
    """The rotation matrix of each axis-angle vector (Rodrigues).

    Convention:
        A rotation by |r| radians about r, counter-clockwise seen from the tip of r, of column vectors.

    Args:
        r: (B, 3) radians, float32 or float64.

    Returns:
        (B, 3, 3).

    Differentiable once, exactly, at r = 0 too. Deterministic.

    Raises:
        TypeError: r is no float32 or float64 tensor.
        ValueError: r is not (B, 3).

    Source:
        docs/math.md#pose

    Example:
        >>> quarter_turn = torch.tensor([[0.0, 0.0, torch.pi / 2]])
        >>> axis_angle_to_matrix(quarter_turn)[0].round().abs().tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    _checks.coordinates("axis_angle_to_matrix", r=r)
    _checks.shape("axis_angle_to_matrix", "r", r, "(B, 3)", (None, 3))
    rotation: torch.Tensor = operators.axis_angle_to_matrix(r)
    return rotation


def _pose_fake(theta: torch.Tensor) -> tuple[torch.Tensor, ...]:
    B, D = theta.shape
    return (
        theta.new_empty(B, 3, 3),
        theta.new_empty(B, 2),
        theta.new_empty(B),
        theta.new_empty(B, D - 6),
    )


def _pose_setup(ctx: Any, inputs: tuple[torch.Tensor], output: Any) -> None:
    ctx.save_for_backward(inputs[0])


def _pose_backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
    (theta,) = ctx.saved_tensors
    grad_theta: torch.Tensor = operators.pose_backward(theta, *grads)
    return grad_theta


def _matrix_setup(ctx: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
    ctx.save_for_backward(inputs[0])


def _matrix_backward(ctx: Any, grad_rotation: torch.Tensor) -> torch.Tensor:
    (r,) = ctx.saved_tensors
    grad_r: torch.Tensor = operators.axis_angle_to_matrix_backward(grad_rotation, r)
    return grad_r


register("pose", fake=_pose_fake, setup_context=_pose_setup, backward=_pose_backward)
register_backward("pose", fake=lambda theta, *grads: torch.empty_like(theta, memory_format=torch.contiguous_format))
register(
    "axis_angle_to_matrix",
    fake=lambda r: r.new_empty(r.shape[0], 3, 3),
    setup_context=_matrix_setup,
    backward=_matrix_backward,
)
register_backward("axis_angle_to_matrix", fake=lambda grad_rotation, r: r.new_empty(r.shape[0], 3))
