"""What does it cost to read theta as a pose?

The baseline is Rodrigues' formula in PyTorch, one exponential and views of theta; our results are copies.
"""

from __future__ import annotations

import torch

import stn3dmm_cuda

from . import baseline, limits, scenes
from .cases import BACKWARD, BASELINE, FORWARD, OURS, Case, Contest, Inputs

CASES = tuple(
    Case("pose", work, {"B": B, "K": K}, quick=(B, K) == (64, 10) and work == BACKWARD, compiled=K == 10)
    for B in (1, 8, 64, 512)
    for K in (10, 60, 199)
    for work in (FORWARD, BACKWARD)
)


def prepare(case: Case, device: torch.device) -> Contest:
    B, K = case.sizes["B"], case.sizes["K"]
    theta = scenes.theta(B, K, 1.0, 224, 224).to(device).requires_grad_(case.work != FORWARD)
    shapes = ((B, 3, 3), (B, 2), (B,), (B, K))
    gradients = tuple(scenes.random(*shape, seed=seed).to(device) for seed, shape in enumerate(shapes))
    return Contest(
        Inputs((theta,), gradients),
        {OURS: lambda theta: tuple(stn3dmm_cuda.pose(theta)), BASELINE: baseline.pose},
        limits.pose(case.sizes, case.work != FORWARD),
        same_results=True,
    )


if __name__ == "__main__":
    from .command import main

    main(["pose"])
