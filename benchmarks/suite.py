"""The benchmarks of all rooms: which cases there are, and how one is measured."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch

from . import harness
from .cases import BASELINE, OURS, Call, Case, Contest, Inputs, Room, Tensors, as_call
from .ceilings import Ceilings, beyond_cache
from .clocks import clock_of
from .harness import Effort, Timing
from .record import Results
from .variants import Graphed, compiled, tried, without_cudnn

ROOMS = (
    "pose", "vertices", "project", "grid", "sample", "visibility", "rasterize", "losses", "warp", "training_step",
)  # fmt: skip
MOST_SETS = 64  # of inputs: tiny ones never exceed a cache


@dataclasses.dataclass(frozen=True)
class Settings:
    """How everything is measured."""

    device: torch.device
    effort: Effort
    compile: bool = True  # try the compiled baseline where a case asks for it


def room(name: str) -> Room:
    """The module bench_<name>."""
    return cast(Room, importlib.import_module(f".bench_{name}", __package__))


def chosen(rooms: Sequence[str], quick: bool) -> list[Case]:
    """The cases of these rooms, of all without any.

    Raises:
        ValueError: no such room.
    """
    for name in rooms:
        if name not in ROOMS:
            raise ValueError(f"there is no benchmark {name!r}; choose among {', '.join(ROOMS)}.")
    names = [name for name in ROOMS if name in rooms or not rooms]
    return [case for name in names for case in room(name).CASES if case.quick or not quick]


def run(
    cases: Sequence[Case], settings: Settings, results: Results, keep: Callable[[], None], step: Callable[[str], None]
) -> None:
    """Measures what the results do not hold yet; `keep` is called after each case, `step` before."""
    for case in cases:
        step(f"{case.room}: {case.name}")
        if (case.room, case.name) in results.keys:
            continue
        results.cases.append(measured(case, settings, results.ceilings))
        keep()
    wanted = {(case.room, case.name) for case in cases}
    results.complete = wanted <= results.keys
    keep()


def measured(case: Case, settings: Settings, ceilings: Ceilings) -> dict[str, Any]:
    """One line of the table, as JSON."""
    contest = room(case.room).prepare(case, settings.device)
    sets = rotation(contest.inputs, beyond_cache(settings.device))
    calls, absent = contestants(case, contest, settings, sets)
    samples = harness.rounds(rotating(calls, sets), settings.effort, clock_of(settings.device))
    row: dict[str, Any] = {
        "room": case.room,
        "name": case.name,
        "work": case.work,
        "sizes": dict(case.sizes),
        "options": dict(case.options),
        "input_sets": len(sets),
        "rotated_bytes": len(sets) * contest.inputs.bytes,
        "passes": [dataclasses.asdict(each) for each in contest.passes],
        "limit": None,
        "contestants": {},
        "absent": {**contest.absent, **absent},
        "difference_to_baseline": None,
    }
    limit = ceilings.limit(contest.passes)
    if contest.passes:
        row["limit"] = {"milliseconds": 1e3 * limit, "bound": ceilings.bound(contest.passes)}
    for name, seconds in samples.items():
        row["contestants"][name] = {
            "milliseconds": dataclasses.asdict(Timing.of(seconds)),
            "share_of_limit": limit / statistics.median(seconds) if contest.limits(name) else None,
            "extra_bytes": _memory(calls[name], sets[0], settings.device),
            "times_slower": dataclasses.asdict(harness.paired_ratio(seconds, samples[OURS])),
        }
    if contest.same_results and BASELINE in calls:
        row["difference_to_baseline"] = difference(calls[OURS](sets[0]), calls[BASELINE](sets[0]))
    return row


def rotation(inputs: Inputs, room_needed: int) -> list[Inputs]:
    """As many copies of the inputs as fill this many bytes, so that each call meets cold ones."""
    count = min(MOST_SETS, max(1, math.ceil(room_needed / max(1, inputs.bytes))))
    return [inputs, *(inputs.copied() for _ in range(count - 1))]


def rotating(calls: Mapping[str, Call], sets: Sequence[Inputs]) -> dict[str, Callable[[int], Tensors]]:
    """Every call of every round gets the next set, lest one warm the cache for another."""

    def turn(number: int, call: Call, place: int) -> Tensors:
        return call(sets[(number * len(calls) + place) % len(sets)])

    return {name: functools.partial(turn, call=call, place=place) for place, (name, call) in enumerate(calls.items())}


def contestants(
    case: Case, contest: Contest, settings: Settings, sets: Sequence[Inputs]
) -> tuple[dict[str, Call], dict[str, str]]:
    """What is measured, by name, ours first; and why others are not. Each has been called once."""
    makers: dict[str, Callable[[], Call]] = {
        name: functools.partial(as_call, function, case.work) for name, function in contest.functions.items()
    }
    if BASELINE in contest.functions:
        function = contest.functions[BASELINE]
        if case.compiled and settings.compile:
            code = functools.cache(lambda: compiled(function))  # to compile anew would throw away what was compiled
            makers["compiled"] = lambda: as_call(code(), case.work)
        if settings.device.type == "cuda":
            plain = as_call(function, case.work)
            if contest.samples:
                makers["baseline without cuDNN"] = lambda: without_cudnn(plain)
    if settings.device.type == "cuda" and "compiled" in makers and BASELINE in contest.graphs:
        makers["compiled graphed"] = lambda: Graphed(as_call(code(), case.work), sets)
    if settings.device.type == "cuda":
        for name in [name for name in contest.graphs if name in contest.functions]:
            call = as_call(contest.functions[name], case.work)
            makers[f"{name} graphed"] = functools.partial(Graphed, call, sets)
    calls: dict[str, Call] = {OURS: makers.pop(OURS)()}
    calls[OURS](sets[0])  # whatever it raises is for the caller
    absent: dict[str, str] = {}
    for name, make in makers.items():
        made, why = tried(make, sets[0])
        if made is None:
            absent[name] = why
        else:
            calls[name] = made
    return calls, absent


def _memory(call: Call, inputs: Inputs, device: torch.device) -> int | None:
    """None for a graph, whose memory is set aside when it is captured."""
    return None if isinstance(call, Graphed) else harness.extra_bytes(lambda: call(inputs), device)


def difference(ours: Tensors, theirs: Tensors) -> float:
    """The largest relative difference, of norms, among the outputs and gradients that both have; NaN if one is."""
    pairs = [(a.detach().double(), b.detach().double()) for a, b in zip(ours, theirs, strict=True)]
    return float(torch.stack([(a - b).norm() / b.norm().clamp_min(1e-30) for a, b in pairs]).max())
