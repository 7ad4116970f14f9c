"""Where the CUDA library and the module that builds it are, for the tests of both."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

import stn3dmm_cuda

PACKAGE = Path(stn3dmm_cuda.__file__).parent
ROOT = PACKAGE.parent


def missing(what: str) -> None:
    """Skips aloud, or fails where the CUDA library is demanded."""
    if os.environ.get("STN3DMM_WITH_CUDA") == "1":
        pytest.fail(f"STN3DMM_WITH_CUDA=1, but {what}. Run make build.")
    pytest.skip(what)


@functools.cache
def load_build_cuda() -> ModuleType:
    """csrc/build_cuda.py."""
    path = ROOT / "csrc" / "build_cuda.py"
    if not path.is_file():
        pytest.skip(f"{path} is not here: the package is installed without its source")
    spec = importlib.util.spec_from_file_location("build_cuda", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_cuda"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
