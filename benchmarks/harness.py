"""Timing that survives a shared machine: calls are interleaved A B A B, so that drift cancels in their ratios."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from stn3dmm.files import write_text

from .clocks import WALL, Clock, EventClock, ThreadClock, WallClock
from .environment import environment

__all__ = [
    "FULL",
    "QUICK",
    "RESULTS",
    "WALL",
    "Clock",
    "Effort",
    "EventClock",
    "Spread",
    "ThreadClock",
    "Timing",
    "WallClock",
    "environment",
    "extra_bytes",
    "interleave",
    "paired_ratio",
    "ratio",
    "rounds",
    "save",
    "write",
]

RESULTS = Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Spread:
    """A median and its quartiles."""

    median: float
    lower_quartile: float
    upper_quartile: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        lower, median, upper = statistics.quantiles(values, n=4)
        return cls(median, lower, upper)


@dataclasses.dataclass(frozen=True)
class Timing:
    """Time of one call, in milliseconds."""

    median: float
    lower_quartile: float
    upper_quartile: float
    repeats: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Timing:
        spread = Spread.of([1e3 * each for each in seconds])
        return cls(spread.median, spread.lower_quartile, spread.upper_quartile, len(seconds))


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long a case is measured: `seconds`, but at least `least` and at most `most` rounds."""

    least: int = 15
    most: int = 200
    seconds: float = 2.0
    warmup: int = 2  # calls of each before the first round

    def __post_init__(self) -> None:
        if not 2 <= self.least <= self.most:
            raise ValueError(f"Effort: rounds must be 2 <= least <= most; got {self.least} and {self.most}.")


FULL = Effort()
QUICK = Effort(least=7, most=40, seconds=0.5, warmup=2)


def rounds(
    calls: Mapping[str, Callable[[int], object]], effort: Effort = FULL, clock: Clock = WALL
) -> dict[str, list[float]]:
    """Seconds of each call in every round, after a warm-up: in a round each is called once, with its number.

    Every round begins with another one, since a call inherits caches and clocks from the one before it. The first
    rounds tell how many there is time for.
    """
    order = list(calls.items())
    for number in range(effort.warmup):
        for call in calls.values():
            call(number)
    marks: dict[str, list[tuple[Any, Any]]] = {name: [] for name in calls}

    def play(first: int, last: int) -> None:
        for number in range(first, last):
            first_call = number % len(order)
            for name, call in (*order[first_call:], *order[:first_call]):
                clock.settle()
                start = clock.mark()
                call(number)
                marks[name].append((start, clock.mark()))

    collecting = gc.isenabled()
    gc.collect()
    gc.disable()  # a collection would hit one call of many
    try:
        begun = time.perf_counter()
        play(0, effort.least)
        for pairs in marks.values():
            clock.seconds(*pairs[-1])
        each = (time.perf_counter() - begun) / effort.least
        play(effort.least, min(effort.most, max(effort.least, int(effort.seconds / max(each, 1e-9)))))
    finally:
        if collecting:
            gc.enable()
    return {name: [clock.seconds(*pair) for pair in pairs] for name, pairs in marks.items()}


def interleave(
    cases: Mapping[str, Callable[[], object]], repeats: int = 100, warmup: int = 5, clock: Clock = WALL
) -> dict[str, Timing]:
    """Calls every case in turn, `repeats` times over, after a warm-up."""
    calls = {name: (lambda _, case=case: case()) for name, case in cases.items()}
    samples = rounds(calls, Effort(least=repeats, most=repeats, warmup=warmup), clock)
    return {name: Timing.of(seconds) for name, seconds in samples.items()}


def ratio(timings: Mapping[str, Timing], slow: str, fast: str) -> float:
    """How many times faster `fast` is, by medians."""
    return timings[slow].median / timings[fast].median


def paired_ratio(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """How many times faster `fast` is, round by round: what slowed both calls of a round cancels."""
    return Spread.of([slow_one / fast_one for slow_one, fast_one in zip(slow, fast, strict=True)])


def extra_bytes(case: Callable[[], Sequence[torch.Tensor]], device: torch.device | None = None) -> int:
    """The most memory that PyTorch's allocator held at once during the call, beyond the tensors that it returned.

    The returned tensors are kept through the call, as a user who needs them would keep them. On the CPU these are the
    profiler's memory events: tensors, also those that operators make inside, but not what a kernel takes from the C++
    heap.
    """
    case()
    if device is not None and device.type == "cuda":
        return _extra_bytes_on_cuda(case, device)
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # or the profiler writes on stderr, through progress bars
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as profile:
        kept = case()
    held, peak = 0, 0
    events = profile.profiler.kineto_results.events()
    for event in sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return max(0, peak - _storage_bytes(kept))  # less than 0 where views of inputs are returned


def _extra_bytes_on_cuda(case: Callable[[], Sequence[torch.Tensor]], device: torch.device) -> int:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    kept = case()
    torch.cuda.synchronize(device)
    return max(0, torch.cuda.max_memory_allocated(device) - before - _storage_bytes(kept))


def _storage_bytes(tensors: Sequence[torch.Tensor]) -> int:
    """Of distinct storages: outputs may share one."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


def write(path: Path, rows: list[dict[str, Any]], **more: Any) -> None:
    """The environment and the rows, as JSON; a reader never sees half a file."""
    write_text(path, json.dumps({"environment": environment() | more, "rows": rows}, indent=2) + "\n")


def save(name: str, rows: list[dict[str, Any]]) -> Path:
    """Writes benchmarks/results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    write(path, rows)
    return path
