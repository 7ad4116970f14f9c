"""The suite: its cases, and each room measured once in small."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from benchmarks import suite
from benchmarks.cases import BACKWARD, BASELINE, FORWARD, IMAGE, OURS, Case, as_call
from benchmarks.ceilings import Ceilings
from benchmarks.harness import Effort
from benchmarks.record import Results, load
from benchmarks.suite import ROOMS, Settings

CPU = torch.device("cpu")
TINY = Settings(CPU, Effort(least=2, most=2, seconds=0, warmup=0), compile=False)
MACHINE = Ceilings(copy=1e10, float32=1e11, cache=0)
SMALL = {"B": 2, "P": 16, "Q": 16, "H": 32, "W": 32, "K": 3}
AGREE = 1e-4  # relative, float32: sums of some thousand terms in another order


def everything(name: str) -> list[Case]:
    return suite.chosen([name], quick=False)


def in_small(case: Case) -> Case:
    return dataclasses.replace(case, sizes={name: SMALL.get(name, size) for name, size in case.sizes.items()})


@pytest.fixture(autouse=True)
def one_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rotation: what is tested is not time."""
    monkeypatch.setattr(suite, "beyond_cache", lambda device: 1)


def test_suite_covers_what_it_promises() -> None:
    cases = everything("warp")
    for visibility in ("none", "hard", "soft"):
        for work in (FORWARD, BACKWARD, IMAGE):
            shapes = {
                tuple(case.sizes[name] for name in "BPK")
                for case in cases
                if case.work == work and case.options["visibility"] == visibility
            }
            assert shapes == {(B, side, K) for B in (1, 8, 64) for side in (112, 224) for K in (10, 60, 199)}


def test_suite_names_no_two_cases_alike() -> None:
    names = [(case.room, case.name) for case in suite.chosen([], quick=False)]
    assert len(set(names)) == len(names)


def test_suite_quick_has_something_of_every_room() -> None:
    quick = suite.chosen([], quick=True)
    assert [name for name in ROOMS if all(case.room != name for case in quick)] == []
    assert len(quick) < 20
    with pytest.raises(ValueError, match="no benchmark 'wrap'; choose among pose, vertices"):
        suite.chosen(["wrap"], quick=True)


@pytest.mark.parametrize("name", [name for name in ROOMS if name != "training_step"])
def test_suite_measures_every_kind_of_case(name: str) -> None:
    """And what is said to compute the same as the baseline does."""
    kinds = {(case.work, tuple(case.options.items())): in_small(case) for case in everything(name)}
    for case in kinds.values():
        row = suite.measured(case, TINY, MACHINE)
        assert row["limit"]["milliseconds"] > 0
        assert row["contestants"][OURS]["share_of_limit"] > 0
        assert row["contestants"][OURS]["times_slower"]["median"] == 1
        if BASELINE in row["contestants"] and suite.room(name).prepare(case, CPU).same_results:
            assert row["difference_to_baseline"] < AGREE, case.name
        json.dumps(row, allow_nan=False)


def test_suite_measures_a_training_step() -> None:
    case = dataclasses.replace(everything("training_step")[0], sizes={"B": 2, "H": 112, "W": 112})
    row = suite.measured(case, TINY, MACHINE)
    assert set(row["contestants"]) == {OURS, BASELINE}
    assert row["limit"] is None


def test_suite_records_a_baseline_that_cannot_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(function: object) -> object:
        raise RuntimeError("no C++ compiler\nand a long story")

    monkeypatch.setattr(suite, "compiled", no_compiler)
    case = in_small(next(case for case in everything("pose") if case.compiled))
    row = suite.measured(case, dataclasses.replace(TINY, compile=True), MACHINE)
    assert set(row["contestants"]) == {OURS, BASELINE}
    assert row["absent"] == {"compiled": "RuntimeError: no C++ compiler"}


def test_suite_does_not_hide_that_ours_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    case = in_small(everything("pose")[0])
    contest = suite.room("pose").prepare(case, CPU)
    broken = dataclasses.replace(contest, functions={**contest.functions, OURS: lambda theta: 1 / 0})
    monkeypatch.setattr(suite, "room", lambda name: type("Room", (), {"prepare": staticmethod(lambda *_: broken)}))
    with pytest.raises(ZeroDivisionError):
        suite.measured(case, TINY, MACHINE)


def test_suite_backward_returns_outputs_and_gradients() -> None:
    case = in_small(next(case for case in everything("sample") if case.work == IMAGE))
    inputs = suite.room("sample").prepare(case, CPU).inputs
    outputs = as_call(suite.room("sample").prepare(case, CPU).functions[OURS], IMAGE)(inputs)
    assert [tuple(each.shape) for each in outputs] == [(2, 3, 256), (2, 3, 32, 32), (2, 256, 3)]


def test_suite_goes_on_where_it_was_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has what was measured before the interruption; later only the rest is measured."""
    path = tmp_path / "run.json"
    cases = [in_small(case) for case in everything("grid")[:3]]
    cases = [dataclasses.replace(case, sizes={**case.sizes, "B": B}) for B, case in enumerate(cases, start=1)]
    done: list[str] = []
    actual = suite.measured

    def interrupted(case: Case, settings: Settings, ceilings: Ceilings) -> dict:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(case.name)
        return actual(case, settings, ceilings)

    results = Results({"device": "cpu"}, MACHINE, False)
    monkeypatch.setattr(suite, "measured", interrupted)
    with pytest.raises(KeyboardInterrupt):
        suite.run(cases, TINY, results, lambda: results.write(path), lambda name: None)
    kept = load(path)
    assert ([case["name"] for case in kept.cases], kept.complete) == (done, False)
    done.clear()
    suite.run(cases, TINY, kept, lambda: kept.write(path), lambda name: None)
    assert done == [cases[2].name]
    assert load(path).complete


def test_suite_sees_a_result_that_is_not_a_number() -> None:
    """Also where it is not the first of the results."""
    one, bad = torch.ones(3), torch.tensor([1.0, torch.nan, 1.0])
    assert suite.difference((one, one), (one, 2 * one)) == pytest.approx(0.5)
    assert math.isnan(suite.difference((one, bad), (one, one)))
