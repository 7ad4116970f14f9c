"""warp of nothing: no images, no vertices, no modes, no channels, no landmarks."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch

from .backends import Backend
from .scenes import SMALL, photographed

WITHOUT_CHANNELS = """
import sys
import torch
sys.path.append(sys.argv[1])
from tests.backends import BACKENDS
backend = BACKENDS[sys.argv[2]].create()
device, operators = backend.device, backend.operators
image = torch.zeros(2, 0, 4, 5, device=device, requires_grad=True)
theta = torch.zeros(2, 6, device=device, requires_grad=True)
mean, basis = torch.zeros(6, 3, device=device), torch.zeros(0, 6, 3, device=device)
for visibility in ("hard", "none"):
    result = operators.warp(image, theta, mean, basis, (2, 3), visibility=visibility)
    grads = torch.autograd.grad(result.texture.sum(), (image, theta))
    print(tuple(result.texture.shape), tuple(grads[0].shape), grads[1].any().item())
"""


@pytest.mark.parametrize("visibility", ["hard", "none"])
@pytest.mark.parametrize(("B", "P", "K"), list(product((0, 2), (0, 5), (0, 3))))
def test_warp_empty(backend: Backend, B: int, P: int, K: int, visibility: str) -> None:
    scene = photographed(backend, SMALL._replace(B=max(B, 1), P=P, K=K), torch.float32)
    image, theta = scene.image[:B].requires_grad_(), scene.theta[:B].requires_grad_()
    no_landmarks = torch.zeros(0, dtype=torch.int64, device=backend.device)
    result = backend.operators.warp(
        image, theta, scene.mean, scene.basis, scene.grid_shape, visibility=visibility, landmarks=no_landmarks
    )
    assert result.texture.shape == (B, SMALL.C, P, SMALL.Q)
    assert result.mask.shape == (B, 1, P, SMALL.Q)
    assert result.landmarks.shape == (B, 0, 2)
    grad_image, grad_theta = torch.autograd.grad(result.texture.sum() + result.landmarks.sum(), (image, theta))
    assert grad_image.shape == image.shape
    assert grad_theta.shape == theta.shape
    assert bool(grad_theta.any()) == bool(grad_image.any()) == (B > 0 and P > 0)


def test_warp_without_channels(backend: Backend) -> None:
    """In a process of its own: a division by C would end this one."""
    root = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", WITHOUT_CHANNELS, root, backend.name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-500:]}"
    assert done.stdout.splitlines() == ["(2, 0, 2, 3) (2, 0, 4, 5) False"] * 2


def test_warp_landmarks_of_no_vertices(backend: Backend) -> None:
    scene = photographed(backend, SMALL._replace(P=0), torch.float32)
    index = torch.tensor([0, -1], device=backend.device)
    landmarks = backend.operators.warp(*scene.tensors(), scene.grid_shape, landmarks=index).landmarks
    assert landmarks.shape == (2, 2, 2)
    assert landmarks.isnan().all()
