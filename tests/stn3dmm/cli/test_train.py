"""`stn3dmm train`: its settings, and going on with a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import stn3dmm
from stn3dmm.training import load_checkpoint

from .localiser_files import write_people
from .test_cli import complaint, run

SETTINGS = (
    "data.image_size=[64, 64]", "data.workers=0", "data.pairs=none", "localiser.width=0.25", "schedule.warmup=1",
    "run.sample_every=0", "run.checkpoint_every=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.npz, faces/ with two labelled photographs, and run/ after 1 step on them."""
    place = tmp_path_factory.mktemp("train")
    stn3dmm.embedded_model((40, 40)).save(place / "model.npz")
    people = write_people(place / "people", {"a": 1, "b": 1})
    (place / "faces").mkdir()
    for file in people.glob("*/*"):
        shutil.copy(file, place / "faces" / f"{file.parent.name}{file.suffix}")
    settings = [part for text in SETTINGS for part in ("--set", text)]
    files = ("-m", place / "model.npz", "-d", f"folder:{place / 'faces'}")
    run("train", *files, *settings, "--steps", 1, "--batch-size", 2, "--device", "cpu", "-o", place / "run")
    return place


@pytest.fixture
def place(originals: Path, tmp_path: Path) -> Path:
    """The same, elsewhere, and the original files gone."""
    copy = Path(shutil.copytree(originals, tmp_path / "moved"))
    for name in ("model.npz", "faces"):
        (originals / name).rename(originals / f"hidden-{name}")
    try:
        yield copy
    finally:
        for name in ("model.npz", "faces"):
            (originals / f"hidden-{name}").rename(originals / name)


def test_train_goes_on_where_its_files_have_moved(place):
    resume = ("train", "--resume", place / "run", "--steps", 2, "--device", "cpu")
    assert "model.npz: no such file; expected the model of this checkpoint. Name it: --model." in complaint(*resume)
    model = ("--model", place / "model.npz")
    assert "faces: no such folder" in complaint(*resume, *model)
    text = run(*resume, *model, "--data", f"folder:{place / 'faces'}", "--json")
    assert json.loads(text) == {"checkpoint": str(place / "run" / "best.pt"), "steps": 2, "error": None}
    config = load_checkpoint(place / "run").config
    assert config.model == str(place / "model.npz")
    assert config.data.sources[0].path == str(place / "faces")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "run.steps=abc"], "the settings: run.steps: Input should be a valid integer; got 'abc'"),
        (["--set", "run.steps=10.5"], "run.steps: Input should be a valid integer; got 10.5"),
        (["--output", "elsewhere"], "--resume goes on in the run's own folder"),
        (["--learning-rate", "1"], "leave out optimiser.learning_rate, or begin another run"),
        (["--config", "run.toml"], "leave out --config, or begin another run"),
        (["--data", "aflw:x"], "--data may only say where the run's own data sets are now, in their order (folder); "),
        (["--validation", "folder:x"], "--validation may only say where the run's own data sets are now"),
        (["--steps", "1"], "the run is done: the checkpoint has 1 steps of 1"),
    ],
)
def test_train_goes_on_with_its_own_settings_alone(originals, arguments, message):
    before = (originals / "run" / "config.toml").read_bytes()
    assert message in complaint("train", "--resume", originals / "run", *arguments)
    assert (originals / "run" / "config.toml").read_bytes() == before


def test_train_takes_the_folder_of_the_run_as_its_output(originals, tmp_path):
    folder = shutil.copytree(originals / "run", tmp_path / "run")
    run("train", "--resume", folder / "last.pt", "-o", folder, "--steps", 2, "--device", "cpu")
    assert load_checkpoint(folder).step == 2


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ('kind="folder", path="x", options={framed="yes"}', "folder: framed must be true or false; got 'yes'"),
        ('kind="folder", path="x", options={labels=3}', "folder: labels must be a text; got 3"),
        ('kind="synthetic", options={length=true}', "synthetic: length must be a whole number; got True"),
        ('kind="synthetic", options={hair="much"}', "synthetic: hair must be a number; got 'much'"),
        ('kind="synthetic", options={yaw=3}', "synthetic: yaw must be a list; got 3"),
    ],
)
def test_train_refuses_options_of_another_type(option, message, tmp_path):
    line = complaint("train", "--set", f"data.sources=[{{{option}}}]", "--device", "cpu", "-o", tmp_path / "run")
    assert message in line
    assert not (tmp_path / "run").exists()
