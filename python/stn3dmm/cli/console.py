"""What the commands say: progress and results on stderr and stdout."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from stn3dmm.morphable_model import MorphableModel

MODEL_HELP = (
    "Morphable model: any that docs/formats.md lists, quickest a .npz from 'stn3dmm prepare'; the embedded model "
    "without this."
)


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


def say_table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Names and values for people, on stdout, wrapped to the width of the terminal."""
    table = Table(title=title or None, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    Console().print(table)


def say_json(content: dict[str, Any]) -> None:
    """The result for a program, on stdout."""
    typer.echo(json.dumps(content, indent=1, default=str, allow_nan=False))


def chosen_model(path: Path | None) -> MorphableModel:
    """The model of --model, or the embedded one."""
    from stn3dmm import embedded_model, load_model

    return embedded_model() if path is None else load_model(path)
