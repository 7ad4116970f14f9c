"""What do the geometric losses bring a localiser that has few landmarks?

Synthetic photographs of the embedded model, two views of each person, drawn once and the same for every row: 2,000 to
learn from and 200 of other persons to be measured on, yaw within 60 degrees. The compact localiser, crops of 112 x 112,
16 photographs a step and their mirror images, AdamW, cosine; a seed decides the first weights, the order, the
augmentation and which tenth of the faces keeps its landmarks. Between the rows only what their names say differs:

    all landmarks                      every face is labelled
    a tenth                            one in ten is, and weighs ten times as much, so that the prior does not
                                       outweigh it; the others take part in nothing but the prior
    a tenth + geometric, VISIBILITY    symmetry and siamese losses (mirror images, and the two views of a person) on
                                       all faces, textures masked by hard or soft visibility, or not at all
    a tenth, then geometric alone      "a tenth", fine-tuned on all faces with no landmark at all
    ..., held                          the same, held to the answers that it began with

The weights of the geometric losses and of the anchor were chosen beforehand (`--choose`): with seed 100, which is not
among those of the table, and on 200 faces of persons who are not in it either.

    python -m benchmarks.ablation [--seeds 0 1 2] [--only NAME ...] [--folder F] [--save]
    python -m benchmarks.ablation --choose 2 10 50
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from stn3dmm.data.sources import open_source
from stn3dmm.data.stream import collate, evaluation_stream
from stn3dmm.evaluation.evaluate import evaluate
from stn3dmm.localised import TrainedLocaliser
from stn3dmm.objective import Objective
from stn3dmm.training import load_checkpoint, train
from stn3dmm.training.config import from_dict

from benchmarks import harness

PHOTOGRAPHS, HELD_OUT = 2000, 200
STEPS, TUNING_STEPS = 2000, 500
TRAINED_SEED, MEASURED_SEED, CHOSEN_SEED = 20, 21, 22  # of the data
GEOMETRIC = 2.0  # weight of the symmetry and of the siamese loss
ANCHOR = 0.1  # per pixel squared
FACES = {"image_size": [128, 128], "yaw": [-60.0, 60.0], "views_per_identity": 2}
CROP = (112, 112)
FIGURES = {"nme": 2, "nme_0_30": 2, "nme_30_60": 2, "size": 3, "views_apart": 4}  # and their digits in the table
ROWS: dict[str, dict[str, Any]] = {
    "all landmarks": {"labelled": 1.0},
    "a tenth": {},
    "a tenth + geometric, unmasked": {"visibility": "none", "geometric": GEOMETRIC},
    "a tenth + geometric, hard": {"visibility": "hard", "geometric": GEOMETRIC},
    "a tenth + geometric, soft": {"visibility": "soft", "geometric": GEOMETRIC},
    "a tenth, then geometric alone": {"visibility": "hard", "geometric": GEOMETRIC, "after": "a tenth"},
    "a tenth, then geometric alone, held": {
        "visibility": "hard",
        "geometric": GEOMETRIC,
        "after": "a tenth",
        "anchor": ANCHOR,
    },
}


def settings(row: dict[str, Any], seed: int, start: Path | None) -> dict[str, Any]:
    """The configuration of a run."""
    colours = dict.fromkeys(("occluder", "brightness", "contrast", "saturation", "grey", "blur", "noise"), 0.0)
    geometric = row.get("geometric", 0.0)
    labelled = row.get("labelled", 0.1) if start is None else 0.0
    return {
        "start": "" if start is None else str(start),
        "data": {
            "sources": [{"kind": "synthetic", "options": {**FACES, "length": PHOTOGRAPHS, "seed": TRAINED_SEED}}],
            "image_size": list(CROP),
            "pairs": "both",
            "labelled": labelled,
            "in_memory": True,
            "workers": 1,
            "augmentation": {"rotation": 15.0, "scale": 0.1, "shift": 0.04, "mirror": 0.0, **colours},
        },
        "objective": {
            "landmark": 1.0 / labelled if labelled else 0.0,  # the mean is over all faces, labelled or not
            "symmetry": geometric,
            "siamese": geometric,
            "anchor": row.get("anchor", 0.0),
            "visibility": row.get("visibility", "hard"),
        },
        "optimiser": {"learning_rate": 1e-3 if start is None else 1e-4, "weight_decay": 0.05, "betas": [0.9, 0.98]},
        "schedule": {"warmup": 50},
        "run": {
            "steps": STEPS if start is None else TUNING_STEPS,
            "batch_size": 16,
            "seed": seed,
            "checkpoint_every": STEPS,
            "sample_every": 0,
        },
    }


def spread(points: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """How far the visible points of each face are from their middle, root mean square, pixels."""
    weight = visible[:, :, None].float()
    points = torch.where(weight > 0, points, torch.zeros_like(points))
    middle = points.sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)
    return ((weight * (points - middle)).square().sum(dim=(1, 2)) / weight.sum(dim=(1, 2))).sqrt()


def measured(checkpoint: Path, seed: int) -> dict[str, float]:
    """Error in per cent, size of the answers over the true one, and how far two views of a person stay apart."""
    localiser = TrainedLocaliser.of(load_checkpoint(checkpoint), device="cpu")
    source = open_source("synthetic", landmark_set="ibug68", **FACES, length=HELD_OUT, seed=seed)  # type: ignore[arg-type]
    evaluation = evaluate(localiser.network, localiser.model, source, CROP)
    objective = Objective(localiser.model, from_dict({}).objective, "ibug68")
    batch = collate(evaluation_stream(source, CROP, "ibug68").__getitems__(list(range(HELD_OUT))))
    with torch.no_grad():
        flattened = objective.flattened(batch.image.float() / 255, evaluation.theta)
        points = objective.landmarks(evaluation.theta)
    both = (flattened.mask[0::2] * flattened.mask[1::2]).sum(dim=(1, 2, 3))
    apart = (flattened.texture[0::2] - flattened.texture[1::2]).square() * flattened.mask[0::2] * flattened.mask[1::2]
    return {
        "nme": 100 * evaluation.binned.mean,
        "nme_0_30": 100 * evaluation.binned.bins[0],
        "nme_30_60": 100 * evaluation.binned.bins[1],
        "size": float((spread(points, batch.visible) / spread(batch.landmarks, batch.visible)).mean()),
        "views_apart": float((apart.sum(dim=(1, 2, 3)) / both.clamp(min=1)).mean()),
    }


def run(name: str, seed: int, place: Path, faces: int = MEASURED_SEED) -> dict[str, Any]:
    """One row with one seed, measured on the faces of another."""
    row = ROWS[name]
    start = None
    if "after" in row:
        start = place / f"{row['after']}-{seed}" / "last.pt"
        if not start.exists():
            train(from_dict(settings(ROWS[row["after"]], seed, None)), start.parent, device="cpu")
    folder = place / f"{name}-{seed}"
    if not (folder / "last.pt").exists():
        train(from_dict(settings(copy.deepcopy(row), seed, start)), folder, device="cpu")
    return {"row": name, "seed": seed, **measured(folder / "last.pt", faces)}


def choose(weights: list[float], place: Path) -> list[dict[str, Any]]:
    """A tenth of the landmarks with geometric losses of each weight, and without."""
    results = [run("a tenth", 100, place, CHOSEN_SEED)]
    for weight in weights:
        name = f"a tenth + geometric {weight:g}, hard"
        ROWS[name] = {"visibility": "hard", "geometric": weight}
        results.append(run(name, 100, place, CHOSEN_SEED))
    return results


def table_of(results: list[dict[str, Any]]) -> Table:
    table = Table(title=f"{HELD_OUT} faces: NME, %; size / true size; how far two views of a person are apart")
    for column in ("", "NME", "by seed", "|yaw| to 30", "over 30", "size", "views apart"):
        table.add_column(column, justify="right" if column else "left")
    for name in dict.fromkeys(result["row"] for result in results):
        mine = [result for result in results if result["row"] == name]
        mean = {key: float(np.mean([result[key] for result in mine])) for key in FIGURES}
        table.add_row(
            name,
            f"{mean['nme']:.2f}",
            ", ".join(f"{result['nme']:.2f}" for result in mine),
            *(f"{mean[key]:.{digits}f}" for key, digits in list(FIGURES.items())[1:]),
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", choices=list(ROWS), nargs="+", default=list(ROWS))
    parser.add_argument("--folder", type=Path, help="keep the runs here, and take those that are here already")
    parser.add_argument("--choose", type=float, nargs="+", metavar="WEIGHT", help="compare weights instead")
    parser.add_argument("--save", action="store_true", help="write results/ablation.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as temporary:
        place = arguments.folder or Path(temporary)
        if arguments.choose:
            console.print(table_of(choose(arguments.choose, place)))
            return
        results = []
        for seed in arguments.seeds:
            for name in arguments.only:
                results.append(run(name, seed, place))
                console.print(results[-1])
    console.print(table_of(results))
    if arguments.save:
        console.print(f"wrote {harness.save('ablation', results)}")


if __name__ == "__main__":
    main()
