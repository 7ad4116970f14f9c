"""The reference of rasterize against cases by hand, a ray caster written otherwise, and finite differences."""

from __future__ import annotations

import sys

import pytest
import torch

from stn3dmm_cuda import grid_faces, reference

from .meshes import joined, sheet, sphere
from .test_rasterize import GRID, IMAGE, scene

DTYPES = [torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_reference_by_hand(dtype: torch.dtype) -> None:
    """Half a square of 2 pixels, depth rising to the right."""
    points = torch.tensor([[[1.0, 1, 0], [1, 3, 0], [3, 1, 8]]], dtype=dtype)
    face, barycentric, depth = reference.rasterize(points, torch.tensor([[0, 1, 2]]), (4, 4))
    assert (face >= 0).nonzero().tolist() == [[0, 1, 1], [0, 1, 2], [0, 2, 1]]
    assert barycentric[face >= 0].tolist() == [[1, 0, 0], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    assert depth[face >= 0].tolist() == [0, 4, 0]
    assert not barycentric[face < 0].any()
    assert not depth[face < 0].any()


def cast(points: torch.Tensor, faces: torch.Tensor, x: int, y: int) -> tuple[int, float]:
    """The nearest face at a pixel, -1 if none, and its depth, by solving for the barycentrics."""
    corners = points[faces].clone()
    depths = corners[..., 2].clone()
    corners[..., 2] = 1
    target = torch.tensor([x, y, 1.0], dtype=points.dtype)
    usable = torch.linalg.det(corners).abs() > 1e-12
    shares = torch.linalg.solve(corners[usable].transpose(1, 2), target.expand(int(usable.sum()), 3))
    inside = (shares > 0).all(dim=1)
    if not inside.any():
        return -1, 0.0
    depth = (shares * depths[usable]).sum(dim=1)[inside]
    index = usable.nonzero().flatten()[inside]
    return int(index[depth.argmax()]), float(depth.max())


@pytest.mark.parametrize("seed", range(3))
def test_rasterize_reference_matches_a_ray_caster(seed: int) -> None:
    """Where no pixel lies on an edge."""
    points, faces = scene(1, torch.float64, seed), grid_faces(GRID)
    face, _, depth = reference.rasterize(points, faces, IMAGE)
    assert (face >= 0).float().mean() > 0.5
    for y in range(IMAGE[0]):
        for x in range(IMAGE[1]):
            expected, at = cast(points[0], faces, x, y)
            assert face[0, y, x] == expected
            assert depth[0, y, x] == pytest.approx(at, abs=1e-9)


def test_rasterize_reference_gradcheck() -> None:
    points, faces = scene(2, torch.float64).requires_grad_(), grid_faces(GRID)
    assert torch.autograd.gradcheck(lambda p: reference.rasterize(p, faces, (5, 6))[1:], (points,))


def test_rasterize_reference_keeps_the_gradient_of_a_flat_face() -> None:
    """Of corners at one depth rounding may leave the plane, and clamping there must not lose the gradient."""
    points, faces = sheet(0.3, 7.9, 1 / 3)
    leaf = points[None].requires_grad_()
    depth = reference.rasterize(leaf, faces, (8, 8)).depth
    (grad,) = torch.autograd.grad(depth.sum(), leaf)
    assert grad[..., 2].sum().item() == pytest.approx((depth > 0).sum().item())


def test_rasterize_reference_draws_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few faces at once, or all: the same, ties included."""
    mesh = joined(sphere(6.0, (8.0, 8.0, 0.0)), sheet(2, 14, 0.0), sheet(2, 14, 0.0))
    points, faces = mesh[0][None], mesh[1]
    whole = reference.rasterize(points, faces, (17, 17))
    module = sys.modules["stn3dmm_cuda.reference.rasterize"]  # the package has the function under this name
    monkeypatch.setattr(module, "TESTS_AT_ONCE", 3 * 17 * 17)
    for one, other in zip(reference.rasterize(points, faces, (17, 17)), whole, strict=True):
        assert torch.equal(one, other)
