"""Runs that are held to the answers of the localiser that they started with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from stn3dmm.training import Progress, TrainConfig, load_checkpoint, train
from stn3dmm.training.checkpoint import save_checkpoint
from stn3dmm.training.config import from_dict
from stn3dmm.training.devices import Place
from stn3dmm.training.state import TrainingState

from .small_runs import changed, losses

GEOMETRIC = {"landmark": 0.0, "symmetry": 5.0, "siamese": 5.0}
SHRINKS = "without landmarks these losses shrink the mesh onto smooth skin; set objective.anchor = 0.1"


@pytest.fixture(scope="module")
def begun(small_run: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run of one step."""
    folder = tmp_path_factory.mktemp("begun")
    train(changed(small_run, data__validation=[], run__steps=1), folder, device="cpu")
    return folder / "last.pt"


@pytest.fixture
def held(small_run: dict[str, Any], begun: Path) -> dict[str, Any]:
    """The settings of a run that is held to it, and sees no landmark."""
    data = {**small_run["data"], "validation": []}
    return {**small_run, "data": data, "start": str(begun), "objective": {**GEOMETRIC, "anchor": 0.02}}


def same(weights: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


def stopped_at(config: TrainConfig, folder: Path, step: int) -> None:
    """A run that ends before its time."""

    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == step:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(config, folder, device="cpu", watch=stop)


def test_run_with_an_anchor_goes_on_bit_by_bit(held: dict[str, Any], begun: Path, tmp_path: Path) -> None:
    """Also when the checkpoint that it started with is gone."""
    start = tmp_path / "start.pt"
    start.write_bytes(begun.read_bytes())
    config = changed(held, start=str(start), run__steps=4, run__checkpoint_every=2)
    train(config, tmp_path / "whole", device="cpu")
    stopped_at(config, tmp_path / "parts", 3)
    start.unlink()
    train(config, tmp_path / "parts", device="cpu", resume=load_checkpoint(tmp_path / "parts"))
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    parts, whole = (load_checkpoint(tmp_path / name) for name in ("parts", "whole"))
    assert same(parts.localiser, whole.localiser)
    for checkpoint in (parts, whole):
        assert same(checkpoint.training["anchor"], load_checkpoint(begun).localiser)
    assert not same(whole.localiser, whole.training["anchor"])


def test_run_is_pulled_back_to_its_anchor(held: dict[str, Any], tmp_path: Path) -> None:
    """A mesh that was moved by (3, 4) pixels is 25 pixels squared from where it began, and comes nearer."""
    objective = {"landmark": 0.0, "prior": 0.0, "anchor": 0.02}
    config = changed(held, objective=objective, localiser__dropout=0.0, schedule__warmup=0, run__steps=1)
    train(config, tmp_path / "run", device="cpu")
    checkpoint = load_checkpoint(tmp_path / "run")
    bias, unit = (checkpoint.localiser[f"head.{name}"] for name in ("linear.bias", "unit"))
    bias[3:5] += torch.tensor([3.0, 4.0]) / unit[3:5]
    save_checkpoint(tmp_path / "run" / "last.pt", checkpoint)
    longer = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=4))
    train(longer, tmp_path / "run", device="cpu", resume=load_checkpoint(tmp_path / "run"))
    began, moved, *later = [line["anchor"] for line in losses(tmp_path / "run")]
    assert began == 0
    assert moved == pytest.approx(25, rel=1e-4)
    assert moved > later[0] > later[1]


def test_anchor_is_asked_only_while_it_weighs(held: dict[str, Any], tmp_path: Path) -> None:
    schedule = [[0.0, 0.0], [0.5, 0.0], [1.0, 0.02]]
    train(changed(held, objective__anchor=schedule, run__steps=4), tmp_path / "late", device="cpu")
    asked = [line["anchor"] is not None for line in losses(tmp_path / "late")]
    assert asked == [False, False, False, True]
    train(changed(held, objective__anchor=0.0, run__steps=1), tmp_path / "never", device="cpu")
    assert "anchor" not in load_checkpoint(tmp_path / "never").training


def test_run_names_a_checkpoint_without_the_anchor(held: dict[str, Any], begun: Path) -> None:
    with pytest.raises(ValueError, match=r"last\.pt: it lacks the localiser that the run started with"):
        TrainingState(from_dict(held), Place(torch.device("cpu")), load_checkpoint(begun))


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (GEOMETRIC, True),
        ({"landmark": 0.0, "siamese": [[0.0, 0.0], [1.0, 5.0]]}, True),
        ({**GEOMETRIC, "anchor": 0.02}, False),
        ({**GEOMETRIC, "landmark": [[0.0, 1.0], [0.5, 0.0]]}, False),
        ({"landmark": 0.0}, False),
    ],
)
def test_run_says_that_nothing_holds_the_mesh(
    held: dict[str, Any], caplog: pytest.LogCaptureFixture, objective: dict[str, Any], said: bool
) -> None:
    TrainingState(changed(held, objective=objective), Place(torch.device("cpu")), None)
    assert (SHRINKS in caplog.text) is said
