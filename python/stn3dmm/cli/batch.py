"""Many photographs in one run: a bad one is reported, and the others go on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import typer

from stn3dmm.cli.application import BAD_INPUT, EXIT_BAD_INPUT, complain, message_of


class Batch:
    """The failures of a run."""

    def __init__(self) -> None:
        self.failures: list[dict[str, str]] = []  # "image": the path as given; "error": one sentence that names it

    @contextlib.contextmanager
    def attempt(self, image: Path) -> Iterator[None]:
        """Does the block for one photograph; bad input becomes one line on stderr and an entry of ``failures``."""
        try:
            yield
        except BrokenPipeError:
            raise
        except BAD_INPUT as error:
            message = message_of(error)
            if image.name not in message:
                message = f"{image.name}: {message}"
            self.failures.append({"image": str(image), "error": message})
            complain(message)

    def end(self) -> None:
        """Ends the command with the exit code for bad input if a photograph failed."""
        if self.failures:
            raise typer.Exit(EXIT_BAD_INPUT)
