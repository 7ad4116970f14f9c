"""What does it cost to add up the modes of a morphable model?

Backward is to alpha, as in training. The baseline is one matrix product with the mean added (`torch.addmm`).
"""

from __future__ import annotations

import torch

import stn3dmm_cuda

from . import baseline, limits, scenes
from .cases import BACKWARD, BASELINE, FORWARD, OURS, Case, Contest, Inputs

CASES = tuple(
    Case(
        "vertices",
        work,
        {"B": B, "P": side, "Q": side, "K": K},
        quick=(B, side, K, work) == (8, 112, 60, BACKWARD),
        compiled=(side, K) == (112, 60),
    )
    for B in (1, 8, 64)
    for side in (112, 224)
    for K in (10, 60, 199)
    for work in (FORWARD, BACKWARD)
)


def prepare(case: Case, device: torch.device) -> Contest:
    B, P, Q, K = (case.sizes[name] for name in "BPQK")
    mean, basis = scenes.model(P, Q, K)
    alpha = scenes.random(B, K).to(device).requires_grad_(case.work != FORWARD)
    gradient = scenes.random(B, P * Q, 3, seed=1).to(device)
    return Contest(
        Inputs((alpha, mean.to(device), basis.to(device)), (gradient,)),
        {OURS: lambda *arguments: (stn3dmm_cuda.vertices(*arguments),), BASELINE: baseline.vertices},
        limits.vertices(case.sizes, case.work != FORWARD),
        same_results=True,
    )


if __name__ == "__main__":
    from .command import main

    main(["vertices"])
