"""What does it cost to make the coordinates that `grid_sample` wants of points?

The baseline is one multiplication, one subtraction and a view.
"""

from __future__ import annotations

import functools

import torch

import stn3dmm_cuda

from . import baseline, limits, scenes
from .cases import BACKWARD, BASELINE, FORWARD, OURS, Case, Contest, Inputs

IMAGE_SIZE = (224, 224)
CASES = tuple(
    Case(
        "grid", work, {"B": B, "P": side, "Q": side}, quick=(B, side, work) == (8, 112, BACKWARD), compiled=side == 112
    )
    for B in (1, 8, 64)
    for side in (112, 224)
    for work in (FORWARD, BACKWARD)
)


def prepare(case: Case, device: torch.device) -> Contest:
    B, P, Q = (case.sizes[name] for name in "BPQ")
    points = scenes.points({**case.sizes, "H": 224, "W": 224}).to(device).requires_grad_(case.work != FORWARD)
    return Contest(
        Inputs((points,), (scenes.random(B, P, Q, 2).to(device),)),
        {
            OURS: lambda points: (stn3dmm_cuda.grid(points, (P, Q), IMAGE_SIZE),),
            BASELINE: functools.partial(baseline.grid, grid_shape=(P, Q), image_size=IMAGE_SIZE),
        },
        limits.grid(case.sizes, case.work != FORWARD),
        same_results=True,
    )


if __name__ == "__main__":
    from .command import main

    main(["grid"])
