"""The log of a run, as a file and in TensorBoard."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from stn3dmm.training import read_log
from stn3dmm.training.log import TrainingLog


def test_log_forgets_what_will_come_again(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(
        "".join(json.dumps({"step": step, "total": 1.0}) + "\n" for step in (1, 2, 3, 4)) + '{"step": 5, "to'
    )
    log = TrainingLog(tmp_path, 2)
    log.write(3, {"total": math.nan})
    log.close()
    assert read_log(tmp_path) == [{"step": 1, "total": 1.0}, {"step": 2, "total": 1.0}, {"step": 3, "total": None}]


def test_log_in_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is finite, and in a run that goes on from step 2 all that was written up to it is still seen."""
    told: list[Any] = []

    class SummaryWriter:
        def __init__(self, folder: Path, purge_step: int) -> None:
            told.append((folder, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            told.append((name, value, step))

        def close(self) -> None:
            told.append("closed")

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    log = TrainingLog(tmp_path, 2)
    log.write(3, {"total": 1.5, "siamese": math.nan})
    log.close()
    assert told == [(tmp_path / "tensorboard", 3), ("total", 1.5, 3), "closed"]


def test_log_on_a_full_disk_fails_once(tmp_path: Path) -> None:
    """/dev/full takes nothing; closing the log must not fail again and hide the first error."""
    log = TrainingLog(tmp_path, 0)
    log.path = Path("/dev/full")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        log.write(1, {"total": 1.0})
    log.close()
