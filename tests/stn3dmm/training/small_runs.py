"""Small runs with other settings, and what their logs say."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from stn3dmm.training import TrainConfig, read_log
from stn3dmm.training.config import from_dict

TIMES = {"images_per_second", "waiting"}


def changed(settings: dict[str, Any], **changes: Any) -> TrainConfig:
    """The configuration with some settings changed, ``section__name=value``."""
    content = copy.deepcopy(settings)
    for name, value in changes.items():
        place = content
        *sections, last = name.split("__")
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return from_dict(content)


def losses(folder: Path) -> list[dict[str, float]]:
    """The log of a run but for what a clock says."""
    return [{name: value for name, value in line.items() if name not in TIMES} for line in read_log(folder)]
