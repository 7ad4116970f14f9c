"""The emulated operators are the real ones: the same schemas, their own kernels, and launches that may fail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from .backends import Backend
from .cases import CASES, LEFT_TO_THE_LIBRARY
from .emulator import build
from .emulator.operators import PACKAGE, controls
from .properties import as_tuple, weighting
from .test_package import OPERATORS

# cudaError_t, and a part of what the user reads.
FAILURES = [
    (2, "CUDA reports: out of memory"),
    (35, "The NVIDIA driver is older than the CUDA toolkit"),
    (98, "do not run on this GPU. Rebuild with STN3DMM_CUDA_ARCHITECTURES"),
    (100, "No GPU is visible to this process"),
    (209, "do not run on this GPU. Rebuild with STN3DMM_CUDA_ARCHITECTURES"),
    (222, "The NVIDIA driver is older than the CUDA toolkit"),
    (500, "do not run on this GPU. Rebuild with STN3DMM_CUDA_ARCHITECTURES"),
    (
        700,
        "illegal memory access was encountered (perhaps of an earlier kernel: run again with CUDA_LAUNCH_BLOCKING=1)",
    ),
    (719, "unspecified launch failure (perhaps of an earlier kernel: run again with CUDA_LAUNCH_BLOCKING=1)"),
]


def schemas(namespace: str) -> set[str]:
    found = {str(schema) for schema in torch._C._jit_get_all_schemas()}
    return {text.removeprefix(f"{namespace}::") for text in found if text.startswith(f"{namespace}::")}


def test_emulated_schemas_are_the_real_ones(emulated: Backend) -> None:
    real = {text for text in schemas("stn3dmm") if not text.startswith("cuda_build")}
    assert schemas(PACKAGE) == real
    assert len(real) > len(OPERATORS)


def test_emulated_variant_is_the_chosen_one(emulated: Backend) -> None:
    assert controls().variant() == build.chosen_variant()


@pytest.mark.parametrize("operator", OPERATORS)
def test_emulated_operators_have_every_kernel(emulated: Backend, operator: str) -> None:
    name = f"{PACKAGE}::{operator}"
    for key in ("CPU", "AutogradCPU", "AutocastCPU"):
        has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
        assert has_kernel(name, key) or (key == "AutogradCPU" and has_kernel(name, "Autograd")), key


@pytest.mark.parametrize("name", list(CASES))
def test_emulated_calls_launch_kernels(emulated: Backend, name: str) -> None:
    """Forward and backward each; a stand-in on the CPU would pass every other test."""
    assert emulated.launches is not None
    call = CASES[name](emulated, torch.float32)
    leaves = call.leaves()
    start = emulated.launches()
    outputs = as_tuple(call.function(*leaves))
    middle = emulated.launches()
    assert (middle == start) == (name in LEFT_TO_THE_LIBRARY)
    if call.learnt:
        torch.autograd.grad(weighting(outputs), [leaves[i] for i in call.learnt])
        assert emulated.launches() > middle


def test_emulated_cases_reach_every_kernel(emulated: Backend) -> None:
    """So that each is run in several orders, and under the sanitizers."""
    defined = set()
    for source in Path(build.ROOT / "csrc").glob("*/*_cuda.cu"):
        defined |= set(re.findall(r"__global__[^;{]*?\b(\w+_kernel)\(", source.read_text()))
    assert "grid_kernel" in defined
    for deterministic in (False, True):
        torch.use_deterministic_algorithms(deterministic)
        for case in CASES.values():
            for dtype in (torch.float32, torch.float64):
                case(emulated, dtype).gradients()
    run = " ".join(controls().kernels())
    assert [name for name in sorted(defined) if not re.search(rf"\b{name}\b", run)] == []


@pytest.mark.parametrize(("status", "message"), FAILURES)
def test_emulated_launch_that_fails_is_explained(emulated: Backend, status: int, message: str) -> None:
    """By the reason and the remedy, each with one full stop, and the next call works."""
    points = torch.zeros(1, 6, 3)
    controls().fail_next_launch(status)
    with pytest.raises(RuntimeError, match=f"grid: .*{re.escape(message)}") as caught:
        emulated.operators.grid(points, (2, 3), (4, 5))
    assert ".." not in str(caught.value)
    assert emulated.operators.grid(points, (2, 3), (4, 5)).shape == (1, 2, 3, 2)
