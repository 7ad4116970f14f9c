"""compare finds a planted slowdown, and takes noise and drift for what they are."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from benchmarks import compare, harness, record
from benchmarks.compare import FASTER, SAME, SLOWER, UNSURE, Median
from benchmarks.harness import Effort

from .result_files import results, row


def noisy(seed: int, count: int = 60, factor: float = 1.0, spread: float = 0.05) -> list[float]:
    """Samples about `factor` milliseconds, with a tail as interruptions make it."""
    generator = random.Random(seed)
    return [
        1e-3 * factor * (1 + generator.gauss(0, spread) + (0.5 if generator.random() < 0.05 else 0))
        for _ in range(count)
    ]


def verdict(before: dict, after: dict) -> str:
    return compare.changed(before, after).verdict


@pytest.mark.parametrize("seed", range(20))
def test_compare_takes_noise_for_noise(seed: int) -> None:
    ours, theirs = (row(noisy(2 * seed + run), noisy(100 + 2 * seed + run, factor=3)) for run in range(2))
    assert verdict(ours, theirs) == SAME
    alone = [row(noisy(2 * seed + run)) for run in range(2)]
    assert verdict(*alone) == SAME


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("baseline", [True, False])
def test_compare_finds_a_fifth(seed: int, baseline: bool) -> None:
    theirs = [noisy(100 + run, factor=3) if baseline else None for run in range(2)]
    before, after = row(noisy(seed), theirs[0]), row(noisy(50 + seed, factor=1.2), theirs[1])
    assert verdict(before, after) == SLOWER
    assert verdict(after, before) == FASTER


def test_compare_knows_a_slow_machine_by_its_baseline() -> None:
    """Everything takes 30 % longer: no regression where the baseline tells, one where nothing does."""
    before = row(noisy(1), noisy(2, factor=3))
    after = row(noisy(3, factor=1.3), noisy(4, factor=3.9))
    assert verdict(before, after) == SAME
    assert verdict(row(noisy(1)), row(noisy(3, factor=1.3))) == SLOWER


def test_compare_blames_nobody_for_a_faster_baseline() -> None:
    before, after = row(noisy(1), noisy(2, factor=3)), row(noisy(3), noisy(4, factor=2))
    assert verdict(before, after) == SAME


@pytest.mark.parametrize("seed", range(10))
def test_compare_does_not_call_the_same_what_it_cannot_see(seed: int) -> None:
    """Few rounds of a restless machine, which may hide a fifth; but not thirty times the time."""
    before, after = (row(noisy(seed + run, count=7, spread=0.3)) for run in (0, 50))
    assert verdict(before, after) == UNSURE
    assert verdict(before, row(noisy(seed + 50, count=7, spread=0.3, factor=30))) == SLOWER


def test_compare_threshold_by_hand() -> None:
    """Interquartile ranges of 13.5 %, 100 rounds: errors of 1.25 %, and four times their root sum of squares."""
    spread = {"median": 100.0, "lower_quartile": 93.25, "upper_quartile": 106.75}
    median = Median.of(spread, 100)
    assert median.error == pytest.approx(0.0125)
    assert compare.noise(median, median) == pytest.approx(4 * 0.0125 * 2**0.5)
    assert compare.noise(Median(1.0, 0.0), Median(1.0, 0.0)) == 0.05


def test_compare_finds_a_planted_delay() -> None:
    """Real calls, twice, then with a fifth more time. Processor time is measured: the machine may be busy."""

    def busy(seconds: float) -> None:
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    def measured(seconds: float) -> dict:
        calls = {"ours": lambda _: busy(seconds), "baseline": lambda _: busy(3e-3)}
        samples = harness.rounds(calls, Effort(least=25, most=25), harness.ThreadClock())
        return row(samples["ours"], samples["baseline"])

    first, again, delayed = measured(1e-3), measured(1e-3), measured(1.2e-3)
    assert verdict(first, again) == SAME
    assert verdict(first, delayed) == SLOWER


def written(folder: Path, name: str, *rows: dict, **environment: object) -> str:
    path = folder / name
    results(*rows, **environment).write(path)
    return str(path)


def test_compare_ends_with_1_for_a_slower_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = written(tmp_path, "a.json", row(noisy(1)), row(noisy(2), name="forward, B 8"))
    after = written(tmp_path, "b.json", row(noisy(3, factor=1.3)), row(noisy(4), name="forward, B 64"))
    assert compare.main([before, after]) == 1
    text = capsys.readouterr().out
    assert "1 slower, 0 faster, 0 same" in text
    assert "1 cases are in A alone" in text
    assert "1 cases are in B alone" in text
    assert compare.main([before, before]) == 0


@pytest.mark.parametrize(("name", "value"), [("device", "some GPU"), ("threads", 1), ("processor", "another")])
def test_compare_refuses_another_machine(
    name: str, value: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(tmp_path, "a.json", row(noisy(1)))
    after = written(tmp_path, "b.json", row(noisy(1)), **{name: value})
    assert compare.main([before, after]) == 2
    assert f"the runs differ in {name}:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "not JSON"),
        ("[]", "no schema"),
        ('{"rows": []}', "no schema"),
        ('{"schema": 0}', "schema 0; this version reads schema 1"),
        ('{"schema": 1}', "damaged"),
    ],
)
def test_compare_refuses_other_files(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = written(tmp_path, "a.json", row(noisy(1)))
    bad = tmp_path / "b.json"
    bad.write_text(text)
    assert compare.main([good, str(bad)]) == 2
    assert expected in capsys.readouterr().err
    assert compare.main([good, str(tmp_path / "none.json")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_compare_refuses_runs_without_a_common_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [written(tmp_path, f"{B}.json", row(noisy(1), name=f"forward, B {B}")) for B in (1, 8)]
    assert compare.main(files) == 2
    assert "no case in common" in capsys.readouterr().err


def test_record_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    before = results(row(noisy(1)))
    before.write(path)
    assert record.load(path) == before
    assert json.loads(path.read_text())["schema"] == record.SCHEMA
