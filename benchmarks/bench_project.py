"""What does it cost to turn, scale and move the vertices into the image?

Backward is to all four arguments. The baseline folds rotation, scale and the flip of y into one matrix and calls
`torch.baddbmm`.
"""

from __future__ import annotations

import torch

import stn3dmm_cuda

from . import baseline, limits, scenes
from .cases import BACKWARD, BASELINE, FORWARD, OURS, Case, Contest, Inputs

CASES = tuple(
    Case(
        "project",
        work,
        {"B": B, "P": side, "Q": side},
        quick=(B, side, work) == (8, 112, BACKWARD),
        compiled=side == 112,
    )
    for B in (1, 8, 64)
    for side in (112, 224)
    for work in (FORWARD, BACKWARD)
)


def prepare(case: Case, device: torch.device) -> Contest:
    B, P, Q = (case.sizes[name] for name in "BPQ")
    mean, basis = scenes.model(P, Q, 10)
    with torch.no_grad():
        pose = stn3dmm_cuda.pose(scenes.theta(B, 10, scenes.scale_for(mean, 224, 224), 224, 224))
        vertices = stn3dmm_cuda.vertices(pose.alpha, mean, basis)
    arguments = tuple(
        tensor.to(device).requires_grad_(case.work != FORWARD)
        for tensor in (vertices, pose.rotation, pose.translation, pose.scale)
    )
    return Contest(
        Inputs(arguments, (scenes.random(B, P * Q, 3).to(device),)),
        {OURS: lambda *arguments: (stn3dmm_cuda.project(*arguments),), BASELINE: baseline.project},
        limits.project(case.sizes, case.work != FORWARD),
        same_results=True,
    )


if __name__ == "__main__":
    from .command import main

    main(["project"])
