"""What a run leaves in its folder while it goes: its configuration, its losses line by line, pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stn3dmm.files import write_text

LOG = "log.jsonl"


class TrainingLog:
    """``log.jsonl``, one line a report, and TensorBoard's files where TensorBoard is installed.

    A run that goes on from step S forgets the lines after step S: they will be written again.

    Args:
        folder: the run's.
        first: steps that are done already.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self.path = folder / LOG
        kept = [line for line in _lines(self.path) if line["step"] <= first]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self._board = _tensorboard(folder, first)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """A line: what is not finite becomes null."""
        line = {name: value if math.isfinite(value) else None for name, value in values.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **line}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                if math.isfinite(value):
                    self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Ends the log."""
        if self._board is not None:
            self._board.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, oldest first."""
    return _lines(folder / LOG)


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:  # the process was killed while it wrote
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    return lines


def _tensorboard(folder: Path, first: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder / "tensorboard", purge_step=first + 1)  # the first step that is hidden
