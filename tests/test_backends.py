"""Which backends this machine has; the operator suite runs on each of them."""

from __future__ import annotations

import pytest
import torch

from .backends import BACKENDS, Backend, UnavailableError


@pytest.mark.parametrize("name", list(BACKENDS))
def test_backend_is_available(name: str) -> None:
    """Skipped, with the reason, where the operator suite leaves a backend out."""
    try:
        found = BACKENDS[name]()
    except UnavailableError as reason:
        pytest.skip(str(reason))
    assert found.name == name


def test_backend_keeps_tensors_on_its_device(backend: Backend) -> None:
    """A suite that silently ran elsewhere would prove nothing about this backend."""
    rotation = backend.operators.pose(torch.zeros(1, 6, device=backend.device)).rotation
    assert rotation.device.type == backend.device.type
