"""The wheel has what `stn3dmm bench` runs, under the name that the command imports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.suite import ROOMS

ROOT = Path(__file__).parent.parent.parent

IMPORTS = """
import sys
sys.path.insert(0, sys.argv[1])
import stn3dmm_benchmarks
assert stn3dmm_benchmarks.__file__.startswith(sys.argv[1]), stn3dmm_benchmarks.__file__
from stn3dmm_benchmarks import command, compare, plots, suite, table
print(len(suite.chosen([], quick=False)))
assert "tests" not in sys.modules and "benchmarks" not in sys.modules
"""


def test_installed_modules_need_no_checkout(tmp_path: Path) -> None:
    """As setuptools copies them, with every room imported: none left out is needed."""
    if not (ROOT / "setup.py").is_file():
        pytest.skip(f"{ROOT} holds no setup.py: the package is installed without its source")
    copy, built = tmp_path / "source", tmp_path / "built"
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    for name in ("benchmarks", "stn3dmm_cuda", "python"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    (copy / "csrc").mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "csrc/build_cuda.py"):
        shutil.copy(ROOT / name, copy / name)
    build = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(built)]
    done = subprocess.run(build, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    modules = {path.stem for path in (built / "stn3dmm_benchmarks").iterdir()}
    assert {f"bench_{room}" for room in ROOMS} <= modules
    assert not {"ablation", "pose_recovery", "device_bench", "visibility_agreement", "results"} & modules
    path = os.pathsep.join([str(ROOT), str(ROOT / "python")])  # the operators of this checkout, which are compiled
    command = [sys.executable, "-c", IMPORTS, str(built)]
    shutil.rmtree(built / "stn3dmm")
    shutil.rmtree(built / "stn3dmm_cuda")
    ran = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 100
