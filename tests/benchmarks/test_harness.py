"""The harness: calls take turns, drift cancels, memory is what was held."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable

import pytest
import torch

from benchmarks import harness
from benchmarks.cases import Inputs
from benchmarks.harness import Effort, Spread
from benchmarks.suite import MOST_SETS, rotating, rotation


class Scripted:
    """A clock whose calls take as long as the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.settled = False

    def settle(self) -> None:
        self.settled = True

    def mark(self) -> float:
        assert self.settled
        return self.now

    def seconds(self, start: float, end: float) -> float:
        return end - start

    def taking(self, seconds: Callable[[int], float]) -> Callable[[int], object]:
        def call(number: int) -> None:
            self.now += seconds(number)

        return call


def test_rounds_take_turns() -> None:
    order: list[tuple[str, int]] = []
    calls = {name: (lambda number, name=name: order.append((name, number))) for name in "AB"}
    harness.rounds(calls, Effort(least=3, most=3, warmup=1))
    rounds = ((name, number) for number, names in enumerate(("AB", "BA", "AB")) for name in names)
    assert order == [("A", 0), ("B", 0), *rounds]


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 5), (1e9, 20)])
def test_rounds_keep_to_their_time(seconds: float, expected: int) -> None:
    """At least `least`, at most `most`, whatever time there is."""
    samples = harness.rounds({"A": lambda _: None}, Effort(least=5, most=20, seconds=seconds))
    assert len(samples["A"]) == expected


def test_rounds_cancel_drift_in_ratios() -> None:
    """A machine that becomes ten times slower meanwhile leaves the ratio of paired calls alone."""
    clock = Scripted()
    calls = {"fast": clock.taking(lambda n: 1.0 + n), "slow": clock.taking(lambda n: 3 * (1.0 + n))}
    samples = harness.rounds(calls, Effort(least=10, most=10, warmup=0), clock)
    paired = harness.paired_ratio(samples["slow"], samples["fast"])
    assert (paired.lower_quartile, paired.median, paired.upper_quartile) == pytest.approx((3, 3, 3))
    assert Spread.of(samples["fast"]).upper_quartile > 2 * Spread.of(samples["fast"]).lower_quartile


def test_rounds_leave_the_garbage_collector_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError):
        harness.rounds({"A": lambda number: 1 / (3 - number)}, Effort(least=5, most=5, warmup=0))
    assert gc.isenabled()


@pytest.mark.parametrize(("least", "most"), [(1, 5), (6, 5)])
def test_effort_rejects_too_few_rounds(least: int, most: int) -> None:
    with pytest.raises(ValueError, match="2 <= least <= most"):
        Effort(least=least, most=most)


def test_interleave_gives_milliseconds() -> None:
    clock = Scripted()
    timings = harness.interleave({"A": lambda: clock.taking(lambda _: 0.002)(0)}, repeats=4, warmup=0, clock=clock)
    assert timings["A"] == harness.Timing(*(pytest.approx(2.0) for _ in range(3)), 4)


def test_extra_bytes_by_hand() -> None:
    """Of 1,000 numbers: two at once on the way to one result."""
    source = torch.zeros(1000)

    def chained() -> list[torch.Tensor]:
        first = source + source
        second = first + first
        del first
        return [second + second]

    assert harness.extra_bytes(chained) == 4000
    assert harness.extra_bytes(lambda: [source + source]) == 0
    assert harness.extra_bytes(lambda: [source[:5]]) == 0  # a view of an input


def test_rotation_fills_the_room_it_is_given() -> None:
    inputs = Inputs((torch.arange(256.0).requires_grad_(),), (None, torch.ones(256)))
    assert inputs.bytes == 2048
    sets = rotation(inputs, 5000)
    assert len(sets) == 3
    assert all(torch.equal(each.arguments[0], inputs.arguments[0]) for each in sets)
    assert len({each.arguments[0].data_ptr() for each in sets}) == 3
    assert all(each.arguments[0].is_leaf and each.arguments[0].requires_grad for each in sets)
    assert len(rotation(inputs, 10**9)) == MOST_SETS


def test_rotating_calls_meet_a_set_of_their_own() -> None:
    """In a round no two contestants have the same, nor one contestant the one that the call before it had."""
    sets = [Inputs((torch.tensor(float(number)),)) for number in range(5)]
    met: list[float] = []

    def call(inputs: Inputs) -> tuple[torch.Tensor, ...]:
        met.append(inputs.arguments[0].item())
        return inputs.arguments

    calls = rotating({"A": call, "B": call}, sets)
    for number in range(5):
        for each in calls.values():
            each(number)
    assert met == list(itertools.islice(itertools.cycle(range(5)), 10))
