"""STN3DMM_SANITIZE: what setup.py makes of it, and that `make sanitize-cpu` tests what it has built."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .backends import SANITIZED
from .cuda_builds import PACKAGE

ROOT = Path(__file__).parents[1]

PLAN = """
import json, sys
from distutils.core import run_setup
from setuptools import Extension  # takes the place of distutils
distribution = run_setup("setup.py", ["--quiet", "build"], stop_after="commandline")
library = distribution.ext_modules[0]
folders = distribution.get_command_obj("build")
folders.ensure_finalized()
print(json.dumps([library.extra_compile_args["cxx"], library.extra_link_args, folders.build_lib]))
"""


def python(*arguments: str, sanitizer: str) -> subprocess.CompletedProcess[str]:
    """In the folder of setup.py."""
    if not (ROOT / "setup.py").is_file():
        pytest.skip(f"{ROOT / 'setup.py'} is not here: the package is installed without its source")
    environment = os.environ | {"STN3DMM_SANITIZE": sanitizer, "STN3DMM_WITH_CUDA": "0"}
    return subprocess.run([sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("sanitizer", ["", "address"])
def test_sanitize_is_for_compiler_and_linker(sanitizer: str) -> None:
    """And its library has a folder of its own."""
    done = python("-c", PLAN, sanitizer=sanitizer)
    assert done.returncode == 0, done.stderr
    compiler, linker, folder = json.loads(done.stdout.splitlines()[-1])
    for flags in (compiler, linker):
        found = {name for flag in flags if flag.startswith("-fsanitize=") for name in flag.split("=")[1].split(",")}
        assert found == ({"address", "undefined", "float-cast-overflow"} if sanitizer else set())
        assert ("-fno-sanitize-recover=all" in flags) == bool(sanitizer)
    assert Path(folder).is_relative_to("build/sanitized") == bool(sanitizer)


def test_sanitize_replaces_no_ordinary_library() -> None:
    before = {path: path.stat().st_mtime_ns for path in PACKAGE.glob("_*.so")}
    done = python("setup.py", "--quiet", "build_ext", "--inplace", sanitizer="address")
    assert done.returncode == 1
    assert "setup.py: with STN3DMM_SANITIZE nothing is built in place" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in PACKAGE.glob("_*.so")} == before


def test_sanitize_rejects_another_name() -> None:
    done = python("setup.py", "--version", sanitizer="memory")
    assert done.returncode == 1
    assert "STN3DMM_SANITIZE must be address or unset; got memory" in done.stderr


def test_sanitize_of_the_cpu_library_is_as_asked() -> None:
    """`make sanitize-cpu` selects this test too, and asks for a sanitized one."""
    libraries = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/_cpu." in line}
    assert len(libraries) == 1
    sanitized = b"__asan_init" in Path(libraries.pop()).read_bytes()
    assert sanitized == SANITIZED
