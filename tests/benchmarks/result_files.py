"""Results for tests: made of samples, or of a tiny run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from benchmarks import harness
from benchmarks.cases import BASELINE, OURS
from benchmarks.ceilings import Ceilings
from benchmarks.record import Results

MACHINE = {"device": "cpu", "processor": "some processor", "threads": 2}


def row(
    ours: Sequence[float], baseline: Sequence[float] | None = None, name: str = "forward, B 1", room: str = "pose"
) -> dict[str, Any]:
    """A case of samples in seconds."""
    samples = {OURS: ours} if baseline is None else {OURS: ours, BASELINE: baseline}
    contestants = {
        contestant: {
            "milliseconds": dataclasses.asdict(harness.Timing.of(seconds)),
            "share_of_limit": 0.5,
            "extra_bytes": 1000,
            "times_slower": dataclasses.asdict(harness.paired_ratio(seconds, ours)),
        }
        for contestant, seconds in samples.items()
    }
    return {
        "room": room,
        "name": name,
        "work": name.split(", ")[0],
        "sizes": {"B": int(name.split("B ")[1].split(",")[0])},
        "limit": {"milliseconds": 1.0, "bound": "memory"},
        "contestants": contestants,
        "absent": {},
    }


def results(*rows: dict[str, Any], **environment: Any) -> Results:
    return Results({**MACHINE, **environment}, Ceilings(1e10, 1e11, 2**20), True, list(rows), True)
