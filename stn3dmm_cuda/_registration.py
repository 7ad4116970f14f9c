"""Registers what every operator has besides its kernels: fake kernel, autograd formula, autocast rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ._library import NAMESPACE
from ._short_way import operators

AUTOCAST_DEVICES = ("cpu", "cuda")  # that have autocast rules of these operators


def register(
    name: str,
    *,
    fake: Callable[..., Any],
    setup_context: Callable[..., None],
    backward: Callable[..., Any],
) -> None:
    """Registers the operator stn3dmm::<name>; under autocast it runs in float32."""
    torch.library.register_fake(f"{NAMESPACE}::{name}", fake)
    torch.library.register_autograd(f"{NAMESPACE}::{name}", backward, setup_context=setup_context)
    operators.open_way(name, setup_context, backward)
    _register_autocast(name)


def register_backward(name: str, *, fake: Callable[..., Any], function: str | None = None) -> None:
    """Registers the operator stn3dmm::<name>_backward, which cannot be differentiated again.

    function: the Python function that calls the operator, if its name is another.
    """
    known = function or name

    def refuse(_ctx: Any, *_grads: torch.Tensor) -> None:
        raise NotImplementedError(
            f"{known}: the second derivative is not implemented. Use stn3dmm_cuda.reference.{known} where it is needed."
        )

    torch.library.register_fake(f"{NAMESPACE}::{name}_backward", fake)
    torch.library.register_autograd(f"{NAMESPACE}::{name}_backward", refuse)
    operators.open_way_of_backward(f"{name}_backward")
    _register_autocast(f"{name}_backward")


def _register_autocast(name: str) -> None:
    for device_type in AUTOCAST_DEVICES:
        torch.library.register_autocast(f"{NAMESPACE}::{name}", device_type, torch.float32)
