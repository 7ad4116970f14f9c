"""Shape coefficients -> vertices of the morphable model."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks
from ._registration import register, register_backward
from ._short_way import operators


def vertices(alpha: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """The faces mean + sum_k alpha_k basis_k.

    Convention:
        Model frame, model units (millimetres). The basis is multiplied by the standard deviations already.

    Args:
        alpha: (B, K) standard deviations, float32 or float64.
        mean: (N, 3), same dtype.
        basis: (K, N, 3), same dtype.

    Returns:
        (B, N, 3).

    Differentiable once, in all three. Deterministic, whatever the number of threads. On CUDA, large products
    (B K > 28 (B + K)) and the gradient to the basis are cuBLAS', repeatable on one GPU as far as cuBLAS promises it.
    Under torch.use_deterministic_algorithms(True) the vertices are this library's own in any case, and those of an
    image do not depend on the others.

    Raises:
        TypeError: dtypes differ or are not float32 or float64.
        ValueError: a shape does not fit.

    Source:
        docs/math.md#vertices

    Example:
        >>> vertices(torch.tensor([[2.0]]), torch.ones(1, 3), torch.full((1, 1, 3), 0.5)).tolist()
        [[[2.0, 2.0, 2.0]]]
    """
    _checks.coordinates("vertices", alpha=alpha, mean=mean, basis=basis)
    _checks.shape("vertices", "basis", basis, "(K, N, 3)", (None, None, 3))
    K, N, _ = basis.shape
    _checks.shape("vertices", "mean", mean, "(N, 3)", (N, 3), like="basis")
    _checks.shape("vertices", "alpha", alpha, "(B, K)", (None, K), like="basis")
    shapes: torch.Tensor = operators.vertices(alpha, mean, basis, torch.are_deterministic_algorithms_enabled())
    return shapes


def _setup(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    alpha, _, basis, _ = inputs
    ctx.save_for_backward(alpha, basis)


def _backward(ctx: Any, grad_vertices: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    alpha, basis = ctx.saved_tensors
    needed = ctx.needs_input_grad[:3]
    grads = operators.vertices_backward(grad_vertices, alpha, basis, *needed)
    return (*(grad if need else None for grad, need in zip(grads, needed, strict=True)), None)


def _backward_fake(
    grad_vertices: torch.Tensor,
    alpha: torch.Tensor,
    basis: torch.Tensor,
    alpha_needed: bool,
    mean_needed: bool,
    basis_needed: bool,
) -> tuple[torch.Tensor, ...]:
    K, N, _ = basis.shape
    return (
        alpha.new_empty(alpha.shape if alpha_needed else 0),
        alpha.new_empty((N, 3) if mean_needed else 0),
        alpha.new_empty((K, N, 3) if basis_needed else 0),
    )


register(
    "vertices",
    fake=lambda alpha, mean, basis, deterministic: alpha.new_empty(alpha.shape[0], mean.shape[0], 3),
    setup_context=_setup,
    backward=_backward,
)
register_backward("vertices", fake=_backward_fake)
