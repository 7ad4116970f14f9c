"""What does drawing a face cost?

The mean face, turned by 30 degrees; backward is the gradient of a weighted sum of depth and barycentrics to the points.
The baseline is a z-buffer in PyTorch without loops (baseline_rasterize.py); rasterisers of other libraries, where
installed, draw forward only.
"""

from __future__ import annotations

import torch

import stn3dmm_cuda

from . import baseline_rasterize, limits, rivals, scenes
from .cases import BACKWARD, BASELINE, FORWARD, OURS, Case, Contest, Function, Inputs

YAW = 30  # degrees
CASES = tuple(
    Case(
        "rasterize",
        work,
        {"B": B, "P": grid, "Q": grid, "H": side, "W": side},
        {"drawn": f"image {side} x {side}"},
        quick=(B, grid, side, work) == (1, 112, 224, BACKWARD),
    )
    for B, grid, side in (
        *((1, grid, side) for grid in (28, 56, 112, 224, 448) for side in (112, 224, 448)),
        *((B, grid, 224) for B in (8, 64) for grid in (112, 224)),
    )
    for work in (FORWARD, BACKWARD)
)


def prepare(case: Case, device: torch.device) -> Contest:
    B, P, Q, H, W = (case.sizes[name] for name in "BPQHW")
    points = scenes.points(case.sizes, YAW).to(device).requires_grad_(case.work == BACKWARD)
    faces = stn3dmm_cuda.grid_faces((P, Q)).to(device)
    functions: dict[str, Function] = {
        OURS: lambda points, faces: tuple(stn3dmm_cuda.rasterize(points, faces, (H, W))),
        BASELINE: lambda points, faces: tuple(baseline_rasterize.rasterize(points, faces, (H, W))),
    }
    absent = {"baseline graphed": "it waits for the GPU to tell it sizes"} if device.type == "cuda" else {}
    if case.work == FORWARD:
        others, missing = rivals.available(device)
        absent |= missing
        functions |= {
            name: lambda points, faces, rival=rival: rival(points, faces, (H, W)) for name, rival in others.items()
        }
    weights = scenes.random(B, H, W, 4).to(device)
    return Contest(
        Inputs((points, faces), (None, weights[..., :3].contiguous(), weights[..., 3].contiguous())),
        functions,
        limits.rasterize(case.sizes, case.work == BACKWARD),
        same_results=True,
        graphs=(OURS,),
        absent=absent,
    )


if __name__ == "__main__":
    from .command import main

    main(["rasterize"])
