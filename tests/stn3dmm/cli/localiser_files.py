"""Files for the commands that take a trained localiser: a checkpoint, and folders of photographs of persons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import stn3dmm
import torch
from PIL import Image
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces
from stn3dmm.localiser import build_localiser
from stn3dmm.training import Checkpoint
from stn3dmm.training.checkpoint import fingerprint, save_checkpoint
from stn3dmm.training.config import from_dict

GRID = [40, 40]
SIZE = 96  # pixels, sides of a photograph
OPTIONS = {"length": 5, "grid_shape": GRID, "image_size": [SIZE, SIZE], "seed": 5, "yaw": [-80.0, 80.0]}


def write_run(folder: Path) -> Path:
    """A run that has not trained yet: it answers the mean face in the middle. Returns best.pt; small.npz beside it."""
    model = stn3dmm.embedded_model((40, 40))
    folder.mkdir(parents=True)
    model.save(folder / "small.npz")
    config = from_dict(
        {
            "model": str(folder / "small.npz"),
            "data": {
                "image_size": [64, 64],
                "workers": 0,
                "validation": [{"kind": "synthetic", "options": OPTIONS}],
            },
            "localiser": {"width": 0.25},
        }
    )
    torch.manual_seed(0)
    localiser = build_localiser(config.localiser, model, config.data.image_size)
    checkpoint = Checkpoint(
        config=config,
        model_source=model.source,
        model_fingerprint=fingerprint(model),
        mode_names=model.mode_names,
        step=7,
        localiser=localiser.state_dict(),
    )
    save_checkpoint(folder / "best.pt", checkpoint)
    return folder / "best.pt"


def write_people(folder: Path, photographs: dict[str, int]) -> Path:
    """NAME/0.png, NAME/1.png ... of frontal faces, a person a sub-folder; landmarks beside NAME/0.png."""
    views = max(photographs.values())
    config = SyntheticConfig(
        image_size=(SIZE, SIZE),
        grid_shape=(40, 40),
        views_per_identity=views,
        yaw=(-10.0, 10.0),
        pitch=(-5.0, 5.0),
        roll=(-5.0, 5.0),
        face_size=(0.7, 0.8),
        occluder=0.0,
    )
    for number, (name, count) in enumerate(photographs.items()):
        place = folder / name
        place.mkdir(parents=True)
        samples = SyntheticFaces(config, seed=2).batch(range(number * views, number * views + count))
        for view in range(count):
            pixels = (samples.image[view].permute(1, 2, 0) * 255).round().byte().numpy()
            Image.fromarray(np.ascontiguousarray(pixels)).save(place / f"{view}.png")
        lines = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in samples.landmarks["ibug68"][0].tolist())
        (place / "0.pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    return folder
