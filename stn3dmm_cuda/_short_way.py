"""The operators as this package calls them: past the Python steps of PyTorch's dispatcher, where nobody needs those.

A custom operator whose autograd formula is in Python takes as long on its way through the dispatcher and back as
several small kernels do; the same formula in a `torch.autograd.Function` of its own takes half of that or less. That is
right only where plain tensors meet autograd and nothing else; everything else (torch.compile, transforms, autocast,
modes, subclasses, tracing) goes the whole way, to what was registered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ._library import operators as registered

Operator = Callable[..., Any]

_PLAIN = frozenset((torch.Tensor, torch.nn.Parameter, type(None), bool, int, float, str))
_C: Any = torch._C
_NEEDED = (
    "_AutoDispatchBelowAutograd",
    "_any_requires_grad",
    "_are_functorch_transforms_active",
    "_get_tracing_state",
    "_is_any_autocast_enabled",
    "_len_torch_dispatch_stack",
    "_len_torch_function_stack",
)
# What torch.autograd.Function is but for torch.func, which takes the whole way.
_Function: Any = getattr(torch.autograd.function, "_SingleLevelFunction", torch.autograd.Function)
OPEN = all(hasattr(_C, name) for name in _NEEDED)  # a PyTorch without one of them goes the whole way


def _nothing_else(inputs: tuple[Any, ...]) -> bool:
    """Whether plain tensors and numbers meet autograd alone."""
    return (
        not torch.compiler.is_compiling()
        and OPEN
        and not (
            _C._is_any_autocast_enabled()
            or _C._len_torch_dispatch_stack()
            or _C._len_torch_function_stack()
            or _C._are_functorch_transforms_active()
            or _C._get_tracing_state() is not None
        )
        and _PLAIN.issuperset(map(type, inputs))
    )


class Operators:
    """operators.<name>(*inputs): by the short way if one was opened, else as PyTorch has it."""

    def __getattr__(self, name: str) -> Operator:  # what `open_way` has not set
        operator: Operator = getattr(registered, name)
        return operator

    def open_way(self, name: str, setup_context: Callable[..., None], backward: Operator) -> None:
        """For an operator with this autograd formula, as torch.library.register_autograd takes it."""
        operator: Operator = getattr(registered, name)

        def forward(ctx: Any, *inputs: Any) -> Any:
            with _C._AutoDispatchBelowAutograd():
                output = operator(*inputs)
            setup_context(ctx, inputs, output)
            return output

        parts = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
        function: Any = type(f"ShortWayOf_{name}", (_Function,), parts)

        def call(*inputs: Any) -> Any:
            if not _nothing_else(inputs):
                return operator(*inputs)
            if torch.is_grad_enabled() and _C._any_requires_grad(*inputs):
                return function.apply(*inputs)
            with _C._AutoDispatchBelowAutograd():
                return operator(*inputs)

        setattr(self, name, call)

    def open_way_of_backward(self, name: str) -> None:
        """For an operator that computes gradients: no autograd, unless a second derivative is asked for."""
        operator: Operator = getattr(registered, name)

        def call(*inputs: Any) -> Any:
            if torch.is_grad_enabled() or not _nothing_else(inputs):
                return operator(*inputs)
            with _C._AutoDispatchBelowAutograd():
                return operator(*inputs)

        setattr(self, name, call)


operators = Operators()
