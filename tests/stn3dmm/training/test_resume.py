"""Going on with a run whose files are damaged, have moved, or are not all there."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from stn3dmm.localiser import LocaliserConfig
from stn3dmm.training import load_checkpoint, train
from stn3dmm.training.config import read_config

from .small_runs import changed


class KilledError(Exception):
    """Stands for kill -9 between two system calls."""


@pytest.fixture(scope="module")
def first_steps(small_run: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 4 steps, a checkpoint a step, that may go on."""
    folder = tmp_path_factory.mktemp("run") / "run"
    config = changed(small_run, data__validation=[], run__steps=4, run__checkpoint_every=1)
    train(config, folder, device="cpu")
    return folder


@pytest.fixture
def folder(first_steps: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first_steps, tmp_path / "run"))


def longer(folder: Path) -> Any:
    config = read_config(folder / "config.toml")
    return dataclasses.replace(config, run=dataclasses.replace(config.run, steps=6))


def test_a_damaged_checkpoint_never_takes_the_place_of_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """last.pt is damaged, the run goes on from previous.pt and is killed between the two names of a checkpoint."""
    content = bytearray((folder / "last.pt").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "last.pt").write_bytes(content)
    original = os.replace

    def deadly(source: str | Path, target: str | Path) -> None:
        original(source, target)
        if Path(target).name == "previous.pt":
            raise KilledError

    resume = load_checkpoint(folder / "previous.pt")
    monkeypatch.setattr(os, "replace", deadly)
    with pytest.raises(KilledError):
        train(longer(folder), folder, resume=resume, device="cpu")
    monkeypatch.undo()
    assert [load_checkpoint(folder / name).step for name in ("previous.pt", "last.pt")] == [4, 4]


def test_a_run_goes_on_in_a_folder_that_is_not_there_yet(folder: Path, tmp_path: Path) -> None:
    best = train(longer(folder), tmp_path / "moved" / "run", resume=load_checkpoint(folder), device="cpu")
    assert [load_checkpoint(best.with_name(name)).step for name in ("previous.pt", "last.pt", "best.pt")] == [5, 6, 6]


def test_a_run_that_validates_leaves_best_where_it_was_lost(small_run: dict[str, Any], tmp_path: Path) -> None:
    """However good the best was that the checkpoint remembers."""
    config = changed(small_run, run__steps=2, run__checkpoint_every=1, run__validate_every=1)
    train(config, tmp_path / "run", device="cpu")
    checkpoint = load_checkpoint(tmp_path / "run" / "previous.pt")
    checkpoint.training["best"] = 0.0
    best = train(config, tmp_path / "moved", resume=checkpoint, device="cpu")
    assert load_checkpoint(best).step == 2


def test_what_a_run_goes_back_behind_is_kept(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(longer(folder), folder, resume=load_checkpoint(folder / "previous.pt"), device="cpu")
    assert load_checkpoint(folder / "last-4.pt").step == 4
    assert [record.getMessage() for record in caplog.records] == [
        f"the run goes on from step 3; what it had after step 4 is kept as {folder / 'last-4.pt'}"
    ]
    assert not list(folder.glob(".stn3dmm-*"))


def test_a_run_goes_on_without_the_weights_that_it_began_with(folder: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(longer(folder), start=str(tmp_path / "gone.pt"))
    network = dataclasses.replace(config.localiser, weights=str(tmp_path / "gone.mat"))
    train(dataclasses.replace(config, localiser=network), folder, resume=load_checkpoint(folder), device="cpu")
    assert load_checkpoint(folder).step == 6


def test_a_run_writes_whole_paths(small_run: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it goes on, and its localiser is read, from any other folder."""
    shutil.copy(small_run["model"], tmp_path / "m.npz")
    monkeypatch.chdir(tmp_path)
    config = changed(small_run, model="m.npz", data__validation=[], run__steps=1)
    train(config, "run", device="cpu")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint.config.model == str(tmp_path / "m.npz")
    assert checkpoint.load_model().grid_shape == (40, 40)
    train(longer(tmp_path / "run"), tmp_path / "run", resume=checkpoint, device="cpu")


def test_paths_of_a_configuration_resolve(config: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"labels": "a.csv", "framed": True}
    table = dataclasses.replace(config.data.sources[0], kind="folder", path="faces", options=options)
    plain = dataclasses.replace(table, options={"labels": "none"})
    data = dataclasses.replace(config.data, sources=(table, plain))
    written = dataclasses.replace(config, model="", data=data, localiser=LocaliserConfig(weights="w.pt")).resolved()
    assert written.model == ""
    assert written.localiser.weights == str(tmp_path / "w.pt")
    assert [source.path for source in written.data.sources] == [str(tmp_path / "faces")] * 2
    assert written.data.sources[0].options == {"labels": str(tmp_path / "a.csv"), "framed": True}
    assert written.data.sources[1].options == {"labels": "none"}
    assert written.resolved() == written


def test_a_folder_left_by_another_command_is_left_alone(folder: Path) -> None:
    """A demonstration that was killed leaves a temporary folder, and one that goes on works in it."""
    (folder / ".stn3dmm-demo").mkdir()
    (folder / ".stn3dmm-half.pt").write_text("")
    train(longer(folder), folder, resume=load_checkpoint(folder), device="cpu")
    assert [path.name for path in folder.glob(".stn3dmm-*")] == [".stn3dmm-demo"]


def test_a_run_names_its_model_that_is_gone(folder: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(longer(folder), model=str(tmp_path / "gone.npz"))
    with pytest.raises(FileNotFoundError, match=r"gone\.npz: no such file; expected the model .*--model"):
        train(config, folder, resume=load_checkpoint(folder), device="cpu")
