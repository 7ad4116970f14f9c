"""The reference's soft visibility: values and gradients by hand, ties, and what only its gradient shows."""

from __future__ import annotations

import math

import pytest
import torch

from stn3dmm_cuda.reference import visibility

from .test_reference_visibility import SQUARE, crumpled, scene, sheet, spot


def test_visibility_soft_by_hand() -> None:
    """sigmoid((depth - o + tolerance) / temperature): 1 where nothing covers, facing still hard."""
    points, faces = scene((sheet(0, 10, 5.0), SQUARE), spot(3, 3, 4.0), spot(20, 20, 0.0))
    seen = visibility(points, faces, mode="soft", tolerance=0.25, temperature=0.5)
    hidden = 1 / (1 + math.exp(1.5))
    assert seen[0].tolist() == pytest.approx([1.0] * 4 + [hidden] * 3 + [1.0] * 3)
    away = visibility(points, faces.flip(1), mode="soft", temperature=0.5)
    assert away[0].tolist() == [0.0] * 10


def test_visibility_soft_known_gradient() -> None:
    """From vertex 4 to its own depth and, by the barycentrics with the other sign, to the winner's corners."""
    points, faces = scene((sheet(0, 8, 5.0), SQUARE), spot(2, 1, 4.0))
    points.requires_grad_()
    seen = visibility(points, faces, mode="soft", tolerance=0.0)[0, 4]
    (grad,) = torch.autograd.grad(seen, points)
    slope = float(seen.detach() * (1 - seen.detach()))
    # (2, 1) in the triangle (0, 0) (0, 8) (8, 0): barycentrics 5/8, 1/8, 1/4; its plane is level.
    weights = [-0.625, -0.25, -0.125, 0.0, 1.0, 0.0, 0.0]
    expected = torch.zeros(1, 7, 3, dtype=torch.float64)
    expected[0, :, 2] = slope * torch.tensor(weights)
    torch.testing.assert_close(grad, expected)


def test_visibility_soft_known_gradient_on_a_slope() -> None:
    """docs/math.md#visibility: the slopes of the winner's plane, and every corner's share of them."""
    corners = torch.tensor([[0.0, 0.0, 5.0], [1.0, 8.0, 7.0], [9.0, -1.0, 2.0]], dtype=torch.float64)
    points = torch.cat((corners, spot(3, 2, 4.0)[0]))[None].requires_grad_()
    seen = visibility(points, torch.tensor([[0, 1, 2], [3, 4, 5]]), mode="soft", temperature=2.0)[0, 3]
    (grad,) = torch.autograd.grad(seen, points)

    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners.tolist()
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    slope_x = ((bz - az) * (cy - ay) - (cz - az) * (by - ay)) / area
    slope_y = ((cz - az) * (bx - ax) - (bz - az) * (cx - ax)) / area
    shares = torch.linalg.solve(torch.cat((corners[:, :2].T, torch.ones(1, 3))), torch.tensor([3.0, 2.0, 1.0]).double())
    occluder = float(shares @ corners[:, 2])
    value = 1 / (1 + math.exp(-(4.0 - occluder + 0.01) / 2))
    assert seen.item() == pytest.approx(value)
    toward = value * (1 - value) / 2 * torch.tensor([-slope_x, -slope_y, 1.0], dtype=torch.float64)
    torch.testing.assert_close(grad[0, 3], toward)
    torch.testing.assert_close(grad[0, :3], -shares[:, None] * toward)


def test_visibility_soft_of_a_plane_whose_products_overflow() -> None:
    """The depth of a sheet is known where areas times depths are not."""
    points, faces = scene((sheet(0, 9e9, 1e30), SQUARE), spot(1e9, 2e9, 1e30, 1e9))
    leaf = points.float().requires_grad_()
    assert (leaf[0, 1, 0] ** 2 * leaf[0, 1, 2]).isinf()
    seen = visibility(leaf, faces, mode="soft", tolerance=0.0)
    assert seen[0].tolist() == [1.0] * 4 + [0.5] * 3
    (grad,) = torch.autograd.grad(seen[0, 4], leaf)
    assert grad[0, 4].tolist() == pytest.approx([0.0, 0.0, 0.25])
    assert grad[0, :4, 2].sum().item() == pytest.approx(-0.25)
    assert not grad[0, :4, :2].any()
    behind = points - torch.tensor([0.0, 0.0, 1e30]) * (torch.arange(7) > 3)[:, None]
    assert visibility(behind.float(), faces, mode="soft")[0].tolist() == [1.0] * 4 + [0.0] * 3


@pytest.mark.parametrize("temperature", [1e-300, 1e300])
def test_visibility_soft_of_a_temperature_beyond_the_dtype(temperature: float) -> None:
    """It is the nearest one that the dtype can say: no 0, and no infinity."""
    points, faces = scene((sheet(0, 10, 5.0), SQUARE), spot(3, 3, 5.0))
    leaf = points.float().requires_grad_()
    seen = visibility(leaf, faces, mode="soft", tolerance=0.0, temperature=temperature)
    assert seen[0].tolist() == [1.0] * 4 + [0.5] * 3
    (grad,) = torch.autograd.grad(seen.sum(), leaf)
    assert grad.isfinite().all()


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_visibility_ties_go_to_the_lowest_face(order: list[int]) -> None:
    """Three coincident triangles of their own corners cover the spot; the gradient shows which one won."""
    corners = torch.tensor([[0.0, 0.0, 5.0], [0.0, 8.0, 5.0], [8.0, 0.0, 5.0]], dtype=torch.float64)
    sheets = torch.arange(9).reshape(3, 3)[order]
    points = torch.cat((corners, corners, corners, spot(2, 1, 4.0)[0]))[None].requires_grad_()
    faces = torch.cat((sheets, torch.tensor([[9, 10, 11]])))
    (grad,) = torch.autograd.grad(visibility(points, faces, mode="soft")[0, 9], points)
    touched = (grad[0] != 0).any(dim=-1).nonzero().flatten().tolist()
    assert touched == [*sheets[0].tolist(), 9]


def test_visibility_ties_across_chunks_go_to_the_lowest_face() -> None:
    """Face 1 reaches further up, so that it is swept first; face 0 must win from another chunk."""
    winner = torch.tensor([[0.0, 0.0, 5.0], [0.0, 8.0, 5.0], [8.0, 0.0, 5.0]])
    loser = torch.tensor([[0.0, -90.0, 5.0], [-30.0, 20.0, 5.0], [30.0, 20.0, 5.0]])
    filler = [torch.tensor([[40.0, -80.0 + k, 0.0], [40.0, -79.0 + k, 0.0], [41.0, -80.0 + k, 0.0]]) for k in range(70)]
    points = torch.cat((winner, loser, spot(2, 1, 4.0)[0].float(), *filler))[None].requires_grad_()
    seen = visibility(points, torch.arange(points.shape[1]).reshape(-1, 3), mode="soft")
    (grad,) = torch.autograd.grad(seen[0, 6], points)
    assert (grad[0] != 0).any(dim=-1).nonzero().flatten().tolist() == [0, 1, 2, 6]


@pytest.mark.parametrize("seed", [0, 1])
def test_visibility_soft_gradcheck(seed: int) -> None:
    points = crumpled(seed).requires_grad_()
    seen = visibility(points, grid_shape=(5, 6), mode="soft")
    assert ((seen > 0.01) & (seen < 0.99)).sum() > 5
    assert torch.autograd.gradcheck(lambda at: visibility(at, grid_shape=(5, 6), mode="soft"), (points,))


def test_visibility_soft_tends_to_hard() -> None:
    points = crumpled(2)
    hard = visibility(points, grid_shape=(5, 6))
    assert 0 < hard.sum() < hard.numel()
    soft = visibility(points, grid_shape=(5, 6), mode="soft", temperature=1e-5)
    torch.testing.assert_close(soft, hard)


def test_visibility_hard_has_no_gradient() -> None:
    assert not visibility(crumpled(0).requires_grad_(), grid_shape=(5, 6)).requires_grad
