"""What the layers keep of a model: copies of its arrays, as tensors."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks


def copied(array: Any, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A model's array as a tensor of its own."""
    tensor = array.detach().clone() if isinstance(array, torch.Tensor) else torch.tensor(array)
    return tensor if dtype is None else tensor.to(dtype)


def indices_copied(operator: str, values: Any) -> torch.Tensor:
    """Indices (L,) int64; a list without members counts as whole numbers."""
    try:
        tensor = copied(values)
    except (TypeError, ValueError, RuntimeError):
        tensor = None
    if tensor is None or tensor.dtype == torch.bool or (tensor.numel() and tensor.is_floating_point()):
        got = type(values).__name__ if tensor is None else str(tensor.dtype).removeprefix("torch.")
        raise TypeError(f"{operator}: indices must be whole numbers; got {got}. Use indices.long() if they are exact.")
    _checks.shape(operator, "indices", tensor, "(L,)", (None,))
    return tensor.to(torch.int64)
