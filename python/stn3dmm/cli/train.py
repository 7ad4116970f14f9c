"""`stn3dmm train`: a data set in, a localiser that fits the model to single photographs out."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stn3dmm.cli.console import MODEL_HELP, say, say_json
from stn3dmm.cli.sources import DATA_HELP, data_set, toml_value

if TYPE_CHECKING:
    from stn3dmm.training import Checkpoint, Progress, TrainConfig


def train(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The run's settings, a TOML file.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the run; 'run' without.")] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", help="A run's folder, or one of its checkpoints, to go on from.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="A checkpoint whose localiser the run begins with, to fine-tune it.")
    ] = None,
    model: Annotated[Path | None, typer.Option("--model", "-m", help=MODEL_HELP)] = None,
    data: Annotated[list[str] | None, typer.Option("--data", "-d", help=DATA_HELP)] = None,
    validation: Annotated[
        list[str] | None, typer.Option("--validation", help="Likewise, to choose the best state by.")
    ] = None,
    localiser: Annotated[str | None, typer.Option("--localiser", help="compact, vgg-face or torchvision:NAME.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Steps of the optimiser.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Photographs a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="Of the optimiser.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of everything that is random.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting, as in 'objective.symmetry=20'.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a localiser; the folder gets last.pt, best.pt, config.toml, log.jsonl and pictures.

    Without settings, the compact localiser learns from synthetic faces of the embedded model. A run that is gone on
    with keeps its own; --steps may give it more, and --model, --data and --validation say where its files are now.

    Example: stn3dmm train --data 300w-lp:300W_LP --validation aflw2000-3d:AFLW2000 --model model.npz --output run

    On four GPUs: torchrun --nproc-per-node 4 -m stn3dmm.cli train --config run.toml --output run
    """
    from stn3dmm.training import load_checkpoint, read_log
    from stn3dmm.training import train as run_training

    flags = _flags(start, model, data, validation, localiser, steps, batch_size, learning_rate, seed, settings)
    checkpoint = None if resume is None else load_checkpoint(resume)
    folder = _folder(output, resume)
    chosen = _settings(config, flags) if checkpoint is None else _continued(checkpoint, config, flags)
    with training_progress(chosen.run.steps, 0 if checkpoint is None else checkpoint.step) as watch:
        best = run_training(chosen, folder, resume=checkpoint, device=device, watch=watch)
    if int(os.environ.get("RANK", "0")) != 0:
        return
    error = read_log(folder)[-1].get("error")
    if as_json:
        say_json({"checkpoint": str(best), "steps": chosen.run.steps, "error": error})
        return
    told = "" if error is None else f", {100 * error:.2f} % normalised mean error at the end"
    say(f"{chosen.run.steps} steps{told} -> {best}")


def _flags(
    start: Path | None,
    model: Path | None,
    data: list[str] | None,
    validation: list[str] | None,
    localiser: str | None,
    steps: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    seed: int | None,
    settings: list[str] | None,
) -> dict[str, Any]:
    """What the command line sets, by the dotted names of the configuration."""
    flags: dict[str, Any] = {
        "start": None if start is None else str(start),
        "model": None if model is None else str(model),
        "data.sources": None if not data else [data_set(text) for text in data],
        "data.validation": None if not validation else [data_set(text) for text in validation],
        "localiser.name": localiser,
        "run.steps": steps,
        "run.batch_size": batch_size,
        "optimiser.learning_rate": learning_rate,
        "run.seed": seed,
    }
    for text in settings or []:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"--set must be NAME=VALUE, as in 'objective.symmetry=20'; got {text!r}.")
        flags[name.strip()] = toml_value(value.strip())
    return {name: value for name, value in flags.items() if value is not None}


def _folder(output: Path | None, resume: Path | None) -> Path:
    """The folder of the run."""
    if resume is None:
        return Path("run") if output is None else output
    folder = resume if resume.is_dir() else resume.parent
    if output is not None and output.absolute() != folder.absolute():
        raise ValueError(f"--resume goes on in the run's own folder, {folder}; leave out --output.")
    return folder


def _settings(config: Path | None, flags: dict[str, Any]) -> TrainConfig:
    from stn3dmm.training.config import from_dict, read_toml

    content = {} if config is None else read_toml(config)
    _set(content, flags)
    return from_dict(content, "the settings" if config is None else str(config))


def _set(content: dict[str, Any], flags: dict[str, Any]) -> None:
    """Sets nested values by their dotted names."""
    for name, value in flags.items():
        *sections, last = name.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise ValueError(f"--set {name}: {section} is no section; see docs/training.md.")
        place[last] = value


def _continued(checkpoint: Checkpoint, config: Path | None, flags: dict[str, Any]) -> TrainConfig:
    """The checkpoint's own settings; only the number of steps may change, and where the files are."""
    import dataclasses

    from stn3dmm.training.config import from_dict, to_dict
    from stn3dmm.training.sources import moved

    others = sorted(set(flags) - {"run.steps", "model", "data.sources", "data.validation"})
    if config is not None or others:
        named = "--config" if config is not None else others[0]
        raise ValueError(
            f"--resume goes on with the run's own settings, only --steps may change, and the places of its files by "
            f"--model, --data and --validation; leave out {named}, or begin another run."
        )
    content = to_dict(checkpoint.config)
    _set(content, flags)
    chosen, own = from_dict(content, "the settings"), checkpoint.config.data
    data = dataclasses.replace(
        own,
        sources=moved(own.sources, chosen.data.sources, "--data"),
        validation=moved(own.validation, chosen.data.validation, "--validation"),
    )
    return dataclasses.replace(chosen, data=data)


@contextlib.contextmanager
def training_progress(steps: int, first: int = 0) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on stderr with losses and images a second, on terminals only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("Training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    leads = int(os.environ.get("RANK", "0")) == 0
    with Bar(*columns, console=console, transient=True, disable=not (leads and console.is_terminal)) as bar:
        task = bar.add_task("reading photographs", total=steps, completed=first)

        def watch(progress: Progress) -> None:
            bar.update(task, completed=progress.step, description=_told(progress))

        yield watch


def _told(progress: Progress) -> str:
    losses = [f"{name} {value:.3g}" for name, value in progress.losses.items() if math.isfinite(value)]
    if math.isfinite(progress.error):
        losses.append(f"NME {100 * progress.error:.2f} %")
    return ", ".join([*losses, f"{progress.images_per_second:.0f} images/s"])
