"""What do the losses between textures cost?

The symmetry loss of one texture and the siamese loss of two, masks that show 70 % of the texels; gradients to the
textures, and to the masks where these are soft. The baseline is the formula in plain PyTorch, which lets a hidden value
that is not finite through; "reference" is stn3dmm_cuda.reference, which does not.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

import stn3dmm_cuda
from stn3dmm_cuda import reference

from . import baseline, limits, scenes
from .cases import BACKWARD, BASELINE, FORWARD, OURS, Case, Contest, Inputs

SHOWN = 0.7  # of the texels

CASES = tuple(
    Case(
        "losses",
        work,
        {"B": B, "P": side, "Q": side, "C": 3},
        {"loss": loss, "masks": masks},
        quick=(B, side, work, masks) == (8, 112, BACKWARD, "hard"),
        compiled=side == 112 and masks == "hard",
    )
    for loss in ("symmetry", "siamese")
    for masks, works in (("hard", (FORWARD, BACKWARD)), ("soft", (BACKWARD,)))
    for B in (1, 8, 64)
    for side in (112, 224)
    for work in works
)


def prepare(case: Case, device: torch.device) -> Contest:
    B, P, Q, C = (case.sizes[name] for name in "BPQC")
    textures = 1 if case.options["loss"] == "symmetry" else 2
    soft, backward = case.options["masks"] == "soft", case.work != FORWARD
    arguments: list[torch.Tensor] = []
    for seed in range(textures):
        noise = torch.rand(B, 1, P, Q, generator=torch.Generator().manual_seed(seed))
        mask = (noise / SHOWN).clamp(max=1) if soft else (noise < SHOWN).float()
        texture = scenes.photographs(B, C, P, Q) + 0.1 * scenes.random(B, C, P, Q, seed=seed)
        arguments += [texture.to(device).requires_grad_(backward), mask.to(device).requires_grad_(backward and soft)]
    losses: dict[str, Callable[..., torch.Tensor]] = {
        OURS: stn3dmm_cuda.symmetry_loss if textures == 1 else stn3dmm_cuda.siamese_loss,
        BASELINE: baseline.symmetry_loss if textures == 1 else baseline.siamese_loss,
        "reference": reference.symmetry_loss if textures == 1 else reference.siamese_loss,
    }
    return Contest(
        Inputs(tuple(arguments), (torch.ones((), device=device),)),
        {name: (lambda *given, loss=loss: (loss(*given),)) for name, loss in losses.items()},
        limits.losses(case.sizes, backward, textures, soft),
        same_results=True,
    )


if __name__ == "__main__":
    from .command import main

    main(["losses"])
