"""Proves a wheel: for each Python a clean environment, in it the operator tests, the doctor and a benchmark.

    python tests/prove_wheel.py --folder build/wheel-proof [--torch torch==2.10.0] dist/*.whl [PYTHON ...]

Without PYTHON, every other Python 3.10 to 3.14 on PATH or under ~/.pyenv/versions. PyTorch comes from pip's index,
which may bring several gigabytes of CUDA libraries; an environment is deleted as soon as it has proven the wheel.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOMS = ["pose", "vertices", "project", "grid", "sample", "visibility", "rasterize", "warp", "losses", "package"]

FACTS = """
import platform, stn3dmm_cuda, sys, torch
from stn3dmm_cuda import _library
assert stn3dmm_cuda.__file__.startswith(sys.prefix), stn3dmm_cuda.__file__
built = {built}
assert _library.cuda_built() == built
assert _library.CUDA_LOADED == (built and torch.version.cuda is not None), _library.CUDA_ERROR
state = f"loaded, {{_library.cuda_build()}}" if _library.CUDA_LOADED else "not loaded"
print(f"Python {{platform.python_version()}}, PyTorch {{torch.__version__}}, CUDA library {{state}}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("python", nargs="*", help="paths of interpreters")
    parser.add_argument("--folder", type=Path, required=True, help="for the environments")
    parser.add_argument("--torch", default="torch", help="requirement for pip, torch==2.10.0 for instance")
    parser.add_argument("--constraints", type=Path, help="for pip")
    arguments = parser.parse_args()
    if not arguments.wheel.is_file():
        parser.error(f"{arguments.wheel} is not here. Run make wheel first.")
    pythons = arguments.python or find_pythons()
    print(f"wheel-proof: {arguments.wheel.name} with {', '.join(pythons) or 'no Python: none but this was found'}")
    if not pythons:
        sys.exit(1)
    requirements = [str(arguments.wheel.resolve()), arguments.torch, "pytest", "hypothesis"]
    if arguments.constraints:
        requirements += ["--constraint", str(arguments.constraints.resolve())]
    outcomes = [prove(python, requirements, arguments.folder.resolve(), arguments.wheel) for python in pythons]
    print("\n".join(f"wheel-proof: proven with {outcome}" for outcome in outcomes))


def find_pythons() -> list[str]:
    """One for each minor version but this one's."""
    found = []
    for minor in [minor for minor in range(10, 15) if minor != sys.version_info.minor]:
        candidates = [shutil.which(f"python3.{minor}")]
        candidates += map(str, sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3"), reverse=True))
        found += [path for path in candidates if path and works(path, minor)][:1]
    return found


def works(python: str, minor: int) -> bool:
    """Some commands of that name only say that their version is not chosen."""
    code = f"import sys, venv; sys.exit(sys.version_info[:2] != (3, {minor}))"
    return subprocess.run([python, "-c", code], capture_output=True).returncode == 0


def prove(python: str, requirements: list[str], folder: Path, wheel: Path) -> str:
    """The versions that the wheel was proven with. Ends the program if it fails."""
    environment = folder / "environment"
    shutil.rmtree(environment, ignore_errors=True)
    run([python, "-m", "venv", str(environment)], folder.parent)
    own = str(environment / "bin" / "python")
    run([own, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *requirements], environment)
    built = any(Path(name).name.startswith("_cuda.") for name in zipfile.ZipFile(wheel).namelist())
    code = FACTS.format(built=built)
    facts = subprocess.run([own, "-c", code], check=True, cwd=environment, capture_output=True, text=True).stdout
    print(f"wheel-proof: {facts.strip()}", flush=True)
    tests = [str(path) for path in (TESTS / f"test_{room}.py" for room in ROOMS) if path.is_file()]
    run([own, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", *tests], environment)
    run([str(environment / "bin" / "stn3dmm"), "doctor"], environment)
    run([str(environment / "bin" / "stn3dmm"), "bench", "pose", "--quick", "--no-compile"], environment)
    shutil.rmtree(environment)
    return facts.strip()


def run(command: list[str], folder: Path) -> None:
    """Whatever a session of development demands does not hold in a clean environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STN3DMM_", "PYTHON"))}
    if subprocess.run(command, cwd=folder, env=clean).returncode != 0:
        sys.exit(f"wheel-proof: failed: {' '.join(command)}")


if __name__ == "__main__":
    main()
