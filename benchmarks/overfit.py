"""Can the localiser learn six photographs by heart, from landmarks alone? The known port of the paper could not.

The authors' six photographs (224 x 224, AFLW's 21 landmarks, those that are visible) and their mirror images, the
authors' Basel model with 10 modes, the landmark loss and the prior, AdamW; from the head's own initialisation. No
augmentation: the question is whether the gradients lead anywhere. Two localisers:

    compact    the whole network is trained.
    vgg-face   the size of the paper's. The weights of the release are not at hand, so its thirteen convolutions stay as
               they were drawn at random, and are computed once; fc6, fc7 and the head are trained. With --weights
               they are those of the file.

The error is the mean distance in pixels over the visible landmarks of the twelve images. What a fit of the landmarks
themselves reaches, image by image and with the same prior, is the floor.

    STN3DMM_DATA=folder python -m benchmarks.overfit [--localiser compact] [--save]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from stn3dmm import MorphableModel, fit_landmarks, load_model
from stn3dmm.data.sources import open_source
from stn3dmm.data.stream import FaceBatch, collate, evaluation_stream
from stn3dmm.localiser import LocaliserConfig, VggFaceTrunk, build_localiser
from stn3dmm.objective import Objective, ObjectiveConfig
from stn3dmm.training.config import ScheduleConfig
from stn3dmm.training.optimisation import rate
from stn3dmm.training.pairs import paired
from torch import nn

from benchmarks import harness

PRIOR = 0.02
SCHEDULE = ScheduleConfig("cosine", warmup=10)
STEPS = 200
RATES = {"compact": 1e-3, "vgg-face": 2e-5}
EVERY = 5  # steps between the points of the curve


def photographs(folder: Path) -> FaceBatch:
    """The six photographs and their mirror images."""
    source = open_source("demodata", folder / "bas2017" / "demodata.mat", landmark_set="aflw21")
    stream = evaluation_stream(source, (224, 224), "aflw21")
    return paired(collate([stream[index] for index in range(len(stream))]), "mirror", "aflw21")[0]


def errors(objective: Objective, theta: torch.Tensor, batch: FaceBatch) -> torch.Tensor:
    """(B,) mean distance in pixels over the visible landmarks."""
    seen = batch.visible * objective.exists
    distance = (objective.landmarks(theta) - batch.landmarks).norm(dim=-1)
    error: torch.Tensor = (distance * seen).sum(dim=1) / seen.sum(dim=1)
    return error


def floor(model: MorphableModel, batch: FaceBatch) -> float:
    """The mean error of a fit of the landmarks themselves, the prior weighted alike."""
    found = []
    for b in range(len(batch.image)):
        weight = PRIOR * float(batch.visible[b].sum())
        fit = fit_landmarks(
            model, batch.landmarks[b].double(), visible=batch.visible[b] != 0, indices="aflw21", prior_weight=weight
        )
        found.append(float(fit.error[0]))
    return float(np.mean(found))


def overfit(name: str, weights: str | None, model: MorphableModel, batch: FaceBatch) -> dict[str, Any]:
    """Trains one localiser; the curve and what it ends with."""
    torch.manual_seed(0)
    localiser = build_localiser(LocaliserConfig(name, weights), model, (224, 224))
    objective = Objective(model, ObjectiveConfig(prior=PRIOR), "aflw21")
    image = batch.image.float() / 255
    answer: Callable[[], torch.Tensor] = lambda: localiser(image)  # noqa: E731
    if isinstance(trunk := localiser.trunk, VggFaceTrunk):
        with torch.no_grad():
            convolved = torch.cat([trunk.convolve(part) for part in torch.split(image, 4)])
        for convolution in (module for module in trunk.modules() if isinstance(module, nn.Conv2d)):
            convolution.requires_grad_(False)
        answer = lambda: localiser.head(trunk.connect(convolved))  # noqa: E731
    trained = [value for value in localiser.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=RATES[name], betas=(0.9, 0.99), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(SCHEDULE, step, STEPS))
    curve, start = [], time.perf_counter()
    for step in range(STEPS + 1):
        theta = answer()
        if step % EVERY == 0:
            curve.append((step, float(errors(objective, theta.detach(), batch).mean())))
        if step < STEPS:
            optimiser.zero_grad(set_to_none=True)
            objective(theta, image, batch.landmarks, batch.visible).total.backward()
            optimiser.step()
            schedule.step()
    final = errors(objective, theta.detach(), batch)
    return {
        "localiser": name,
        "weights": None if weights is None else Path(weights).name,
        "trained_parameters": sum(value.numel() for value in trained),
        "learning_rate": RATES[name],
        "steps": STEPS,
        "seconds": round(time.perf_counter() - start, 1),
        "untrained": curve[0][1],
        "error": float(final.mean()),
        "worst_image": float(final.max()),
        "curve": [[step, round(value, 3)] for step, value in curve],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--localiser", choices=sorted(RATES), action="append", help="one alone; both without this")
    parser.add_argument("--weights", help="pretrained weights of VGG-Face")
    parser.add_argument("--save", action="store_true", help="write results/overfit.json")
    arguments = parser.parse_args()
    folder = Path(os.environ["STN3DMM_DATA"])
    model, batch = load_model(folder / "bas2017" / "model.mat"), photographs(folder)
    least = floor(model, batch)
    table = Table(title=f"Six photographs and their mirror images; a fit of the landmarks reaches {least:.2f} px")
    for column in ("localiser", "trained weights", "untrained, px", "after, px", "worst image, px", "steps", "seconds"):
        table.add_column(column, justify="right")
    results = []
    for name in arguments.localiser or list(RATES):
        result = overfit(name, arguments.weights if name == "vgg-face" else None, model, batch)
        results.append(result)
        cells = (f"{result[key]:.2f}" for key in ("untrained", "error", "worst_image"))
        count = f"{result['trained_parameters'] / 1e6:.1f} M"
        table.add_row(name, count, *cells, str(result["steps"]), f"{result['seconds']:.0f}")
    Console().print(table)
    if arguments.save:
        print(f"wrote {harness.save('overfit', [{'prior': PRIOR, 'floor': least, **result} for result in results])}")


if __name__ == "__main__":
    main()
