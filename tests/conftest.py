"""What all tests share: backends, real data, seeds."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from hypothesis import settings

from .backends import BACKENDS, Backend, available
from .cuda_builds import load_build_cuda
from .stn3dmm.conftest import basel, embedded, real_data

__all__ = ["basel", "embedded", "real_data"]

# The same examples on every machine and in every run; a slow machine is no failure.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")


@pytest.fixture(params=available(), scope="session")
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend that this machine has, in turn; test_backends.py skips, and says why, for the others."""
    return BACKENDS[request.param].create()


@pytest.fixture(scope="session")
def emulated() -> Backend:
    """For what is asked of the emulated backend alone."""
    lacking = BACKENDS["emulated"].missing()
    if lacking is not None:
        pytest.skip(f"emulated: {lacking}")
    return BACKENDS["emulated"].create()


@pytest.fixture(scope="session")
def build_cuda() -> ModuleType:
    """csrc/build_cuda.py."""
    return load_build_cuda()


@pytest.fixture(autouse=True)
def seeds() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def settings_restored() -> Iterator[None]:
    """A failing test must not leave its thread count or its determinism to the next one."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
