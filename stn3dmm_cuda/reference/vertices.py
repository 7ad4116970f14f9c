"""alpha -> vertices in the model frame: docs/math.md#vertices."""

from __future__ import annotations

import torch


def vertices(alpha: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """X = mean + sum_k alpha_k basis_k: (B, K), (N, 3), (K, N, 3) -> (B, N, 3) model units."""
    if alpha.ndim != 2 or mean.ndim != 2 or basis.shape != (alpha.shape[1], *mean.shape) or mean.shape[1] != 3:
        shapes = f"{tuple(alpha.shape)}, {tuple(mean.shape)} and {tuple(basis.shape)}"
        raise ValueError(f"vertices: alpha, mean and basis must be (B, K), (N, 3) and (K, N, 3); got {shapes}.")
    return mean + torch.einsum("bk,knc->bnc", alpha, basis)
