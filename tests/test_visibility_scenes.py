"""visibility on scenes whose visible vertices are known, and what must not change it."""

from __future__ import annotations

import math

import pytest
import torch

from stn3dmm_cuda import grid_faces

from .backends import Backend
from .meshes import Mesh, joined, sheet, sphere, spot, strip
from .scenes import crumpled

DTYPES = [torch.float32, torch.float64]
GRID = (12, 13)


def seen(backend: Backend, mesh: Mesh, tolerance: float = 0.01, dtype: torch.dtype = torch.float32) -> list[float]:
    points, faces = mesh
    visible = backend.operators.visibility(
        points[None].to(backend.device, dtype), faces.to(backend.device), tolerance=tolerance
    )
    numbers: list[float] = visible[0].tolist()
    return numbers


@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_of_two_sheets(backend: Backend, dtype: torch.dtype) -> None:
    """The larger one hides the smaller one from in front, not from behind; either winding hides."""
    small = sheet(2, 8, 0.0, 3)
    assert seen(backend, joined(sheet(0, 10, 5.0), small), dtype=dtype) == [1.0] * 4 + [0.0] * 9
    assert seen(backend, joined(small, sheet(0, 10, 5.0)), dtype=dtype) == [0.0] * 9 + [1.0] * 4
    assert seen(backend, joined(sheet(0, 10, -5.0), small), dtype=dtype) == [1.0] * 13
    points, faces = sheet(0, 10, 5.0)
    assert seen(backend, joined((points, faces.flip(1)), small), dtype=dtype) == [0.0] * 13


def test_visibility_of_a_half_covered_sheet(backend: Backend) -> None:
    """A sheet of 5 x 5 vertices at 0, 2, 4, 6, 8 under one from 3 to 20: 0 and 2 stay in sight along both axes."""
    covered = [[1.0] * 5] * 2 + [[1.0, 1.0, 0.0, 0.0, 0.0]] * 3
    assert (
        seen(backend, joined(sheet(0, 8, 0.0, 5), sheet(3, 20, 1.0))) == [v for row in covered for v in row] + [1.0] * 4
    )


def test_visibility_of_a_folded_strip(backend: Backend) -> None:
    """Three layers: the front one seen, the middle one turned away, the third hidden until it comes out at x = 8."""
    profile = [(0.0, 10.0), (3.0, 10.0), (6.0, 9.0), (5.0, 5.0), (1.0, 4.0), (2.0, 0.0), (4.0, 0.0), (8.0, 0.0)]
    points = strip(profile, rows=2)[None].float().to(backend.device)
    visible = backend.operators.visibility(points, grid_shape=(2, 8))
    assert visible[0].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0] * 2


def test_visibility_of_a_nose_before_a_cheek(backend: Backend) -> None:
    """A turned head: the tip leans over the cheek to x = 1.5 and hides its vertices at 2 and 3."""
    profile = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (1.5, 4.0), (5.0, 0.0), (6.0, 0.0)]
    points = strip(profile)[None].float().to(backend.device)
    visible = backend.operators.visibility(points, grid_shape=(3, 7))
    assert visible[0].tolist() == [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0] * 3


def test_visibility_of_a_sphere(backend: Backend) -> None:
    """Of a convex body exactly the near half is seen: the last four of eight rings, and the near pole."""
    assert seen(backend, sphere(50.0)) == [0.0] + [0.0] * 48 + [1.0] * 48 + [1.0]


def test_visibility_of_a_sphere_behind_another(backend: Backend) -> None:
    """The far one is larger: its near half is seen but where its outline, from the axis, is inside the near one's."""
    near, far = sphere(30.0, (0.0, 0.0, 100.0)), sphere(50.0, (0.0, 0.0, 0.0))
    radii = 50 * torch.cos(torch.tensor([math.pi * ((ring + 1) / 9 - 0.5) for ring in range(8)]))
    shown = [float(ring >= 4 and radii[ring] > 30) for ring in range(8) for _ in range(12)]
    assert 0 < sum(shown) < 48
    whole = [0.0] + [0.0] * 48 + [1.0] * 48 + [1.0]
    assert seen(backend, joined(near, far)) == [*whole, 0.0, *shown, 0.0]


def test_visibility_of_unused_vertices(backend: Backend) -> None:
    alone = (torch.tensor([[20.0, 20.0, 3.0], [5.0, 5.0, 90.0]], dtype=torch.float64), torch.zeros(0, 3).long())
    assert seen(backend, joined(sheet(0, 10, 5.0), alone)) == [1.0] * 4 + [0.0] * 2


@pytest.mark.parametrize("line", [[(0, 5), (5, 5), (10, 5)], [(5, 5), (5, 5), (5, 5)], [(0, 0), (10, 10), (5, 5)]])
def test_visibility_degenerate_faces_hide_nothing(backend: Backend, line: list[tuple[int, int]]) -> None:
    corners = torch.tensor([[x, y, 50.0] for x, y in line], dtype=torch.float64)
    three, twice = (corners, torch.tensor([[0, 1, 2]])), (corners, torch.tensor([[0, 2, 0]]))
    assert seen(backend, joined(sheet(2, 8, 0.0, 3), three, twice)) == [1.0] * 9 + [0.0] * 6


def test_visibility_faces_with_foreign_indices_do_not_exist(backend: Backend) -> None:
    points, faces = joined(sheet(0, 10, 5.0), sheet(2, 8, 0.0, 3))
    for bad in (-1, 13, 2**31, -(2**40)):
        broken = faces.clone()
        broken[0, 1] = broken[1, 2] = bad
        assert seen(backend, (points, broken)) == [0.0] * 4 + [1.0] * 9


def test_visibility_edges_are_included(backend: Backend) -> None:
    """The diagonal that two triangles share, outer edges, corners; a sixteenth of a pixel aside the spot is seen."""
    for x, y in ((5.0, 5.0), (10.0, 4.0), (4.0, 0.0), (0.0, 10.0)):
        assert seen(backend, joined(sheet(0, 10, 5.0), spot(x, y, 0.0)))[4] == 0
    for x, y in ((10.0625, 4.0), (-0.25, 3.0), (4.0, -0.25)):
        assert seen(backend, joined(sheet(0, 10, 5.0), spot(x, y, 0.0)))[4] == 1


def test_visibility_own_faces_do_not_hide(backend: Backend) -> None:
    steep = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 90.0], [1.0, 0.0, 90.0]], dtype=torch.float64)
    assert seen(backend, (steep, torch.tensor([[0, 1, 2]]))) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("behind", "expected"), [(0.0078125, 1.0), (0.015625, 0.0)])
def test_visibility_tolerance(backend: Backend, behind: float, expected: float) -> None:
    """Powers of two, exact in float32; a vertex exactly as far behind as the tolerance is seen."""
    mesh = joined(sheet(0, 10, 5.0), spot(3, 3, 5.0 - behind))
    assert seen(backend, mesh)[4] == expected
    assert seen(backend, mesh, tolerance=1.0)[4] == 1.0
    assert seen(backend, mesh, tolerance=behind)[4] == 1.0
    assert seen(backend, mesh, tolerance=0.0)[4] == 0.0


def test_visibility_tolerance_may_be_negative(backend: Backend) -> None:
    """Then a vertex must stand so far before what covers it, and one that nothing covers is still seen."""
    mesh = joined(sheet(0, 10, 0.0), spot(3, 3, 2.0))
    assert seen(backend, mesh, tolerance=-1.0)[4] == 1.0
    assert seen(backend, mesh, tolerance=-4.0)[4] == 0.0
    assert seen(backend, mesh, tolerance=-4.0)[:4] == [1.0] * 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_ignores_translation_and_scale(backend: Backend, dtype: torch.dtype) -> None:
    """Coordinates of 12 bits, moved and scaled by powers of two: exact, so not one vertex may change."""
    points = (crumpled(2, *GRID) * 128).round() / 128
    points = points.to(backend.device, dtype)
    visibility = backend.operators.visibility
    expected = visibility(points, grid_shape=GRID, tolerance=0.0)
    assert 0 < expected.sum() < expected.numel()
    for scale in (2.0**-20, 0.5, 4.0, 2.0**20):
        assert torch.equal(visibility(points * scale, grid_shape=GRID, tolerance=0.0), expected)
    for shift in ((64.0, -32.0, 0.0), (0.0, 16.0, 128.0), (-128.0, 0.0, -64.0)):
        moved = points + torch.tensor(shift, dtype=dtype, device=backend.device)
        assert torch.equal(visibility(moved, grid_shape=GRID, tolerance=0.0), expected)


def test_visibility_ignores_the_order_of_faces_and_corners(backend: Backend) -> None:
    """On integers, where sums of areas are exact in any order."""
    points = (crumpled(2, *GRID, dtype=torch.float32) * 16).round().to(backend.device)
    faces = grid_faces(GRID, backend.device)
    expected = backend.operators.visibility(points, faces)
    shuffled = faces[torch.randperm(len(faces), generator=torch.Generator().manual_seed(0)).to(backend.device)]
    assert torch.equal(backend.operators.visibility(points, shuffled), expected)
    assert torch.equal(backend.operators.visibility(points, faces.roll(1, dims=1)), expected)


def test_visibility_moving_nearer_never_hides(backend: Backend) -> None:
    points = crumpled(1, *GRID, seed=3, dtype=torch.float32)
    nearer = points.expand(156, -1, -1).clone()
    index = torch.arange(156)
    nearer[index, index, 2] += 0.75
    before = backend.operators.visibility(points.to(backend.device), grid_shape=GRID)[0]
    after = backend.operators.visibility(nearer.to(backend.device), grid_shape=GRID)[index, index]
    assert (after >= before).all()
    assert (after > before).any()
