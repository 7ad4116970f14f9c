"""benchmarks/device_check.sh and its modules, as far as no GPU is needed: every step's result reaches the table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ceilings, device_bench

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "benchmarks" / "device_check.sh"
STEPS = ["environment", "libraries", "quick", "suite", "bench", "memcheck", "racecheck", "synccheck"]

# Stands in for Python: notes what it is asked for, and does it well unless told otherwise.
PYTHON = """#!/usr/bin/env bash
[[ $* == *xdist* ]] && exit 1
echo "caching=${PYTORCH_NO_CUDA_MEMORY_CACHING:-} required=${STN3DMM_REQUIRE_BACKENDS:-} $*" >>"$CALLS"
[[ -n ${SLOW:-} && $* == *$SLOW* ]] && exec sleep 60
[[ -n ${FAIL:-} && $* == *$FAIL* ]] && exit "${STATUS:-1}"
echo done
"""
SANITIZER = """#!/usr/bin/env bash
[[ ${FAIL:-} == "$2" ]] && exit 1
[[ "$1 $3 $4" == "--tool --error-exitcode 1" ]] && shift 4 && exec "$@"
"""


def check(folder: Path, *arguments: str, **settings: str) -> tuple[int, dict[str, str], list[str]]:
    """Exit status, result by step, and what Python was asked for."""
    if not SCRIPT.is_file():
        pytest.skip(f"{SCRIPT} is not here: the package is installed without its source")
    for name, text in (("python", PYTHON), ("compute-sanitizer", SANITIZER)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    own = {"PYTHON": str(folder / "python"), "OUT": str(folder / "report"), "CALLS": str(folder / "calls")}
    environment = os.environ | own | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"} | settings
    done = subprocess.run(["bash", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True)
    table = folder / "report" / "results.txt"
    lines = table.read_text().splitlines() if table.is_file() else []
    assert all(line in done.stdout for line in lines)
    results = {line[:12].strip(): line[13:23].strip() for line in lines}
    calls = (folder / "calls").read_text().splitlines() if (folder / "calls").is_file() else []
    return done.returncode, results, calls


def test_device_check_runs_every_step(tmp_path: Path) -> None:
    status, results, calls = check(tmp_path)
    assert results == dict.fromkeys(STEPS, "passed")
    assert status == 0
    assert [call for call in calls if "setup.py" in call] == []
    assert len([call for call in calls if "required=cuda -m pytest" in call and "-k cuda or device" in call]) == 1
    cases = [call.split()[0] for call in calls if "benchmarks.device_cases --device cuda" in call]
    assert cases == ["caching=1", "caching=", "caching="]


@pytest.mark.parametrize(
    ("fail", "failed"),
    [("device_environment", ["environment"]), ("-m pytest", ["suite"]), ("device_bench", ["quick", "bench"]),
     ("device_cases", ["memcheck", "racecheck", "synccheck"]), ("racecheck", ["racecheck"])],
)  # fmt: skip
def test_device_check_tells_what_failed(tmp_path: Path, fail: str, failed: list[str]) -> None:
    """And goes on with the rest."""
    status, results, _ = check(tmp_path, FAIL=fail)
    assert results == {name: "failed" if name in failed else "passed" for name in STEPS}
    assert status == 1


@pytest.mark.parametrize(("code", "built"), [("1", 1), ("3", 0)])
def test_device_check_builds_what_does_not_load(tmp_path: Path, code: str, built: int) -> None:
    """But not where there is no GPU; without the libraries nothing else is tried."""
    status, results, calls = check(tmp_path, FAIL="has_cuda", STATUS=code)
    assert results == {"environment": "passed", "libraries": "failed"} | dict.fromkeys(STEPS[2:], "skipped")
    assert status == 1
    assert len([call for call in calls if "setup.py" in call]) == built


def test_device_check_keeps_to_its_time(tmp_path: Path) -> None:
    status, results, _ = check(tmp_path, SLOW="-m pytest", DEVICE_CHECK_SECONDS="7")
    assert results == dict.fromkeys(STEPS[:3], "passed") | dict.fromkeys(STEPS[3:], "timed out")
    assert status == 1


def test_device_check_refuses_unknown_arguments(tmp_path: Path) -> None:
    assert check(tmp_path, "--quick") == (2, {}, [])


def module(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    path = os.pathsep.join([str(ROOT), str(ROOT / "python")])
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)


def test_device_cases_run() -> None:
    done = module("device_cases", "--device", "cpu", "--quick")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("6 of 6 ran\n")


def test_device_bench_writes_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bench.json"
    given = ["--device", "cpu", "--quick", "--no-compile", "--repeats", "3", "--json", str(path)]
    monkeypatch.setattr(sys, "argv", ["device_bench", *given])
    monkeypatch.setattr(ceilings, "LARGEST", 2**20)  # no large rotation: what is tested is not time
    device_bench.main()
    report = json.loads(path.read_text())
    assert report["environment"]["device"] == "cpu"
    assert report["complete"]
    assert report["ceilings"]["copy"] > 0
    assert {case["room"] for case in report["cases"]} == {"visibility", "warp"}
    compared = [case for case in report["cases"] if case["options"].get("visibility") == "none"]
    assert compared
    assert all(case["difference_to_baseline"] < 1e-3 for case in compared)
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(report["cases"])


def test_device_bench_begins_with_the_dearest_cases() -> None:
    """Time may run out; the baseline is measured in each."""
    cases = device_bench.cases(quick=False)
    assert [case.sizes["B"] for case in cases] == sorted((case.sizes["B"] for case in cases), reverse=True)
    warps = {(case.sizes["B"], case.sizes["P"], case.sizes["K"]) for case in cases if case.room == "warp"}
    assert warps == {(B, side, K) for B in (1, 64) for side in (112, 224) for K in (10, 60, 199)}
    first = cases[:5]
    assert {case.room for case in first} == {"visibility", "warp"}
    assert all((case.sizes["B"], case.sizes["P"]) == (64, 224) for case in first)


def test_device_environment_is_written(tmp_path: Path) -> None:
    path = tmp_path / "environment.json"
    done = module("device_environment", str(path))
    assert done.returncode == 0, done.stderr
    assert {"date", "commit", "gpus", "nvcc", "torch", "torch_cuda"} <= set(json.loads(path.read_text()))
