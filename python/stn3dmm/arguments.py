"""Array arguments of the public functions: real numbers, whatever holds them, or a clear refusal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch


def array(operator: str, name: str, values: Any) -> npt.NDArray[Any]:
    """``values`` as an array; ValueError for nested sequences of unequal length."""
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError(
            f"{operator}: {name} must be numbers in rows of one length; got rows that differ. Fill the short ones."
        ) from None


def indices(operator: str, name: str, values: Any) -> npt.NDArray[np.int64]:
    """``values`` as int64; TypeError for anything but integers, so that no fraction is cut off."""
    numbers = array(operator, name, values)
    if numbers.size and numbers.dtype.kind not in "iu":
        raise TypeError(f"{operator}: {name} must be integers; got {numbers.dtype}. Convert them first.")
    return np.ascontiguousarray(numbers, dtype=np.int64)


def real_tensor(operator: str, name: str, values: torch.Tensor | npt.ArrayLike) -> torch.Tensor:
    """A tensor as it is, anything else copied as float64.

    Raises:
        ValueError: nested sequences of unequal length.
        TypeError: what are no real numbers.
    """
    if not isinstance(values, torch.Tensor):
        numbers = array(operator, name, values)
        if numbers.dtype.kind not in "fiub":
            kind = f"dtype {numbers.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
            raise TypeError(f"{operator}: {name} must be real numbers; got {kind}. Pass an array or a tensor.")
        # A copy: PyTorch cannot share an array that is read-only or runs backwards.
        return torch.from_numpy(np.array(numbers, dtype=np.float64, order="C"))
    if values.is_complex():
        raise TypeError(f"{operator}: {name} must be real numbers; got {values.dtype}. Use {name}.real.")
    return values
