"""Small runs: a small model, few small faces, a narrow localiser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stn3dmm
from stn3dmm.training import TrainConfig
from stn3dmm.training.config import from_dict


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model on a coarse grid, in a file."""
    path = tmp_path_factory.mktemp("model") / "small.npz"
    stn3dmm.embedded_model((40, 40)).save(path)
    return path


@pytest.fixture(scope="session")
def small_run(model_file: Path) -> dict[str, Any]:
    """The settings of a run of seconds, with every loss."""
    synthetic = {"kind": "synthetic", "options": {"length": 12, "grid_shape": [40, 40], "yaw": [-40.0, 40.0]}}
    held_out = {"kind": "synthetic", "options": {**synthetic["options"], "length": 4, "seed": 1}}  # type: ignore[dict-item]
    return {
        "model": str(model_file),
        "data": {
            "image_size": [64, 64],
            "in_memory": True,
            "workers": 0,
            "sources": [synthetic],
            "validation": [held_out],
        },
        "localiser": {"width": 0.25, "dropout": 0.1},
        "objective": {"symmetry": 5.0, "siamese": [[0.0, 0.0], [0.5, 5.0]]},
        "schedule": {"warmup": 2},
        "run": {
            "steps": 12,
            "batch_size": 4,
            "checkpoint_every": 3,
            "validate_every": 6,
            "sample_every": 0,
            "log_every": 1,
        },
    }


@pytest.fixture
def config(small_run: dict[str, Any]) -> TrainConfig:
    """The same, read."""
    return from_dict(small_run)
