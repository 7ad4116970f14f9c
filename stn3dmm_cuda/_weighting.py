"""What the losses share: their checks, their dtypes, weights that hide, and means over images."""

from __future__ import annotations

import torch

from . import _checks

WIDENED = (torch.float16, torch.bfloat16)


def require_float(function: str, **tensors: torch.Tensor) -> None:
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise TypeError(
                f"{function}: {name} must be a floating tensor; got {tensor.dtype}. Convert it with {name}.float()."
            )


def require_texture(function: str, texture: torch.Tensor, mask: torch.Tensor, suffix: str = "") -> None:
    """A texture (B, C, P, Q) and its mask (B, 1, P, Q)."""
    name = f"texture{suffix}"
    require_float(function, **{name: texture})
    _checks.shape(function, name, texture, "(B, C, P, Q)", (None, None, None, None))
    if mask.ndim == 3:
        got = tuple(mask.shape)
        raise ValueError(f"{function}: mask{suffix} must be (B, 1, P, Q); got {got}. Use mask{suffix}[:, None].")
    B, _, P, Q = texture.shape
    _checks.shape(function, f"mask{suffix}", mask, "(B, 1, P, Q)", (B, 1, P, Q), like=name)


def require_textures(
    function: str, texture_a: torch.Tensor, mask_a: torch.Tensor, texture_b: torch.Tensor, mask_b: torch.Tensor
) -> None:
    """Two of them of one shape."""
    require_texture(function, texture_a, mask_a, "_a")
    require_texture(function, texture_b, mask_b, "_b")
    _checks.shape(function, "texture_b", texture_b, "(B, C, P, Q)", tuple(texture_a.shape), like="texture_a")


def wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype in WIDENED else tensor


def cast(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A weight of any dtype to that of what it weighs, but that float64 stays."""
    return weight if weight.dtype == torch.float64 else weight.to(dtype)


def widened(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """All in float64 if one of them is, else in float32."""
    dtype = torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32
    return tuple(tensor.to(dtype) for tensor in tensors)


def squared(difference: torch.Tensor, weight: torch.Tensor, dim: int) -> torch.Tensor:
    """difference^2, 0 where it, or its sum over `dim`, is not finite under a weight of 0.

    A finite difference stays under a weight of 0: the gradient to a soft weight is the squared difference there too.
    """
    nothing = torch.zeros_like(difference)
    difference = torch.where((weight != 0) | difference.square().isfinite(), difference, nothing)
    summed = difference.square().sum(dim=dim, keepdim=True)
    return torch.where((weight != 0) | summed.isfinite(), difference, nothing).square()


def mean_over_images(per_image: torch.Tensor) -> torch.Tensor:
    return per_image.sum() / max(per_image.shape[0], 1)


def mean_of_ratios(total: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """mean_b [ total / max(1, weight) ], both (B,)."""
    return mean_over_images(total / weight.clamp(min=1))
