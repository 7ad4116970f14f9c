"""Which backends this machine has; the operator suite runs on each of them."""

from __future__ import annotations

import pytest
import torch

from .backends import BACKENDS, Backend, required


@pytest.mark.parametrize("name", list(BACKENDS))
def test_backend_is_available(name: str) -> None:
    """Skipped, with the reason, where the operator suite leaves a backend out; a required one fails."""
    lacking = BACKENDS[name].missing()
    if lacking is not None and name in required():
        pytest.fail(f"STN3DMM_REQUIRE_BACKENDS asks for {name}: {lacking}")
    if lacking is not None:
        pytest.skip(f"{name}: {lacking}")
    assert BACKENDS[name].create().name == name


def test_backends_required_are_known() -> None:
    """A misspelt name would require nothing."""
    assert required() <= set(BACKENDS)


def test_backend_keeps_tensors_on_its_device(backend: Backend) -> None:
    """A suite that silently ran elsewhere would prove nothing about this backend."""
    points = backend.operators.grid(torch.zeros(1, 6, 3, device=backend.device), (2, 3), (4, 5))
    assert points.device.type == backend.device.type
