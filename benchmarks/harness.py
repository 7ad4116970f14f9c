"""Timing that survives a shared machine: cases are interleaved A B A B, so that drift cancels in their ratios."""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

import stn3dmm_cuda

RESULTS = Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Timing:
    """Time of one call, in milliseconds."""

    median: float
    lower_quartile: float
    upper_quartile: float
    repeats: int


class Clock(Protocol):
    """Marks moments, and tells afterwards how far apart two of them were."""

    def mark(self) -> Any: ...

    def seconds(self, start: Any, end: Any) -> float: ...


class WallClock:
    """The processor's time."""

    def mark(self) -> float:
        return time.perf_counter()

    def seconds(self, start: float, end: float) -> float:
        return end - start


class ThreadClock:
    """The processor time of this thread: what other programs take of the processor does not count."""

    def mark(self) -> float:
        return time.thread_time()

    def seconds(self, start: float, end: float) -> float:
        return end - start


class EventClock:
    """A GPU's time, by events in the current stream: the processor runs ahead and is not waited for between calls."""

    def mark(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def seconds(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3


WALL = WallClock()


def interleave(
    cases: Mapping[str, Callable[[], object]], repeats: int = 100, warmup: int = 5, clock: Clock = WALL
) -> dict[str, Timing]:
    """Calls every case in turn, `repeats` times over, after a warm-up."""
    for case in cases.values():
        for _ in range(warmup):
            case()
    marks: dict[str, list[tuple[Any, Any]]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            start = clock.mark()
            case()
            marks[name].append((start, clock.mark()))
    return {name: _timing([clock.seconds(*pair) for pair in pairs]) for name, pairs in marks.items()}


def _timing(seconds: list[float]) -> Timing:
    lower, median, upper = (1e3 * quartile for quartile in statistics.quantiles(seconds, n=4))
    return Timing(median, lower, upper, len(seconds))


def ratio(timings: Mapping[str, Timing], slow: str, fast: str) -> float:
    """How many times faster `fast` is, by medians."""
    return timings[slow].median / timings[fast].median


def extra_bytes(case: Callable[[], list[torch.Tensor]]) -> int:
    """The most memory that PyTorch's CPU allocator held at once during the call, beyond the tensors it returned.

    The returned tensors are kept through the call, as a user who needs them would keep them.
    """
    case()
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as profile:
        kept = case()
    held, peak = 0, 0
    events = profile.profiler.kineto_results.events()  # type: ignore[union-attr]
    for event in sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak - sum(tensor.untyped_storage().nbytes() for tensor in kept)


def environment() -> dict[str, Any]:
    """Where and with what the numbers were taken."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": _commit(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "instruction_set": stn3dmm_cuda.cpu_instruction_set(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _commit() -> str:
    sources = ["--", ":/", ":!results"]  # a result that was just saved is no change of what is measured
    try:
        name = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "-uno", *sources)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+changes" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, check=True, text=True)
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def write(path: Path, rows: list[dict[str, Any]], **more: Any) -> None:
    """The environment and the rows, as JSON; a reader never sees half a file."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"environment": environment() | more, "rows": rows}, indent=2) + "\n")
    part.replace(path)


def save(name: str, rows: list[dict[str, Any]]) -> Path:
    """Writes benchmarks/results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    write(path, rows)
    return path
