"""What does it cost to sample an image at the vertices?

Images 3 x 224 x 224. The baseline makes normalised coordinates of the points and calls `grid_sample`, which on CUDA
goes to cuDNN and then always computes the gradient to the image too; so it is measured without cuDNN as well.
"""

from __future__ import annotations

import torch

import stn3dmm_cuda

from . import baseline, limits, scenes
from .cases import BACKWARD, BASELINE, FORWARD, IMAGE, OURS, Case, Contest, Inputs

CASES = tuple(
    Case(
        "sample",
        work,
        {"B": B, "P": side, "Q": side, "C": 3, "H": 224, "W": 224},
        quick=(B, side, work) == (8, 112, BACKWARD),
        compiled=side == 112 and work != IMAGE,
    )
    for B in (1, 8, 64)
    for side in (112, 224)
    for work in (FORWARD, BACKWARD, IMAGE)
)


def prepare(case: Case, device: torch.device) -> Contest:
    B, P, Q, C, H, W = (case.sizes[name] for name in "BPQCHW")
    points = scenes.points(case.sizes).to(device).requires_grad_(case.work != FORWARD)
    image = scenes.photographs(B, C, H, W).to(device).requires_grad_(case.work == IMAGE)
    return Contest(
        Inputs((image, points), (scenes.random(B, C, P * Q, seed=1).to(device),)),
        {OURS: lambda image, points: (stn3dmm_cuda.sample(image, points),), BASELINE: baseline.sample},
        limits.sample(case.sizes, case.work != FORWARD, case.work == IMAGE),
        same_results=True,
        samples=True,
    )


if __name__ == "__main__":
    from .command import main

    main(["sample"])
