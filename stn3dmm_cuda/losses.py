"""The losses of the paper, each the mean over the images of a per-image mean: docs/math.md#losses.

They are plain differentiable PyTorch, computed in float32 at least, also under autocast. A weight of 0 hides what it
weighs altogether: a hidden NaN reaches neither the value nor a gradient.
"""

from __future__ import annotations

import torch

from . import _checks

WIDENED = (torch.float16, torch.bfloat16)


def _require_float(function: str, **tensors: torch.Tensor) -> None:
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise TypeError(
                f"{function}: {name} must be a floating tensor; got {tensor.dtype}. Convert it with {name}.float()."
            )


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype in WIDENED else tensor


def _weight(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return weight if weight.dtype == torch.float64 else weight.to(dtype)


def _squared(difference: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """difference^2, 0 where it is not finite under a weight of 0.

    A finite difference stays under a weight of 0: the gradient to a soft weight is the squared difference there too.
    """
    shown = (weight != 0) | difference.square().isfinite()
    return torch.where(shown, difference, torch.zeros_like(difference)).square()


def _mean_over_images(per_image: torch.Tensor) -> torch.Tensor:
    return per_image.sum() / max(per_image.shape[0], 1)


def _masked_difference(first: torch.Tensor, second: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """mean_b [ sum weight |first - second|^2 / max(1, sum weight) ], weight (B, 1, P, Q)."""
    total = (weight * _squared(first - second, weight)).sum(dim=(1, 2, 3))
    return _mean_over_images(total / weight.sum(dim=(1, 2, 3)).clamp(min=1))


def _require_texture(function: str, texture: torch.Tensor, mask: torch.Tensor, suffix: str = "") -> None:
    _require_float(function, **{f"texture{suffix}": texture})
    name = f"texture{suffix}"
    _checks.shape(function, name, texture, "(B, C, P, Q)", (None, None, None, None))
    if mask.ndim == 3:
        got = tuple(mask.shape)
        raise ValueError(f"{function}: mask{suffix} must be (B, 1, P, Q); got {got}. Use mask{suffix}[:, None].")
    B, _, P, Q = texture.shape
    _checks.shape(function, f"mask{suffix}", mask, "(B, 1, P, Q)", (B, 1, P, Q), like=name)


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
    _require_texture("masked", texture, mask)
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
    _require_float(name, points=points, target=target)
    _checks.shape(name, "points", points, "(B, L, 2)", (None, None, 2))
    B, L, _ = points.shape
    _checks.shape(name, "target", target, "(B, L, 2)", (B, L, 2), like="points")
    _checks.shape(name, "visible", visible, "(B, L)", (B, L), like="points")
    difference = _wide(points) - _wide(target)
    weight = _weight(visible, difference.dtype)
    total = (weight * _squared(difference, weight[:, :, None]).sum(dim=2)).sum(dim=1)
    return _mean_over_images(total / weight.sum(dim=1).clamp(min=1))


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
    _require_float("prior_loss", alpha=alpha)
    _checks.shape("prior_loss", "alpha", alpha, "(B, K)", (None, None))
    return _mean_over_images(_wide(alpha).square().sum(dim=1))


def symmetry_loss(texture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The squared difference of a texture and its left-right mirror where both are seen.

    Convention:
        The texture grid is symmetric about its middle columns: the mirror is a flip of the columns. The weight is
        mask x mirrored mask; every pair of texels counts twice, above and below the fraction line.

    Args:
        texture: (B, C, P, Q) floating.
        mask: (B, 1, P, Q) floating or bool, 0 to 1.

    Returns:
        () texture units squared, summed over channels, per weight; 0 for an empty batch. Differentiable with respect
        to both.

    Raises:
        TypeError: texture is not floating.
        ValueError: a shape is wrong.

    Source:
        docs/math.md#losses

    Example:
        >>> symmetry_loss(torch.tensor([[[[1.0, 5.0, 3.0]]]]), torch.ones(1, 1, 1, 3)).item()  # (4 + 0 + 4) / 3
        2.6666667461395264
    """
    _require_texture("symmetry_loss", texture, mask)
    image = _wide(texture)
    weight = _weight(mask, image.dtype)
    return _masked_difference(image, image.flip(-1), weight * weight.flip(-1))


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
        () texture units squared, summed over channels, per weight; 0 for an empty batch. Differentiable with respect
        to all four.

    Raises:
        TypeError: a texture is not floating.
        ValueError: a shape is wrong.

    Source:
        docs/math.md#losses

    Example:
        >>> ones = torch.ones(1, 1, 2, 2)
        >>> siamese_loss(ones, ones, 3 * ones, ones).item()
        4.0
    """
    name = "siamese_loss"
    _require_texture(name, texture_a, mask_a, "_a")
    _require_texture(name, texture_b, mask_b, "_b")
    _checks.shape(name, "texture_b", texture_b, "(B, C, P, Q)", tuple(texture_a.shape), like="texture_a")
    first, second = _wide(texture_a), _wide(texture_b)
    weight_a, weight_b = _weight(mask_a, first.dtype), _weight(mask_b, first.dtype)
    if mirror:
        second, weight_b = second.flip(-1), weight_b.flip(-1)
    return _masked_difference(first, second, weight_a * weight_b)
