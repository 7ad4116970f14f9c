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
from typing import Any

import torch

import stn3dmm_cuda

RESULTS = Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Timing:
    """Wall-clock time of one call, in milliseconds."""

    median: float
    lower_quartile: float
    upper_quartile: float
    repeats: int


def interleave(cases: Mapping[str, Callable[[], object]], repeats: int = 100, warmup: int = 5) -> dict[str, Timing]:
    """Calls every case in turn, `repeats` times over, after a warm-up."""
    for case in cases.values():
        for _ in range(warmup):
            case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            seconds[name].append(time.perf_counter() - start)
    return {name: _timing(taken) for name, taken in seconds.items()}


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


def save(name: str, rows: list[dict[str, Any]]) -> Path:
    """Writes benchmarks/results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"environment": environment(), "rows": rows}, indent=2) + "\n")
    return path
