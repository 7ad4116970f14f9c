"""The demonstration of training: a localiser learns on synthetic faces, and is measured on others."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stn3dmm.data.sources import open_source
from stn3dmm.data.stream import collate, evaluation_stream
from stn3dmm.demo.one_person import VIEWS, OnePerson
from stn3dmm.drawing import Pixels
from stn3dmm.evaluation.evaluate import CURVE_LIMITS, Evaluation, evaluate
from stn3dmm.evaluation.metrics import YAW_BINS, binned_by_yaw
from stn3dmm.evaluation.pictures import curve_picture, face_rows
from stn3dmm.files import TEMPORARY
from stn3dmm.layout import below, titled
from stn3dmm.localised import TrainedLocaliser
from stn3dmm.objective import Objective
from stn3dmm.report import data_uri
from stn3dmm.threads import limited_threads
from stn3dmm.training import Progress, TrainConfig, load_checkpoint, train
from stn3dmm.training.config import from_dict

PHOTOGRAPHS, HELD_OUT = 4000, 200
STEPS, BATCH_SIZE = 3200, 16
CROP = (112, 112)
# Half a circle of profiles is left out: within two or three minutes there is no learning it.
FACES: dict[str, Any] = {"image_size": [128, 128], "yaw": [-60.0, 60.0]}
SHOWN = (3, 11, 42, 77)  # of the faces held out


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedDemo:
    """What the demonstration shows of its training."""

    localiser: TrainedLocaliser
    config: TrainConfig
    seconds: float  # of the training alone, drawing its photographs included
    evaluation: Evaluation  # on the faces held out
    untrained: npt.NDArray[np.float64]  # the errors before
    pictures: dict[str, Pixels]  # "before_after", "curve"


def demo_config(steps: int = STEPS, photographs: int = PHOTOGRAPHS) -> TrainConfig:
    """The settings of the training: the compact localiser, landmarks and prior, faces of the embedded model."""
    # The photographs vary in light and camera already; what is left to vary is where the crop lies.
    geometry = {"rotation": 15.0, "scale": 0.1, "shift": 0.04, "mirror": 0.5}
    colours = dict.fromkeys(("occluder", "brightness", "contrast", "saturation", "grey", "blur", "noise"), 0.0)
    return from_dict(
        {
            "data": {
                "sources": [{"kind": "synthetic", "options": {**FACES, "length": photographs}}],
                "image_size": list(CROP),
                "pairs": "none",
                "in_memory": True,
                "workers": 2,
                "augmentation": {**geometry, **colours},
            },
            "optimiser": {"weight_decay": 0.05, "betas": [0.9, 0.98]},
            "schedule": {"warmup": 50},
            "run": {
                "steps": steps,
                "batch_size": BATCH_SIZE,
                "checkpoint_every": steps,
                "sample_every": 0,
                "log_every": 20,
            },
        }
    )


def train_demo(
    folder: Path, config: TrainConfig | None = None, watch: Callable[[Progress], object] = lambda progress: None
) -> TrainedDemo:
    """Trains, measures, and puts the run into ``folder``, in the place of an earlier one.

    Args:
        folder: for the checkpoint and the log.
        config: `demo_config`, perhaps with fewer steps.
        watch: told how the training stands.

    Raises:
        OSError: the folder cannot be written.
    """
    config = demo_config() if config is None else config
    folder.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    # A core is left to the processes that cut the crops; threads that wait for one another lose more than they bring.
    threads = max(1, torch.get_num_threads() - 1)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=folder.parent) as place, limited_threads(threads):
        run = Path(place) / folder.name
        checkpoint = load_checkpoint(train(config, run, device="cpu", watch=watch))
        seconds = time.perf_counter() - start
        if folder.exists():
            shutil.rmtree(folder)
        run.rename(folder)
    localiser = TrainedLocaliser.of(checkpoint, device="cpu")
    source = open_source("synthetic", landmark_set="ibug68", **FACES, length=HELD_OUT, seed=1)
    offset = localiser.network.head.offset
    evaluation = evaluate(localiser.network, localiser.model, source, CROP, untrained=offset)
    objective = Objective(localiser.model, config.objective, "ibug68")
    faces = collate(evaluation_stream(source, CROP, "ibug68").__getitems__(list(SHOWN)))
    before = face_rows(objective, faces, offset.expand(len(SHOWN), -1))
    after = face_rows(objective, faces, evaluation.theta[torch.tensor(SHOWN)])
    rows = [
        titled(row, words)
        for pair in zip(before, after, strict=True)
        for words, row in zip(("Before", "After"), pair, strict=True)
    ]
    assert evaluation.untrained is not None
    curve = curve_picture({"before": evaluation.untrained, "after": evaluation.errors}, 2 * CURVE_LIMITS)
    pictures = {"before_after": below(rows, gap=6), "curve": curve}
    return TrainedDemo(localiser, config, seconds, evaluation, evaluation.untrained, pictures)


def described(demo: TrainedDemo, person: OnePerson) -> dict[str, Any]:
    """What the report tells of it, errors in per cent."""
    trained, untrained = (
        binned_by_yaw(errors, demo.evaluation.yaw) for errors in (demo.evaluation.errors, demo.untrained)
    )
    rows = [
        {"name": f"{low:.0f}° to {high:.0f}°", "count": count, "before": 100 * before, "after": 100 * after}
        for (low, high), count, before, after in zip(
            YAW_BINS, trained.counts, untrained.bins, trained.bins, strict=True
        )
        if count
    ]
    everyone = {"count": demo.evaluation.measured, "before": 100 * untrained.mean, "after": 100 * trained.mean}
    return {
        "photographs": demo.config.data.sources[0].options["length"],
        "steps": demo.config.run.steps,
        "seconds": demo.seconds,
        **everyone,
        "rows": [*rows, {"name": "all", **everyone}],
        "person": {
            "views": VIEWS,
            "mean": person.mean_psnr,
            "best": person.best_view_psnr,
            "median": person.median_view_psnr,
        },
        "pictures": {name: data_uri(pixels) for name, pixels in {**demo.pictures, "person": person.picture}.items()},
    }
