"""Files of network weights that `torch.save` wrote: tensors by name, read without running what the file holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from stn3dmm.files import existing_file


def read_state_dict(path: str | os.PathLike[str], what: str) -> dict[str, torch.Tensor]:
    """The tensors of a state dict by name, on the CPU; ``what`` names the expected content in errors.

    A state dict that lies in a dict, as in {"state_dict": ..., "epoch": 3}, is found; the "module." that
    DataParallel writes before each name is taken off.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds no state dict.
    """
    file = existing_file(path, what)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different type for each kind of damage
        # The rest of PyTorch's message recommends weights_only=False, which would run whatever the file says.
        reason = str(error).strip().split("\n")[0].split(". ")[0]
        raise ValueError(
            f"{file}: not readable as weights of PyTorch ({reason}); expected {what}. Save them with "
            "torch.save(network.state_dict(), ...)."
        ) from error
    # A checkpoint may have single tensors, say of a generator's state, beside the dict of the weights.
    candidates = (content, *(content.values() if isinstance(content, Mapping) else ()))
    tensors = max(map(_tensors, candidates), key=len)
    if not tensors:
        raise ValueError(f"{file}: holds no tensors by name; expected {what}.")
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def _tensors(content: Any) -> dict[str, torch.Tensor]:
    if not isinstance(content, Mapping):
        return {}
    return {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}


def check_shapes(
    tensors: Mapping[str, torch.Tensor], expected: Mapping[str, tuple[int, ...]], path: object, what: str
) -> None:
    """ValueError that names what is missing, of another shape, not floating-point or not finite."""
    faults = []
    for name, shape in expected.items():
        if name not in tensors:
            faults.append(f"{name} is missing")
        elif tuple(tensors[name].shape) != shape:
            faults.append(f"{name} must be {shape}, got {tuple(tensors[name].shape)}")
        elif not tensors[name].is_floating_point():
            faults.append(f"{name} must be floating-point, got {tensors[name].dtype}")
        elif not tensors[name].isfinite().all():
            faults.append(f"{name} holds NaN or infinity")
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise ValueError(f"{path}: not {what}: {'; '.join(faults[:3])}{more}.")
