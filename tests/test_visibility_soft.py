"""Soft visibility: values, winners and gradients, and what every operator with a gradient must do."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch

import stn3dmm_cuda
from stn3dmm_cuda import grid_faces, reference

from . import properties
from .backends import Backend
from .meshes import joined, sheet, spot
from .properties import Call
from .scenes import crumpled, random

DTYPES = [torch.float32, torch.float64]
GRID = (9, 10)
CLEAR = 1e-3  # pixels, far more than a finite difference moves a vertex


def call_of(
    backend: Backend,
    dtype: torch.dtype = torch.float64,
    B: int = 3,
    listed: torch.dtype | None = None,
    grid_shape: tuple[int, int] = GRID,
    seed: int = 0,
) -> Call:
    """The grid's own triangles, or with `listed` an integer dtype the same triangles as a tensor of it."""
    points = crumpled(B, *grid_shape, seed=seed, dtype=dtype).to(backend.device)
    soft = partial(backend.operators.visibility, mode="soft", tolerance=0.1, temperature=0.7)
    if listed is not None:
        faces = grid_faces(grid_shape, backend.device).to(listed)
        return Call(lambda p, f: soft(p, f), (points, faces), learnt=(0,), batched=(0,))
    return Call(lambda p: soft(p, grid_shape=grid_shape), (points,), learnt=(0,), batched=(0,))


def reference_of(grid_shape: tuple[int, int]) -> Any:
    def function(points: torch.Tensor, faces: torch.Tensor | None = None) -> torch.Tensor:
        topology = {"grid_shape": grid_shape} if faces is None else {"faces": faces}
        return reference.visibility(points, **topology, mode="soft", tolerance=0.1, temperature=0.7)

    return function


def winners(backend: Backend, points: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    visible, winner = backend.library.visibility(
        points.to(backend.device), faces.to(backend.device), 0, 0, "soft", 0.01, 1.0
    )
    assert ((visible > 0) | (winner < 0)).all()
    return winner.cpu()


@pytest.mark.parametrize("listed", [None, torch.int32, torch.int64])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("grid_shape", [(3, 40), (12, 13), (33, 31)], ids=str)
def test_soft_visibility_matches_reference(
    backend: Backend, grid_shape: tuple[int, int], dtype: torch.dtype, listed: torch.dtype | None
) -> None:
    call = call_of(backend, dtype, listed=listed, grid_shape=grid_shape, seed=4)
    properties.matches_reference(call, reference_of(grid_shape), "visibility", dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_visibility_winners_match_reference(backend: Backend, dtype: torch.dtype) -> None:
    """Ties go to the lowest face: whole numbers, where every depth is met more than once."""
    generator = torch.Generator().manual_seed(1)
    points = torch.randint(0, 7, (6, 40, 3), generator=generator).to(dtype)
    faces = torch.randint(-1, 41, (25, 3), generator=generator)
    faces = torch.cat((faces, faces[:10]))
    found = winners(backend, points, faces)
    exists = ((faces >= 0) & (faces < 40)).all(dim=1).nonzero().flatten()
    for b in range(6):
        own = faces[exists]
        area = reference.visibility.__globals__["_double_area"](points[b][own])
        _, winner = reference.visibility.__globals__["_occluder"](points[b], own, area != 0)
        facing = reference.visibility.__globals__["_facing"](points[b], own, area)
        expected = torch.where(facing & (winner < len(own)), exists[winner.clamp_max(len(own) - 1)], -1)
        assert torch.equal(found[b], expected)
    assert (found >= 0).any()


def test_soft_visibility_by_hand(backend: Backend) -> None:
    """Spots 3 pixels behind, 1 before and beside a sheet, and one that faces away."""
    away, turned = spot(7, 3, 0.0)
    points, faces = joined(sheet(0, 10, 0.0), spot(3, 7, -3.0), spot(5.5, 2, 1.0), spot(20, 20, 0.0), (away, turned))
    faces[-1] = faces[-1].flip(0)
    leaf = points[None].to(backend.device).requires_grad_()
    visible = backend.operators.visibility(leaf, faces.to(backend.device), mode="soft", tolerance=0.5, temperature=2.0)
    own = [4, 7, 10, 13]
    expected = [1 / (1 + math.exp(1.25)), 1 / (1 + math.exp(-0.75)), 1.0, 0.0]
    torch.testing.assert_close(visible[0, own].cpu(), torch.tensor(expected, dtype=torch.float64))
    assert visible[0, :4].tolist() == [1.0] * 4
    (grad,) = torch.autograd.grad(visible[0, own].sum(), leaf)
    grad = grad[0].cpu()
    slopes = [e * (1 - e) / 2 for e in expected[:2]]
    assert grad[4].tolist() == pytest.approx([0, 0, slopes[0]])
    assert grad[7].tolist() == pytest.approx([0, 0, slopes[1]])
    assert not grad[8:].any()
    assert grad[:4, 2].sum().item() == pytest.approx(-sum(slopes))
    # (3, 7) lies in the triangle of the corners (0, 10), (10, 0) and (10, 10) or in the other one: on the diagonal,
    # where the lower face wins, corners 0, 2 and 1; (5.5, 2) in the same.
    assert grad[:4, 2].tolist() == pytest.approx(
        [-0.25 * slopes[1], -0.3 * slopes[0] - 0.55 * slopes[1], -0.7 * slopes[0] - 0.2 * slopes[1], 0.0]
    )


def test_soft_visibility_follows_the_plane(backend: Backend) -> None:
    """Before a slope of 1, a step aside is a step in depth; the corners, moved along, undo it."""
    points, faces = joined(sheet(0, 10, 0.0), spot(3, 5, 4.0))
    points[:4, 2] = points[:4, 0]
    leaf = points[None].to(backend.device).requires_grad_()
    visible = backend.operators.visibility(leaf, faces.to(backend.device), mode="soft", tolerance=0.0)
    (grad,) = torch.autograd.grad(visible[0, 4], leaf)
    slope = math.exp(-1.0) / (1 + math.exp(-1.0)) ** 2
    assert grad[0, 4].tolist() == pytest.approx([-slope, 0.0, slope], abs=1e-12)
    assert grad[0, :4].sum(dim=0).tolist() == pytest.approx([slope, 0.0, -slope], abs=1e-12)


@pytest.mark.parametrize("listed", [None, torch.int64])
def test_soft_visibility_gradcheck(backend: Backend, listed: torch.dtype | None) -> None:
    """Where no vertex is near an edge of a triangle in its way, or between two that are equally deep."""
    call = call_of(backend, B=2, listed=listed, grid_shape=(4, 5), seed=2)
    points = call.arguments[0].cpu()
    for noise in range(3):
        moved = points + CLEAR * random(*points.shape, seed=noise)
        assert torch.equal(winners(backend, moved, grid_faces((4, 5))), winners(backend, points, grid_faces((4, 5))))
    properties.gradcheck(call)


@pytest.mark.parametrize("listed", [None, torch.int32, torch.int64])
def test_soft_visibility_opcheck(backend: Backend, listed: torch.dtype | None) -> None:
    points, *faces = call_of(backend, torch.float32, listed=listed).arguments
    P, Q = GRID if listed is None else (0, 0)
    arguments = (points.requires_grad_(), faces[0] if faces else None, P, Q, "soft", 0.01, 1.0)
    torch.library.opcheck(backend.library.visibility.default, arguments)
    visible, winner = backend.library.visibility(*arguments)
    backward = (torch.ones_like(visible).detach(), points.detach(), arguments[1], winner, P, Q, 0.01, 1.0)
    torch.library.opcheck(backend.library.visibility_backward.default, backward)


@pytest.mark.parametrize("listed", [None, torch.int64])
def test_soft_visibility_compiles(backend: Backend, listed: torch.dtype | None) -> None:
    properties.compiles(*(call_of(backend, torch.float32, B, listed) for B in (3, 5)))


@pytest.mark.parametrize("listed", [None, torch.int64])
def test_soft_visibility_exports(backend: Backend, listed: torch.dtype | None) -> None:
    properties.exports(*(call_of(backend, torch.float32, B, listed) for B in (3, 5)))


def test_soft_visibility_autocast(backend: Backend) -> None:
    properties.autocast(call_of(backend))


@pytest.mark.parametrize("listed", [None, torch.int32])
def test_soft_visibility_noncontiguous(backend: Backend, listed: torch.dtype | None) -> None:
    properties.noncontiguous(call_of(backend, torch.float32, listed=listed))


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_visibility_deterministic(backend: Backend, dtype: torch.dtype) -> None:
    """Gradients, too, on every backend and without asking for it; in parts, alone or in company."""
    call = call_of(backend, dtype, B=5)
    properties.deterministic(call)
    (points,) = call.arguments
    for b in range(5):
        (alone,) = call.on(points[b : b + 1]).outputs()
        assert torch.equal(alone[0], call.outputs()[0][b])


def test_soft_visibility_owns_its_outputs(backend: Backend) -> None:
    properties.owns_outputs(call_of(backend))


def test_soft_visibility_refuses_second_derivative(backend: Backend) -> None:
    properties.refuses_second_derivative(call_of(backend), "visibility")


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_visibility_tends_to_hard(backend: Backend, dtype: torch.dtype) -> None:
    points = crumpled(3, 12, 13, dtype=dtype).to(backend.device)
    hard = backend.operators.visibility(points, grid_shape=(12, 13))
    soft = backend.operators.visibility(points, grid_shape=(12, 13), mode="soft", temperature=1e-6)
    assert torch.equal(soft.round(), hard)
    assert ((soft - hard).abs() < 1e-3).all()


def test_soft_visibility_without_occluder(backend: Backend) -> None:
    """Exactly facing, with no gradient."""
    points, faces = joined(sheet(0, 10, 1e6, 3), spot(20, 20, -1e6))
    faces[-1] = faces[-1].flip(0)
    leaf = points[None].float().to(backend.device).requires_grad_()
    visible = backend.operators.visibility(leaf, faces.to(backend.device), mode="soft")
    assert visible.tolist() == [[1.0] * 9 + [0.0] * 3]
    (grad,) = torch.autograd.grad(visible.sum(), leaf)
    assert not grad.any()


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@pytest.mark.parametrize("axis", [0, 2])
def test_soft_visibility_of_a_vertex_that_is_not_finite(backend: Backend, axis: int, poison: float) -> None:
    points = crumpled(2, *GRID, dtype=torch.float32)
    points[0, ::7, axis] = poison
    expected = reference.visibility(points, grid_shape=GRID, mode="soft")
    leaf = points.to(backend.device).requires_grad_()
    visible = backend.operators.visibility(leaf, grid_shape=GRID, mode="soft")
    torch.testing.assert_close(visible.detach().cpu(), expected)
    (grad,) = torch.autograd.grad(visible.sum(), leaf)
    assert grad.isfinite().all()
    assert grad[1].any()
    alone = backend.operators.visibility(leaf[1:].detach(), grid_shape=GRID, mode="soft")
    assert torch.equal(alone[0], visible[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_visibility_empty(backend: Backend, dtype: torch.dtype) -> None:
    for B, N, grid_shape in ((0, 6, (2, 3)), (2, 0, (0, 3)), (2, 6, (1, 6))):
        points = torch.zeros(B, N, 3, dtype=dtype, device=backend.device, requires_grad=True)
        visible = backend.operators.visibility(points, grid_shape=grid_shape, mode="soft")
        assert visible.shape == (B, N)
        assert not visible.any()
        (grad,) = torch.autograd.grad(visible.sum(), points)
        assert grad.shape == (B, N, 3)
        assert not grad.any()


def test_soft_visibility_gradients_survive_a_sliver(backend: Backend) -> None:
    """Its slope is 1e15 times the others', which keep their digits all the same, far behind their occluder as well."""
    sliver = torch.tensor([[0.0, 0, 2], [2, 0, 2], [1, 2.0**-50, 6]], dtype=torch.float64)
    behind_sliver = torch.tensor([[1.0, 2.0**-51, 4], [1, 1, 4], [2, 2.0**-51, 4]], dtype=torch.float64)
    thin = torch.cat((sliver, behind_sliver)), torch.tensor([[0, 1, 2], [3, 4, 5]])
    slope = torch.tensor([[20.0, 20, 0], [20, 30, 1], [30, 20, 2]], dtype=torch.float64)
    ordinary = joined((slope, torch.tensor([[0, 1, 2]])), spot(22, 22, -1.0), spot(24, 22, -30.0))
    points, faces = joined(thin, ordinary)

    def gradient(dtype: torch.dtype) -> torch.Tensor:
        leaf = points.to(backend.device, dtype)[None].requires_grad_()
        visible = backend.operators.visibility(leaf, faces.to(backend.device), mode="soft")
        (grad,) = torch.autograd.grad(visible.sum(), leaf)
        return grad[0].cpu().double()

    actual, expected = gradient(torch.float32), gradient(torch.float64)
    others = expected[len(thin[0]) :]
    assert expected[3].abs().max() > 1e15 * others.abs().max()
    assert 0 < others[others != 0].abs().min() < 1e-13
    torch.testing.assert_close(actual[len(thin[0]) :], others, rtol=1e-4, atol=0.0)


@pytest.mark.parametrize(("dtype", "power"), [(torch.float32, 10), (torch.float64, 80)])
def test_soft_visibility_gradients_of_a_plane_whose_products_overflow(
    backend: Backend, dtype: torch.dtype, power: int
) -> None:
    """Each axis in a unit of its own: depths times widths overflow, the plane's slopes do not."""
    points = crumpled(2, *GRID, dtype=dtype)
    unit = torch.tensor([2.0 ** (10 * power), 2.0 ** (-7 * power), 2.0 ** (4 * power)], dtype=dtype)
    assert (points[..., 0].amax() * unit[0] * points[..., 2].amax() * unit[2]).isinf()

    def judged(unit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        leaf = (points * unit).to(backend.device).requires_grad_()
        along = {"tolerance": 0.1 * unit[2].item(), "temperature": 0.7 * unit[2].item()}
        visible = backend.operators.visibility(leaf, grid_shape=GRID, mode="soft", **along)
        (grad,) = torch.autograd.grad(visible.sum(), leaf)
        return visible.detach(), grad.cpu() * unit

    (visible, grad), (ordinary, expected) = judged(unit), judged(torch.ones_like(unit))
    assert torch.equal(visible, ordinary)
    assert grad.isfinite().all()
    assert expected[..., 1].any()
    torch.testing.assert_close(grad[..., 1], expected[..., 1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("temperature", [1e-300, 1e300])
def test_soft_visibility_of_any_temperature(backend: Backend, temperature: float) -> None:
    for dtype in DTYPES:
        points = crumpled(2, *GRID, dtype=dtype).to(backend.device).requires_grad_()
        visible = backend.operators.visibility(points, grid_shape=GRID, mode="soft", temperature=temperature)
        (grad,) = torch.autograd.grad(visible.sum(), points)
        assert ((visible >= 0) & (visible <= 1)).all()
        assert grad.isfinite().all()


def test_soft_visibility_cpu_equals_cuda(backend: Backend) -> None:
    """Winners in every bit."""
    faces = grid_faces((41, 67))
    for dtype in DTYPES:
        points = crumpled(2, 41, 67, seed=5, dtype=dtype)
        on_cpu = torch.ops.stn3dmm.visibility(points, faces, 0, 0, "soft", 0.01, 1.0)
        assert torch.equal(winners(backend, points, faces), on_cpu[1])
        actual = backend.operators.visibility(points.to(backend.device), grid_shape=(41, 67), mode="soft").cpu()
        torch.testing.assert_close(actual, on_cpu[0])
        assert torch.equal(stn3dmm_cuda.visibility(points, faces, mode="soft"), on_cpu[0])
