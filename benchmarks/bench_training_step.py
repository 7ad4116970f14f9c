"""What does a whole training step cost with our transformer, and with the one in plain PyTorch?

Photographs of 112 x 112 or 224 x 224 and their mirror images (B faces), the embedded model with its 42 modes on its
112 x 112 grid, landmark, prior, symmetry and siamese losses: localiser forward, objective forward and backward,
localiser backward, optimiser. On the CPU the localiser is the compact one, on CUDA VGG-Face. Ours tests hard
visibility, the baseline, whose symmetry and siamese losses are plain PyTorch too, none. benchmarks/step_share.py has
the parts of a step.
"""

from __future__ import annotations

import torch
from stn3dmm.data.stream import collate
from stn3dmm.localiser import LocaliserConfig
from stn3dmm.objective import Operators
from stn3dmm.training.pairs import paired

import stn3dmm_cuda

from . import baseline
from .cases import BASELINE, OURS, STEP, Case, Contest, Function, Inputs
from .step_share import LANDMARKS, TrainingStep, stream_of

CASES = tuple(
    Case("training_step", STEP, {"B": B, "H": side, "W": side}, quick=(B, side) == (8, 112))
    for side in (112, 224)
    for B in (8, 32, 64)
)


def prepare(case: Case, device: torch.device) -> Contest:
    side = case.sizes["H"]
    localiser = LocaliserConfig(name="vgg-face" if device.type == "cuda" else "compact")
    batch = collate(stream_of(side).__getitems__(range(case.sizes["B"] // 2)))
    faces, pairs = paired(batch, "mirror", LANDMARKS)
    if pairs is not None:
        pairs = type(pairs)(*(tensor.to(device) for tensor in pairs))

    def stepping(operators: Operators) -> Function:
        training = TrainingStep(localiser, side, operators, device)

        def step(photographs: torch.Tensor, landmarks: torch.Tensor, visible: torch.Tensor) -> tuple[torch.Tensor]:
            image = photographs.float() / 255
            theta = training.localiser(image)
            given = faces._replace(image=photographs, landmarks=landmarks, visible=visible)
            gradient = training.judge(theta, image, given, pairs)
            training.learn(theta, gradient)
            training.update()
            training.optimiser.zero_grad(set_to_none=True)  # or a step would free what the one before it made
            return (gradient,)

        return step

    return Contest(
        Inputs(tuple(tensor.to(device) for tensor in (faces.image, faces.landmarks, faces.visible))),
        {OURS: stepping(stn3dmm_cuda), BASELINE: stepping(baseline.Operators())},
        graphs=(),  # the optimiser and the clipping of gradients read numbers back
    )


if __name__ == "__main__":
    from .command import main

    main(["training_step"])
