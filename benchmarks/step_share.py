"""What share of a training step is the transformer and the losses, and does the step ever wait for photographs?

The compact localiser, 112 x 112 crops, the embedded model with its 42 modes on its 112 x 112 grid, landmark, prior,
symmetry and siamese losses with hard visibility, each photograph with its mirror image: two faces a photograph. The
parts of a step are timed inside the same steps: the localiser forward, the objective (warp, visibility, losses)
forward and backward to theta, the localiser backward, the optimiser. The input pipeline is timed alone, as
photographs a second of one process, beside what the step takes.

    python -m benchmarks.step_share [--save]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from stn3dmm import embedded_model
from stn3dmm.data.augmentation import AugmentationConfig
from stn3dmm.data.sources import open_source
from stn3dmm.data.sources.pooled import PooledFaces
from stn3dmm.data.stream import FaceBatch, FaceStream, collate
from stn3dmm.localiser import LocaliserConfig, build_localiser
from stn3dmm.objective import Objective, ObjectiveConfig, Operators, Pairs
from stn3dmm.threads import limited_threads
from stn3dmm.training.config import OptimiserConfig
from stn3dmm.training.optimisation import clipped, optimiser_of
from stn3dmm.training.pairs import paired

import stn3dmm_cuda

from . import harness

BATCH, STEPS, WARM = 16, 40, 5
PARTS = ("localiser forward", "objective", "localiser backward", "optimiser")
CPU = torch.device("cpu")
LANDMARKS = "ibug68"
OBJECTIVE = ObjectiveConfig(symmetry=20.0, siamese=20.0, visibility="hard")


class TrainingStep:
    """A localiser with its optimiser, and what it is trained on; the parts of a step one by one."""

    def __init__(self, localiser: LocaliserConfig, size: int, operators: Operators, device: torch.device = CPU) -> None:
        model = embedded_model()
        self.localiser = build_localiser(localiser, model, (size, size)).to(device)
        self.objective = Objective(model, OBJECTIVE, LANDMARKS, operators).to(device)
        self.optimiser = optimiser_of(self.localiser, OptimiserConfig())

    def judge(self, theta: torch.Tensor, image: torch.Tensor, faces: FaceBatch, pairs: Pairs | None) -> torch.Tensor:
        """The gradient of the objective to theta; the image is that of the faces in 0..1."""
        answer = theta.detach().requires_grad_()
        self.objective(answer, image, faces.landmarks, faces.visible, pairs).total.backward()
        assert answer.grad is not None
        return answer.grad

    def learn(self, theta: torch.Tensor, gradient: torch.Tensor) -> None:
        """Backward through the localiser."""
        self.optimiser.zero_grad(set_to_none=True)
        theta.backward(gradient)  # type: ignore[no-untyped-call]

    def update(self) -> None:
        clipped(self.localiser, 10.0)
        self.optimiser.step()


def stream_of(size: int) -> FaceStream:
    """Augmented crops of 64 synthetic faces, over and over."""
    source = PooledFaces(open_source("synthetic", landmark_set=LANDMARKS, image_size=[size, size], length=64))
    return FaceStream(source, (size, size), LANDMARKS, augmentation=AugmentationConfig())


def measure(size: int, width: float, threads: int) -> dict[str, Any]:
    """Median milliseconds of the parts of a step, and the rate of the input pipeline."""
    stream = stream_of(size)
    training = TrainingStep(LocaliserConfig(width=width), size, stn3dmm_cuda)
    taken, cut = [], []
    with limited_threads(threads):
        for step in range(WARM + STEPS):
            begun = time.perf_counter()
            batch = collate(stream.__getitems__(range(step * BATCH, (step + 1) * BATCH)))
            cut.append(time.perf_counter() - begun)
            faces, pairs = paired(batch, "mirror", LANDMARKS)
            image = faces.image.float() / 255
            marks = [time.perf_counter()]
            theta = training.localiser(image)
            marks.append(time.perf_counter())
            gradient = training.judge(theta, image, faces, pairs)
            marks.append(time.perf_counter())
            training.learn(theta, gradient)
            marks.append(time.perf_counter())
            training.update()
            marks.append(time.perf_counter())
            taken.append(np.diff(marks))
    parts = 1000 * np.array(taken[WARM:])
    shares = parts[:, 1] / parts.sum(axis=1)
    step_seconds = float(np.median(parts.sum(axis=1))) / 1000
    return {
        "crop": size,
        "width": width,
        "threads": threads,
        "photographs": BATCH,
        **{f"{name}, ms": float(np.median(parts[:, part])) for part, name in enumerate(PARTS)},
        "objective's share": [float(value) for value in np.quantile(shares, (0.25, 0.5, 0.75))],
        "photographs a second, step": BATCH / step_seconds,
        "photographs a second, one process that loads": BATCH / float(np.median(cut[WARM:])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help="write results/step_share_cpu.json")
    arguments = parser.parse_args()
    rows = [measure(size, width, 2) for size, width in ((112, 1.0), (224, 1.0))]
    table = Table(title=f"A training step of {BATCH} photographs and their mirror images, two threads")
    for name in ("crop", *(f"{name}, ms" for name in PARTS), "objective's share", "step, photographs/s", "loader"):
        table.add_column(name, justify="right")
    for row in rows:
        low, middle, high = row["objective's share"]
        table.add_row(
            str(row["crop"]),
            *(f"{row[f'{name}, ms']:.1f}" for name in PARTS),
            f"{100 * middle:.0f} % ({100 * low:.0f} to {100 * high:.0f})",
            f"{row['photographs a second, step']:.0f}",
            f"{row['photographs a second, one process that loads']:.0f}",
        )
    Console(width=140).print(table)
    if arguments.save:
        print(f"wrote {harness.save('step_share_cpu', rows)}")


if __name__ == "__main__":
    main()
