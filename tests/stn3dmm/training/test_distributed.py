"""Several processes, as `torchrun` starts them, do what one does with the whole batch."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from stn3dmm.training import load_checkpoint, read_log
from stn3dmm.training.config import from_dict, write_config

# One step's gradients in float64, of the part of the batch that falls to this process, averaged over all of them.
GRADIENTS = """
import sys, torch
import stn3dmm
from stn3dmm.localiser import build_localiser
from stn3dmm.objective import Objective
from stn3dmm.training import read_config, training_step
from stn3dmm.training.data import TrainingData
from stn3dmm.training.devices import placed
from stn3dmm.training.pairs import paired

torch.set_num_threads(1)
config = read_config(sys.argv[1])
with placed("cpu") as place:
    model = stn3dmm.load_model(config.model)
    torch.manual_seed(0)
    localiser = build_localiser(config.localiser, model, config.data.image_size).double()
    torch.nn.init.normal_(localiser.head.linear.weight, std=0.02)
    objective = Objective(model, config.objective, config.data.landmark_set).double()
    batch = next(TrainingData(config, place, config.data.landmark_set).batches(0))
    faces, pairs = paired(batch, config.data.pairs, config.data.landmark_set)
    training_step(place.distributed(localiser), objective, faces, pairs, progress=1.0)
    if place.leads:
        torch.save([value.grad for value in localiser.parameters()], sys.argv[2])
"""


def launched(count: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program in ``count`` processes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    torchrun = ("-m", "torch.distributed.run", f"--nproc-per-node={count}", f"--master-port={port}")
    return subprocess.run(
        [sys.executable, *(torchrun if count > 1 else ()), *arguments], capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("pairs", ["mirror", "both"])
def test_two_processes_have_the_gradients_of_one(small_run: dict[str, Any], tmp_path: Path, pairs: str) -> None:
    views = {"kind": "synthetic", "options": {"length": 12, "grid_shape": [40, 40], "views_per_identity": 3}}
    config = from_dict(
        {
            **small_run,
            "data": {**small_run["data"], "pairs": pairs, "sources": [views]},
            "objective": {"symmetry": 5.0, "siamese": 5.0},
            "localiser": {"width": 0.25},
        }
    )
    write_config(tmp_path / "run.toml", config)
    (tmp_path / "gradients.py").write_text(GRADIENTS)
    found = []
    for count in (1, 2):
        target = tmp_path / f"{count}.pt"
        ended = launched(count, str(tmp_path / "gradients.py"), str(tmp_path / "run.toml"), str(target))
        assert ended.returncode == 0, ended.stderr
        found.append(torch.cat([value.flatten() for value in torch.load(target, weights_only=True)]))
    one, two = found
    assert float((one - two).norm()) <= 1e-10 * float(one.norm())


def test_two_processes_train_as_one(small_run: dict[str, Any], tmp_path: Path) -> None:
    """The command itself: the same losses up to rounding, files of one run."""
    config = from_dict({**small_run, "run": {**small_run["run"], "steps": 4}, "localiser": {"width": 0.25}})
    write_config(tmp_path / "run.toml", config)
    for count in (1, 2):
        folder = str(tmp_path / str(count))
        settings = ("train", "--config", str(tmp_path / "run.toml"), "--output", folder, "--device", "cpu", "--json")
        ended = launched(count, "-m", "stn3dmm.cli", *settings)
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["steps"] == 4
    one, two = (read_log(tmp_path / count) for count in "12")
    for single, double in zip(one, two, strict=True):
        for name in ("total", "landmark", "symmetry", "gradient"):
            assert double[name] == pytest.approx(single[name], rel=2e-3), name
    assert load_checkpoint(tmp_path / "2").step == 4


def test_a_batch_that_does_not_go_into_equal_parts_is_refused(small_run: dict[str, Any], tmp_path: Path) -> None:
    config = from_dict({**small_run, "run": {**small_run["run"], "batch_size": 5}})
    write_config(tmp_path / "run.toml", config)
    ended = launched(2, "-m", "stn3dmm.cli", "train", "-c", str(tmp_path / "run.toml"), "-o", str(tmp_path / "run"))
    assert ended.returncode != 0
    assert "The batch size must be a multiple of the number of processes, 2" in ended.stderr
