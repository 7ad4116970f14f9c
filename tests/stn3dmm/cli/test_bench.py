"""`stn3dmm bench`: table, file and pictures; a run that goes on; one line for every kind of bad input."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import command

from .test_cli import complaint, run

QUICK = ("bench", "pose", "--quick", "--no-compile", "--device", "cpu", "--threads", "1")


@pytest.fixture(autouse=True)
def small() -> Iterator[Any]:
    """The benchmarks of this checkout; of the ceilings a mere copy within the cache. The module ceilings."""
    command.take_the_place_of_the_installed()
    ceilings = importlib.import_module("stn3dmm_benchmarks.ceilings")
    before = ceilings.LARGEST
    ceilings.LARGEST = 2**20
    yield ceilings
    ceilings.LARGEST = before


def test_bench_measures_writes_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file, pictures = tmp_path / "bench.json", tmp_path / "pictures"
    text = run(*QUICK, "--json", file, "--plot", pictures)
    content = json.loads(file.read_text())
    assert (content["schema"], content["complete"], content["quick"]) == (1, True, True)
    assert content["environment"]["threads"] == 1
    (case,) = content["cases"]
    assert set(case["contestants"]) == {"stn3dmm", "baseline"}
    assert case["difference_to_baseline"] < 1e-5
    assert case["name"] in text
    assert "GB/s" in text
    assert sorted(path.name for path in pictures.iterdir()) == ["limit.png", "memory.png"]
    assert torch.get_num_threads() >= 1


def test_bench_goes_on(tmp_path: Path, small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file holds is not measured again, nor are the ceilings where it holds all."""
    file = tmp_path / "bench.json"
    run(*QUICK, "--json", file)
    before = file.read_text()
    suite = importlib.import_module("stn3dmm_benchmarks.suite")
    monkeypatch.setattr(suite, "measured", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(small, "measured", lambda *_: pytest.fail("measured again"))
    run(*QUICK, "--json", file, "--resume")
    assert file.read_text() == before


def test_bench_that_goes_on_knows_the_machine_at_its_best(tmp_path: Path) -> None:
    """The ceilings of both parts, the faster of each."""
    file = tmp_path / "bench.json"
    run(*QUICK, "--json", file)
    content = json.loads(file.read_text())
    known = len(content["cases"])
    content["cases"].pop()
    content["ceilings"] |= {"copy": 1e15, "float32": 1.0}
    file.write_text(json.dumps(content))
    run(*QUICK, "--json", file, "--resume")
    content = json.loads(file.read_text())
    assert len(content["cases"]) == known
    assert content["ceilings"]["copy"] == 1e15
    assert content["ceilings"]["float32"] > 1e3


def test_bench_does_not_mix_runs(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    run(*QUICK, "--json", file)
    content = json.loads(file.read_text())
    content["environment"]["torch"] = "1.0"
    file.write_text(json.dumps(content))
    line = complaint(*QUICK, "--json", file, "--resume")
    assert "the runs differ in torch: 1.0 and" in line
    assert "Start a new file" in line
    full = [argument for argument in QUICK if argument != "--quick"]
    assert "a quick run; go on with it the same way" in complaint(*full, "--json", file, "--resume")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["wrap"], "there is no benchmark 'wrap'; choose among pose, vertices"),
        (["pose", "--device", "gpu"], "--device must be auto, cpu, cuda or cuda:N; got 'gpu'"),
        (["pose", "--device", "cpu:1"], "--device must be auto"),
        (["pose", "--threads", "0"], "threads"),
        (["pose", "--resume"], "--resume needs --json"),
    ],
)
def test_bench_refuses(arguments: list[str], expected: str) -> None:
    assert expected in complaint("bench", *arguments)


def test_bench_refuses_cuda_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import stn3dmm_cuda

    monkeypatch.setattr(stn3dmm_cuda, "has_cuda", lambda: False)
    assert "measure with --device cpu" in complaint("bench", "pose", "--device", "cuda")


def test_bench_refuses_pictures_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is measured."""
    actual = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else actual(name))
    line = complaint("bench", "pose", "--plot", tmp_path)
    assert line == "stn3dmm: --plot needs matplotlib, which is not installed; run 'pip install matplotlib'."


def test_bench_refuses_places_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "not a folder" in complaint(*QUICK, "--json", file / "bench.json")
    assert "not a folder" in complaint(*QUICK, "--plot", file)
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert "no schema" in complaint(*QUICK, "--json", other, "--resume")
