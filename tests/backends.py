"""Where the operators run: one test body serves every backend.

Another backend is one more entry of BACKENDS: a function that returns it, or raises UnavailableError with the reason.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

import stn3dmm_cuda


class UnavailableError(Exception):
    """This machine or this build lacks the backend; the message says what is missing."""


@dataclass(frozen=True)
class Backend:
    """A device and the operators that run on it."""

    name: str
    device: torch.device
    operators: Any = stn3dmm_cuda  # the Python functions: operators.pose(theta)
    library: Any = torch.ops.stn3dmm  # the registered operators beneath them: library.pose_backward

    def __str__(self) -> str:
        return self.name


def cpu() -> Backend:
    return Backend("cpu", torch.device("cpu"))


def cuda() -> Backend:
    if not stn3dmm_cuda.has_cuda():
        raise UnavailableError("cuda: stn3dmm_cuda.has_cuda() is False (no CUDA library, or no device)")
    return Backend("cuda", torch.device("cuda"))


BACKENDS: dict[str, Callable[[], Backend]] = {"cpu": cpu, "cuda": cuda}


def available() -> list[Backend]:
    """The backends of this machine."""
    found = []
    for create in BACKENDS.values():
        with contextlib.suppress(UnavailableError):
            found.append(create())
    return found
