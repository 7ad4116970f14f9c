"""The losses of the paper, each the mean over the images of a per-image mean: docs/math.md#losses.

They are computed in float32 at least, also under autocast. A weight of 0 hides what it weighs altogether: a hidden NaN
reaches neither the value nor a gradient. What compares textures is an operator, the rest plain PyTorch.
"""

from __future__ import annotations

from typing import Any

import torch

from . import _checks, _weighting
from ._registration import register, register_backward
from ._short_way import operators


def masked(texture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The masking layer: the texture where the mask shows it, 0 where the mask is 0, whatever the texture holds there.

    Convention:
        Texture grid: row 0 at the forehead, column 0 at the image's left.

    Args:
        texture: (B, C, P, Q) floating.
        mask: (B, 1, P, Q) floating or bool, 0 to 1.

    Returns:
        (B, C, P, Q) in the texture's dtype. Differentiable with respect to both.

    Raises:
        TypeError: texture is not floating.
        ValueError: a shape is wrong.

    Source:
        docs/math.md#masking

    Example:
        >>> masked(torch.tensor([[[[3.0, torch.nan]]]]), torch.tensor([[[[0.5, 0.0]]]])).tolist()
        [[[[1.5, 0.0]]]]
    """
    _weighting.require_texture("masked", texture, mask)
    weight = mask.to(texture.dtype)
    shown = (weight != 0) | texture.isfinite()
    return torch.where(shown, texture, torch.zeros_like(texture)) * weight


def landmark_loss(points: torch.Tensor, target: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """The squared distance of the visible landmarks: mean_b [ sum_l v |p - q|^2 / max(1, sum_l v) ].

    Convention:
        Image frame: pixels, x right, y down, pixel centres at integers.

    Args:
        points: (B, L, 2) floating, pixels: where the model's landmarks are.
        target: (B, L, 2) floating, pixels: where they should be. An invisible one may be NaN.
        visible: (B, L) bool, integer or floating weights of 0 or more.

    Returns:
        () pixels squared; 0 for an empty batch. Differentiable with respect to all three.

    Raises:
        TypeError: points or target is not floating.
        ValueError: a shape is wrong.

    Source:
        docs/math.md#losses

    Example:
        >>> points = torch.tensor([[[3.0, 4.0], [7.0, 7.0]]])
        >>> target = torch.tensor([[[0.0, 0.0], [torch.nan, torch.nan]]])
        >>> landmark_loss(points, target, torch.tensor([[True, False]])).item()
        25.0
    """
    name = "landmark_loss"
    _weighting.require_float(name, points=points, target=target)
    _checks.shape(name, "points", points, "(B, L, 2)", (None, None, 2))
    B, L, _ = points.shape
    _checks.shape(name, "target", target, "(B, L, 2)", (B, L, 2), like="points")
    _checks.shape(name, "visible", visible, "(B, L)", (B, L), like="points")
    difference = _weighting.wide(points) - _weighting.wide(target)
    weight = _weighting.cast(visible, difference.dtype)
    total = (weight * _weighting.squared(difference, weight[:, :, None], dim=2).sum(dim=2)).sum(dim=1)
    return _weighting.mean_over_images(total / weight.sum(dim=1).clamp(min=1))


def prior_loss(alpha: torch.Tensor) -> torch.Tensor:
    """The squared Mahalanobis distance from the mean shape: mean_b [ sum_k alpha_k^2 ].

    Convention:
        alpha is in standard deviations; its prior is N(0, I).

    Args:
        alpha: (B, K) floating, standard deviations.

    Returns:
        () standard deviations squared; 0 for an empty batch. Differentiable.

    Raises:
        TypeError: alpha is not floating.
        ValueError: alpha is not (B, K).

    Source:
        docs/math.md#losses

    Example:
        >>> prior_loss(torch.tensor([[1.0, 2.0], [0.0, 3.0]])).item()
        7.0
    """
    _weighting.require_float("prior_loss", alpha=alpha)
    _checks.shape("prior_loss", "alpha", alpha, "(B, K)", (None, None))
    return _weighting.mean_over_images(_weighting.wide(alpha).square().sum(dim=1))


def symmetry_loss(texture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The squared difference of a texture and its left-right mirror where both are seen.

    Convention:
        The texture grid is symmetric about its middle columns: the mirror is a flip of the columns. The weight is
        mask x mirrored mask; every pair of texels counts twice, above and below the fraction line.

    Args:
        texture: (B, C, P, Q) floating.
        mask: (B, 1, P, Q) floating or bool, 0 to 1.

    Returns:
        () texture units squared, summed over channels, per weight; 0 for an empty batch.

    Differentiable once, in both. Deterministic, whatever the number of threads.

    Raises:
        TypeError: texture is not floating.
        ValueError: a shape is wrong, or the tensors are on different devices.

    Source:
        docs/math.md#losses

    Example:
        >>> symmetry_loss(torch.tensor([[[[1.0, 5.0, 3.0]]]]), torch.ones(1, 1, 1, 3)).item()  # (4 + 0 + 4) / 3
        2.6666667461395264
    """
    name = "symmetry_loss"
    _checks.tensors(name, texture=texture, mask=mask)
    _weighting.require_texture(name, texture, mask)
    sums = operators.texture_asymmetry(*_weighting.widened(texture, mask))
    return _weighting.mean_of_ratios(*sums)


def siamese_loss(
    texture_a: torch.Tensor, mask_a: torch.Tensor, texture_b: torch.Tensor, mask_b: torch.Tensor, mirror: bool = False
) -> torch.Tensor:
    """The squared difference of two textures of one face where both are seen.

    Convention:
        For an image and its mirror image the paper compares the textures as they are (bilateral symmetry across
        views); mirror=True flips the second texture and mask first (consistency of the fit).

    Args:
        texture_a: (B, C, P, Q) floating.
        mask_a: (B, 1, P, Q) floating or bool, 0 to 1.
        texture_b: (B, C, P, Q) floating.
        mask_b: (B, 1, P, Q) floating or bool, 0 to 1.
        mirror: flip the columns of the second texture and mask.

    Returns:
        () texture units squared, summed over channels, per weight; 0 for an empty batch.

    Differentiable once, in all four. Deterministic, whatever the number of threads.

    Raises:
        TypeError: a texture is not floating.
        ValueError: a shape is wrong, or the tensors are on different devices.

    Source:
        docs/math.md#losses

    Example:
        >>> ones = torch.ones(1, 1, 2, 2)
        >>> siamese_loss(ones, ones, 3 * ones, ones).item()
        4.0
    """
    name = "siamese_loss"
    _checks.tensors(name, texture_a=texture_a, mask_a=mask_a, texture_b=texture_b, mask_b=mask_b)
    _weighting.require_textures(name, texture_a, mask_a, texture_b, mask_b)
    sums = operators.texture_difference(*_weighting.widened(texture_a, mask_a, texture_b, mask_b), mirror)
    return _weighting.mean_of_ratios(*sums)


def _sums_fake(texture: torch.Tensor, *_: Any) -> tuple[torch.Tensor, torch.Tensor]:
    B = texture.shape[0]
    return texture.new_empty(B), texture.new_empty(B)


def _gradients_fake(arguments: tuple[torch.Tensor, ...], needed: tuple[bool, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(a.new_empty(a.shape if need else 0) for a, need in zip(arguments, needed, strict=True))


def _difference_setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, ...]) -> None:
    *tensors, ctx.mirror = inputs
    ctx.save_for_backward(*tensors)


def _difference_backward(ctx: Any, *grad_sums: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    needed = ctx.needs_input_grad[:4]
    grads = operators.texture_difference_backward(*grad_sums, *ctx.saved_tensors, ctx.mirror, *needed)
    return (*(grad if need else None for grad, need in zip(grads, needed, strict=True)), None)


def _difference_backward_fake(
    grad_difference: torch.Tensor, grad_weight: torch.Tensor, *others: Any
) -> tuple[torch.Tensor, ...]:
    return _gradients_fake(others[:4], others[5:])


def _asymmetry_setup(ctx: Any, inputs: tuple[torch.Tensor, torch.Tensor], output: tuple[torch.Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs)


def _asymmetry_backward(ctx: Any, *grad_sums: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    needed = ctx.needs_input_grad[:2]
    grads = operators.texture_asymmetry_backward(*grad_sums, *ctx.saved_tensors, *needed)
    return tuple(grad if need else None for grad, need in zip(grads, needed, strict=True))


def _asymmetry_backward_fake(
    grad_difference: torch.Tensor, grad_weight: torch.Tensor, *others: Any
) -> tuple[torch.Tensor, ...]:
    return _gradients_fake(others[:2], others[2:])


register("texture_difference", fake=_sums_fake, setup_context=_difference_setup, backward=_difference_backward)
register_backward("texture_difference", fake=_difference_backward_fake, function="siamese_loss")
register("texture_asymmetry", fake=_sums_fake, setup_context=_asymmetry_setup, backward=_asymmetry_backward)
register_backward("texture_asymmetry", fake=_asymmetry_backward_fake, function="symmetry_loss")
