"""Does `warp` beat the chain that a good PyTorch user would write?

Images 3 x 224 x 224, backward to theta or to theta and the image. The baseline (baseline.py) makes the texture and mask
of `warp` without visibility, eager, compiled and, on CUDA, without cuDNN and as CUDA graphs; beside hard and soft
visibility it still tests none.
"""

from __future__ import annotations

import functools

import torch

import stn3dmm_cuda

from . import baseline, limits, scenes
from .cases import BACKWARD, BASELINE, FORWARD, IMAGE, OURS, Case, Contest, Inputs

QUICK = (*(("none", B, 112, 10, BACKWARD) for B in (1, 8, 64)), ("hard", 8, 112, 10, BACKWARD))

CASES = tuple(
    Case(
        "warp",
        work,
        {"B": B, "P": side, "Q": side, "K": K, "C": 3, "H": 224, "W": 224},
        {"visibility": visibility},
        quick=(visibility, B, side, K, work) in QUICK,
        compiled=visibility == "none" and work != IMAGE,
    )
    for visibility in ("none", "hard", "soft")
    for B in (1, 8, 64)
    for side in (112, 224)
    for K in (10, 60, 199)
    for work in (FORWARD, BACKWARD, IMAGE)
)


def prepare(case: Case, device: torch.device) -> Contest:
    visibility = str(case.options["visibility"])
    image, theta, mean, basis = (tensor.to(device) for tensor in scenes.face(case.sizes))
    image.requires_grad_(case.work == IMAGE)
    theta.requires_grad_(case.work != FORWARD)
    B, P, Q, C = (case.sizes[name] for name in "BPQC")
    gradient = scenes.random(B, C, P, Q, seed=6).to(device)

    def ours(
        image: torch.Tensor, theta: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        return tuple(stn3dmm_cuda.warp(image, theta, mean, basis, (P, Q), visibility=visibility))[:2]

    to_mask = scenes.random(B, 1, P, Q, seed=7).to(device) if visibility == "soft" else None
    return Contest(
        Inputs((image, theta, mean, basis), (gradient, to_mask)),
        {OURS: ours, BASELINE: functools.partial(baseline.warp, grid_shape=(P, Q))},
        limits.warp(case.sizes, case.work != FORWARD, case.work == IMAGE, visibility),
        same_results=visibility == "none",
        samples=True,
    )


if __name__ == "__main__":
    from .command import main

    main(["warp"])
