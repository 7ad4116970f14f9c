"""Did anything become slower? Two files of `stn3dmm bench --json` of one machine, A before and B after.

    python -m benchmarks.compare A.json B.json          # or stn3dmm_benchmarks.compare

The rule, for every case that both files hold. The error of a median is 1.25 / 1.35 of the interquartile range over the
square root of the rounds, as of normal samples. A time has changed if it is off by more than four errors (of both
medians: the root of the sum of their squares), and by more than 5 %, which a quiet machine may drift between runs.
Where a baseline was measured, a machine that has become slower would slow that too: a case is called slower or faster
only if its time and its lead over the baseline, which is taken round by round, have both changed that much. Where noise
alone may be more than 20 % a case that shows no change is not called the same: nobody can tell. Fewer rounds, as with
--quick, and a busy machine make that likely.

Ends with exit code 1 if a case has become slower, with 2 if the files cannot be compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from .cases import BASELINE, OURS
from .record import MACHINE, Results, check_same, load
from .table import console_for_tables

LEAST = 0.05  # relative change that drift between runs may have
ERRORS = 4.0
ERROR = 1.25 / 1.35  # of a normal median, in interquartile ranges over the square root of the count
BLIND = 0.2  # relative change that noise must not hide where a case is called the same
SLOWER, FASTER, SAME, UNSURE = "slower", "faster", "same", "cannot tell"
VERDICTS = (SLOWER, FASTER, SAME, UNSURE)


@dataclasses.dataclass(frozen=True)
class Change:
    """Of one case, from A to B."""

    room: str
    name: str
    before: float  # milliseconds
    after: float
    threshold: float  # relative change that counts as noise
    verdict: str


@dataclasses.dataclass(frozen=True)
class Median:
    """A median and its relative error."""

    value: float
    error: float

    @classmethod
    def of(cls, spread: Mapping[str, float], rounds: int) -> Median:
        median = spread["median"]
        return cls(median, ERROR * (spread["upper_quartile"] - spread["lower_quartile"]) / math.sqrt(rounds) / median)


def noise(first: Median, second: Median) -> float:
    """The relative change between two medians that may be chance."""
    return max(LEAST, ERRORS * math.hypot(first.error, second.error))


def growth(first: Median, second: Median) -> float:
    """How much the median grew in units of what may be chance: beyond 1 it did, beyond -1 it fell."""
    relative = second.value / first.value
    change = relative - 1 if relative >= 1 else 1 - 1 / relative
    return change / noise(first, second)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    """What became of a case."""
    old, new = (_time(case) for case in (before, after))
    evidence, chance = [growth(old, new)], noise(old, new)
    if BASELINE in before["contestants"] and BASELINE in after["contestants"]:
        evidence.append(growth(_lead(after), _lead(before)))  # a lead falls where ours becomes slower
        chance = max(chance, noise(_lead(after), _lead(before)))
    unchanged = SAME if chance <= BLIND else UNSURE
    verdict = SLOWER if min(evidence) > 1 else FASTER if max(evidence) < -1 else unchanged
    return Change(before["room"], before["name"], old.value, new.value, chance, verdict)


def _time(case: Mapping[str, Any]) -> Median:
    milliseconds = case["contestants"][OURS]["milliseconds"]
    return Median.of(milliseconds, milliseconds["repeats"])


def _lead(case: Mapping[str, Any]) -> Median:
    baseline = case["contestants"][BASELINE]
    return Median.of(baseline["times_slower"], baseline["milliseconds"]["repeats"])


def compared(first: Results, second: Results) -> list[Change]:
    """The changes of all common cases.

    Raises:
        ValueError: the runs are of different devices or threads, or have no case in common.
    """
    check_same(MACHINE, first, second, "Compare runs of one machine with as many threads.")
    changes = [changed(case, second.by_key[key]) for key, case in first.by_key.items() if key in second.keys]
    if not changes:
        raise ValueError("the runs have no case in common; measure the same operators.")
    return changes


def table(changes: Sequence[Change]) -> Table:
    result = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    result.add_column("case")
    for heading in ("A, ms", "B, ms", "change", "noise up to", "verdict"):
        result.add_column(heading, justify="right")
    for change in changes:
        result.add_row(
            f"{change.room}: {change.name}",
            f"{change.before:.3g}",
            f"{change.after:.3g}",
            f"{100 * (change.after / change.before - 1):+.1f} %",
            f"{100 * change.threshold:.1f} %",
            change.verdict,
        )
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, metavar="A.json")
    parser.add_argument("after", type=Path, metavar="B.json")
    files = parser.parse_args(arguments)
    try:
        first, second = load(files.before), load(files.after)
        changes = compared(first, second)
    except (ValueError, OSError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    console_for_tables().print(table(changes))
    for name, only in (("A", first.keys - second.keys), ("B", second.keys - first.keys)):
        if only:
            print(f"{len(only)} cases are in {name} alone.")
    counts = {verdict: sum(change.verdict == verdict for change in changes) for verdict in VERDICTS}
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 1 if counts[SLOWER] else 0


if __name__ == "__main__":
    sys.exit(main())
