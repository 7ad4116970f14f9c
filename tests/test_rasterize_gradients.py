"""rasterize differentiated: against the reference, finite differences and by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stn3dmm_cuda import grid_faces, reference

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import crumpled, random
from .test_rasterize import DTYPES, GRID, IMAGE, call_of, scene


def gradients_call(call: Call) -> Call:
    """Without the face, which has no gradient and no tolerance."""
    function = call.function
    return Call(lambda *arguments: function(*arguments)[1:], call.arguments, call.learnt, call.batched)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_gradient_matches_reference(backend: Backend, dtype: torch.dtype) -> None:
    def expected(points: torch.Tensor, faces: torch.Tensor) -> Any:
        return reference.rasterize(points.cpu(), faces.cpu(), IMAGE)[1:]

    call = gradients_call(call_of(backend))
    assert torch.equal(*(scene(3, dtype).double() for dtype in DTYPES))
    faces = [reference.rasterize(scene(3, dtype), grid_faces(GRID), IMAGE).face for dtype in DTYPES]
    assert torch.equal(*faces), "a pixel on an edge would compare two faces"
    properties.matches_reference(call, expected, "rasterize", dtype)


def few_faces(backend: Backend) -> Call:
    points = crumpled(2, 3, 4, seed=2) * torch.tensor([3.7, 3.9, 2.0]) - torch.tensor([1.3, 1.6, 0.0])
    faces = grid_faces((3, 4), backend.device)

    def function(points: torch.Tensor, faces: torch.Tensor) -> Any:
        return backend.operators.rasterize(points, faces, (7, 9))

    return Call(function, (points.to(backend.device), faces), learnt=(0,), batched=(0,))


def test_rasterize_gradcheck(backend: Backend) -> None:
    call = few_faces(backend)
    face, *_ = call.outputs()
    assert (face >= 0).float().mean() > 0.5
    properties.gradcheck(gradients_call(call))


@pytest.mark.parametrize("part", ["barycentric", "depth"])
def test_rasterize_gradcheck_of_one_result(backend: Backend, part: str) -> None:
    """The gradient to the other one is missing then."""
    call = few_faces(backend)
    properties.gradcheck(Call(lambda *arguments: getattr(call.function(*arguments), part), call.arguments, (0,), (0,)))


def test_rasterize_known_gradient(backend: Backend) -> None:
    """docs/math.md#rasterize, for the plane depth = x / 2 + y at the pixel (1, 1): lambda = (1/2, 1/4, 1/4)."""
    corners = torch.tensor([[[0.0, 0, 0], [4, 0, 2], [0, 4, 4]]], dtype=torch.float64, device=backend.device)
    faces = torch.tensor([[0, 1, 2]], device=backend.device)
    points = corners.requires_grad_()
    fragments = backend.operators.rasterize(points, faces, (3, 3))
    (grad,) = torch.autograd.grad(fragments.depth[0, 1, 1], points)
    assert fragments.depth[0, 1, 1] == 1.5
    shares = torch.tensor([[0.5], [0.25], [0.25]], dtype=torch.float64)
    assert torch.equal(grad[0].cpu(), shares * torch.tensor([-0.5, -1.0, 1.0], dtype=torch.float64))


def test_rasterize_face_has_no_gradient(backend: Backend) -> None:
    call = call_of(backend)
    fragments = call.function(*call.leaves())
    assert not fragments.face.requires_grad
    assert fragments.barycentric.requires_grad
    assert fragments.depth.requires_grad


def test_rasterize_deterministic_sums_survive_a_sliver(backend: Backend) -> None:
    """Its gradient, one over its area, is 1e14 times the other triangle's, which keeps its digits all the same."""
    sliver = [[9.0, 3.0, 1.0], [13.0, 3.0, 5.0], [11.0, 3.0 + 2.0**-21, 2.0]]
    points = torch.tensor([[[0.0, 0.0, 1.0], [7.0, 0.5, 2.0], [1.0, 7.0, 3.0], *sliver]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    face = torch.full((1, 8, 16), -1)
    face[0, 1:5, 1:3] = 0
    face[0, 3, 9:13] = 1
    barycentric, grad = (random(1, 8, 16, 3, seed=seed).abs() for seed in (0, 1))
    grad[face == 1] *= 2.0**30

    def gradient(dtype: torch.dtype) -> torch.Tensor:
        floats = [tensor.to(backend.device, dtype) for tensor in (grad, points, barycentric)]
        indices = [tensor.to(backend.device) for tensor in (faces, face)]
        result: torch.Tensor = backend.library.rasterize_backward(floats[0], None, floats[1], *indices, floats[2], True)
        return result.cpu().double()[0]

    actual, expected = gradient(torch.float32), gradient(torch.float64)
    assert expected[3:].abs().max() > 1e12 * expected[:3].abs().max()
    assert ((actual - expected)[:3, :2].abs() <= 1e-5 * expected[:3, :2].abs()).all()
