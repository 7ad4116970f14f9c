"""The fused chain: image and theta -> flattened texture, mask and landmarks."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks
from ._registration import register, register_backward
from ._short_way import operators
from .results import Warp

VISIBILITIES = ("hard", "soft", "none")


def warp(
    image: torch.Tensor,
    theta: torch.Tensor,
    mean: torch.Tensor,
    basis: torch.Tensor,
    grid_shape: tuple[int, int],
    *,
    visibility: str = "hard",
    landmarks: torch.Tensor | None = None,
    valid: torch.Tensor | None = None,
    tolerance: float = 0.01,
    temperature: float = 1.0,
) -> Warp:
    """Flattens the faces in the images: pose, vertices, projection, sampling and visibility in fused kernels.

    Convention:
        theta as in `pose`, points as in `project`, sampling as in `sample`, visibility as in `visibility`. Texture row
        0 is the forehead, column 0 the image's left. The mask is visibility x (0 <= x <= W - 1 and 0 <= y <= H - 1)
        x valid; vertices that are not valid do occlude. The texture is not multiplied by the mask: see `masked`.
        An image whose theta is not finite has texture 0, mask 0, landmarks NaN and gradient 0; the others do not
        feel it.

    Args:
        image: (B, C, H, W) float32 or float64, or float16 or bfloat16 with float32 theta.
        theta: (B, 6 + K) float32 or float64.
        mean: (N, 3) model units, theta's dtype, a constant.
        basis: (K, N, 3) model units per standard deviation, theta's dtype, a constant.
        grid_shape: (P, Q) with P Q = N.
        visibility: "hard", "soft", or "none" for no occlusion test.
        landmarks: (L,) int64 vertex indices; outside 0..N-1 = no such vertex: NaN.
        valid: (N,) bool; False where a hole was filled.
        tolerance: pixels, as in `visibility`.
        temperature: pixels, more than 0: the width of soft visibility, as in `visibility`.

    Returns:
        Warp(texture (B, C, P, Q) in the image's dtype, mask (B, 1, P, Q) and landmarks (B, L, 2) pixels in theta's).

    Differentiable once, in image (computed only if asked for) and theta, through texture and landmarks and, with soft
    visibility, through the mask. The gradient to theta is deterministic,
    whatever the number of threads; the gradient to the image as in `sample`.

    Raises:
        TypeError: dtypes do not go together.
        ValueError: a shape or a choice does not fit, or mean or basis requires grad.

    Source:
        Bas et al. 2017, section 3; docs/math.md#warp

    Example:
        >>> mean = torch.tensor([[-1.0, 1, 0], [1, 1, 0], [-1, -1, 0], [1, -1, 0]])
        >>> theta = torch.tensor([[0.0, 0, 0, 1.5, 1.5, 0]])
        >>> image = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> warp(image, theta, mean, torch.zeros(0, 4, 3), (2, 2)).texture.tolist()
        [[[[2.5, 4.5], [10.5, 12.5]]]]
    """
    _checks.coordinates("warp", theta=theta, mean=mean, basis=basis)
    _checks.image("warp", image, "theta", theta)
    _checks.shape("warp", "basis", basis, "(K, N, 3)", (None, None, 3))
    K, N, _ = basis.shape
    _checks.shape("warp", "mean", mean, "(N, 3)", (N, 3), like="basis")
    B = image.shape[0]
    _checks.shape("warp", "theta", theta, "(B, 6 + K)", (B, 6 + K), like="image and basis")
    P, Q = _checks.grid_shape("warp", grid_shape, N)
    _checks.choice("warp", "visibility", visibility, VISIBILITIES)
    _checks.finite("warp", tolerance=tolerance, temperature=temperature)
    _checks.positive("warp", temperature=temperature)
    _check_constants(mean, basis)
    _check_indices(theta, landmarks, valid, N)
    *outputs, _ = operators.warp(image, theta, mean, basis, landmarks, valid, P, Q, visibility, tolerance, temperature)
    return Warp(*outputs)


def _check_constants(mean: torch.Tensor, basis: torch.Tensor) -> None:
    for name, tensor in (("mean", mean), ("basis", basis)):
        if tensor.requires_grad:
            raise ValueError(
                f"warp: {name} must not require grad: the fused chain holds the model constant. "
                f"Pass {name}.detach(), or chain the operators pose, vertices, project and sample."
            )


def _check_indices(theta: torch.Tensor, landmarks: torch.Tensor | None, valid: torch.Tensor | None, N: int) -> None:
    if landmarks is not None:
        _checks.tensors("warp", theta=theta, landmarks=landmarks)
        if landmarks.dtype != torch.int64:
            raise TypeError(f"warp: landmarks must be int64; got {landmarks.dtype}. Use landmarks.long().")
        _checks.shape("warp", "landmarks", landmarks, "(L,)", (None,))
    if valid is not None:
        _checks.tensors("warp", theta=theta, valid=valid)
        if valid.dtype != torch.bool:
            raise TypeError(f"warp: valid must be bool; got {valid.dtype}. Use valid.bool().")
        _checks.shape("warp", "valid", valid, "(N,)", (N,), like="basis")


def _fake(
    image: torch.Tensor,
    theta: torch.Tensor,
    mean: torch.Tensor,
    basis: torch.Tensor,
    landmarks: torch.Tensor | None,
    valid: torch.Tensor | None,
    P: int,
    Q: int,
    visibility: str,
    tolerance: float,
    temperature: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    B, C = image.shape[:2]
    L = 0 if landmarks is None else landmarks.shape[0]
    winner = theta.new_empty((B, mean.shape[0]) if visibility == "soft" else (0,), dtype=torch.int64)
    return image.new_empty(B, C, P, Q), theta.new_empty(B, 1, P, Q), theta.new_empty(B, L, 2), winner


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, ...]) -> None:
    image, theta, mean, basis, landmarks, _, P, Q, visibility, tolerance, temperature = inputs
    _, mask, _, winner = output
    ctx.save_for_backward(image, theta, mean, basis, landmarks, winner)
    ctx.numbers = P, Q, tolerance, temperature
    ctx.mark_non_differentiable(*((winner,) if visibility == "soft" else (mask, winner)))
    ctx.set_materialize_grads(False)


def _backward(
    ctx: Any,
    grad_texture: torch.Tensor | None,
    grad_mask: torch.Tensor | None,
    grad_landmarks: torch.Tensor | None,
    _: None,
) -> tuple[torch.Tensor | None, ...]:
    needed = ctx.needs_input_grad[:2]
    deterministic = torch.are_deterministic_algorithms_enabled()
    grad_image, grad_theta = operators.warp_backward(
        grad_texture, grad_mask, grad_landmarks, *ctx.saved_tensors, *ctx.numbers, *needed, deterministic
    )
    return (grad_image if needed[0] else None, grad_theta if needed[1] else None, *[None] * 9)


def _backward_fake(
    grad_texture: torch.Tensor | None,
    grad_mask: torch.Tensor | None,
    grad_landmarks: torch.Tensor | None,
    image: torch.Tensor,
    theta: torch.Tensor,
    mean: torch.Tensor,
    basis: torch.Tensor,
    landmarks: torch.Tensor | None,
    winner: torch.Tensor,
    P: int,
    Q: int,
    tolerance: float,
    temperature: float,
    image_needed: bool,
    theta_needed: bool,
    deterministic: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    return image.new_empty(image.shape if image_needed else 0), theta.new_empty(theta.shape if theta_needed else 0)


register("warp", fake=_fake, setup_context=_setup, backward=_backward)
register_backward("warp", fake=_backward_fake)
