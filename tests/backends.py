"""Where the operators run: one test body serves every backend.

Another backend is one more entry of BACKENDS.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

import stn3dmm_cuda

from .emulator import build
from .emulator.operators import PACKAGE, controls, operators

# Whether this is make sanitize-cpu, under which the kernels take time of their own.
SANITIZED = os.environ.get("STN3DMM_SANITIZE") == "address"


@dataclass(frozen=True)
class Backend:
    """A device and the operators that run on it."""

    name: str
    device: torch.device
    operators: Any = stn3dmm_cuda  # the Python functions: operators.pose(theta)
    library: Any = torch.ops.stn3dmm  # the registered operators beneath them: library.pose_backward
    # Whether the gradient to an image is summed in one order even without deterministic algorithms.
    ordered_sums: bool = True
    launches: Callable[[], int] | None = None  # how many kernels were launched so far, where that is counted

    def __str__(self) -> str:
        return self.name

    def make_repeatable(self) -> None:
        """For the rest of a test, gradients to an image may be compared bitwise."""
        torch.use_deterministic_algorithms(not self.ordered_sums)


def cpu() -> Backend:
    return Backend("cpu", torch.device("cpu"))


@functools.cache
def emulated() -> Backend:
    """The CUDA kernels on CPU tensors (tests/emulator)."""
    return Backend(
        "emulated",
        torch.device("cpu"),
        operators(),
        getattr(torch.ops, PACKAGE),
        ordered_sums=False,
        launches=lambda: int(controls().launches()),
    )


def cuda() -> Backend:
    return Backend("cuda", torch.device("cuda"), ordered_sums=False)


def what_cuda_lacks() -> str | None:
    return None if stn3dmm_cuda.has_cuda() else "stn3dmm_cuda.has_cuda() is False (no CUDA library, or no device)"


@dataclass(frozen=True)
class Source:
    """Where a backend comes from."""

    create: Callable[[], Backend]  # may take minutes
    missing: Callable[[], str | None] = lambda: None  # what this machine or this build lacks for it


BACKENDS: dict[str, Source] = {
    "cpu": Source(cpu),
    "emulated": Source(emulated, build.what_is_missing),
    "cuda": Source(cuda, what_cuda_lacks),
}


def available() -> list[str]:
    """The backends of this machine."""
    return [name for name, source in BACKENDS.items() if source.missing() is None]


def required() -> set[str]:
    """Those that may not be left out: STN3DMM_REQUIRE_BACKENDS=cpu,emulated."""
    return {name.strip() for name in os.environ.get("STN3DMM_REQUIRE_BACKENDS", "").split(",")} - {""}
