"""What the commands say: progress and results on stderr and stdout."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from stn3dmm.morphable_model import MorphableModel

MODEL_HELP = "Morphable model: a stn3dmm .npz or the authors' model.mat; the embedded model without this."


@contextlib.contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[str], None]]:
    """A progress bar on stderr, shown on terminals only; the function it yields begins the step of that name."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total, completed=-1)

        def step(name: str) -> None:
            bar.update(task, advance=1, description=f"{what} {name}")

        yield step


def say(text: str = "") -> None:
    """A line for people, on stdout."""
    typer.echo(text)


def say_json(content: dict[str, Any]) -> None:
    """The result for a program, on stdout."""
    typer.echo(json.dumps(content, indent=1, default=str, allow_nan=False))


def chosen_model(path: Path | None) -> MorphableModel:
    """The model of --model, or the embedded one."""
    from stn3dmm import embedded_model, load_model

    return embedded_model() if path is None else load_model(path)
