"""The reference visibility on scenes made by hand, and against the definition in exact rational arithmetic."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
import torch

from stn3dmm_cuda.reference import visibility
from stn3dmm_cuda.topology import grid_faces


def sheet(low: float, high: float, depth: float, count: int = 2) -> torch.Tensor:
    """(count^2, 3): a square sheet of vertices facing the viewer."""
    along = torch.linspace(low, high, count, dtype=torch.float64)
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack((x, y, torch.full_like(x, depth)), dim=-1).reshape(-1, 3)


def scene(*parts: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Parts (points, faces) as one mesh: (1, N, 3), (F, 3)."""
    points, faces, start = [], [], 0
    for part_points, part_faces in parts:
        points.append(part_points)
        faces.append(part_faces + start)
        start += len(part_points)
    return torch.cat(points)[None], torch.cat(faces)


SQUARE = grid_faces((2, 2))
BEHIND = (sheet(2, 8, 0.0, 3), grid_faces((3, 3)))
NO_FACES = torch.zeros(0, 3, dtype=torch.int64)


def spot(x: float, y: float, depth: float, size: float = 0.125) -> tuple[torch.Tensor, torch.Tensor]:
    """A tiny triangle facing the viewer, whose first vertex is the point to look at."""
    corners = [[x, y, depth], [x, y + size, depth], [x + size, y, depth]]
    return torch.tensor(corners, dtype=torch.float64), torch.tensor([[0, 1, 2]])


def test_visibility_of_two_parallel_sheets() -> None:
    front = (sheet(0, 10, 5.0), SQUARE)
    assert visibility(*scene(front, BEHIND))[0].tolist() == [1.0] * 4 + [0.0] * 9
    back = (sheet(0, 10, -5.0), SQUARE)
    assert visibility(*scene(back, BEHIND))[0].tolist() == [1.0] * 13


def test_visibility_both_windings_occlude() -> None:
    turned_away = (sheet(0, 10, 5.0), SQUARE.flip(1))
    assert visibility(*scene(turned_away, BEHIND))[0].tolist() == [0.0] * 13


def test_visibility_of_a_folded_strip() -> None:
    """Three layers: the front one seen, the middle one turned away, the third behind until it comes out at x = 8."""
    x = torch.tensor([0.0, 3.0, 6.0, 5.0, 1.0, 2.0, 4.0, 8.0])
    z = torch.tensor([10.0, 10.0, 9.0, 5.0, 4.0, 0.0, 0.0, 0.0])
    rows = [torch.stack((x, torch.full_like(x, y), z), dim=-1) for y in (0.0, 1.0)]
    seen = visibility(torch.cat(rows)[None], grid_shape=(2, 8))
    assert seen[0].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0] * 2


def test_visibility_of_an_isolated_vertex() -> None:
    alone = (torch.tensor([[20.0, 20.0, 3.0]], dtype=torch.float64), NO_FACES)
    assert visibility(*scene((sheet(0, 10, 5.0), SQUARE), alone))[0].tolist() == [1.0] * 4 + [0.0]
    assert visibility(torch.rand(2, 5, 3), NO_FACES).tolist() == [[0.0] * 5] * 2


@pytest.mark.parametrize("line", [[(0, 5), (5, 5), (10, 5)], [(5, 5), (5, 5), (5, 5)], [(0, 0), (10, 10), (5, 5)]])
def test_visibility_degenerate_triangles_occlude_nothing(line: list[tuple[int, int]]) -> None:
    corners = torch.tensor([[x, y, 50.0] for x, y in line], dtype=torch.float64)
    points, faces = scene(BEHIND, (corners, torch.tensor([[0, 1, 2]])))
    seen = visibility(points, faces)
    assert (points[0, :9, :2] == torch.tensor([5.0, 5.0])).all(dim=-1).any()
    assert seen[0].tolist() == [1.0] * 9 + [0.0] * 3


def test_visibility_edges_are_included() -> None:
    """The middle vertex lies on the diagonal that the two front triangles share, another on the outer edge."""
    front = (sheet(0, 10, 5.0), SQUARE)
    for x, y in ((5.0, 5.0), (10.0, 4.0), (0.0, 10.0)):
        points, faces = scene(front, spot(x, y, 0.0))
        assert visibility(points, faces)[0, 4] == 0
    points, faces = scene(front, spot(10.0625, 4.0, 0.0))
    assert visibility(points, faces)[0, 4] == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_visibility_shared_edges_leave_no_cracks(dtype: torch.dtype) -> None:
    """A fan with arbitrary spokes; the points on the spokes are rounded to either side of them."""
    generator = torch.Generator().manual_seed(0)
    angle = torch.arange(64) * (2 * math.pi / 64) + 0.05 * torch.rand(64, generator=generator)
    rim = torch.stack((50 + 40 * angle.cos(), 50 + 40 * angle.sin(), torch.full_like(angle, 9.0)), dim=-1)
    hub = torch.tensor([[50.3, 49.6, 9.0]])
    fan = torch.stack((torch.zeros(64), 1 + torch.arange(64), 1 + (torch.arange(64) + 1) % 64), dim=-1).long()
    part = torch.rand(64, 20, 1, generator=generator)
    on_spokes = (hub * part + rim[:, None] * (1 - part)).reshape(-1, 3)
    on_spokes[:, 2] = 0.0
    aside = on_spokes + torch.tensor([0.5, 0.0, 0.0])
    below = on_spokes + torch.tensor([0.0, 0.5, 0.0])
    triangles = torch.arange(3 * len(on_spokes)).reshape(3, -1).T[:, [0, 2, 1]]
    points, faces = scene((torch.cat((hub, rim)), fan), (torch.cat((on_spokes, aside, below)), triangles))
    assert visibility(points.to(dtype), faces)[0, 65 : 65 + len(on_spokes)].sum() == 0


def test_visibility_own_triangles_do_not_occlude() -> None:
    """A steep triangle is deeper than its own corner everywhere; only what does not touch the corner may hide it."""
    steep = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 90.0], [1.0, 0.0, 90.0]])
    assert visibility(steep[None], torch.tensor([[0, 1, 2]]))[0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("behind", "seen"), [(0.0078125, 1.0), (0.015625, 0.0)])
def test_visibility_tolerance(behind: float, seen: float) -> None:
    points, faces = scene((sheet(0, 10, 5.0), SQUARE), spot(3, 3, 5.0 - behind))
    assert visibility(points, faces)[0, 4] == seen
    assert visibility(points, faces, tolerance=1.0)[0, 4] == 1.0
    assert visibility(points, faces, tolerance=behind)[0, 4] == 1.0
    assert visibility(points, faces, tolerance=0.0)[0, 4] == 0.0


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_visibility_of_a_vertex_that_is_not_finite(poison: float, axis: int, mode: str) -> None:
    """It is not seen, its triangles occlude nothing, and its neighbours are judged by their other triangles."""
    points, faces = scene((sheet(0, 10, 5.0, 3), grid_faces((3, 3))), spot(1, 1, 0.0), spot(9, 9, 0.0))
    points[0, 0, axis] = poison
    points.requires_grad_()
    seen = visibility(points, faces, mode=mode, temperature=1e-3)
    expected = [0.0] + [1.0] * 8 + [1.0] * 3 + [0.0] * 3
    torch.testing.assert_close(seen[0], torch.tensor(expected, dtype=torch.float64))
    if mode == "soft":
        (grad,) = torch.autograd.grad(seen.sum(), points)
        assert grad.isfinite().all()


def test_visibility_of_huge_coordinates() -> None:
    """Areas that overflow count like corners that are not finite."""
    points, faces = scene((sheet(0, 10, 5.0), SQUARE), (sheet(-1e30, 1e30, 9.0), SQUARE))
    assert visibility(points.float(), faces)[0].tolist() == [1.0] * 4 + [0.0] * 4


def by_definition(points: list[tuple[int, int, int]], faces: list[tuple[int, ...]], tolerance: Fraction) -> list[float]:
    """The definition, read aloud in exact arithmetic."""

    def twice_area(p: tuple[int, int, int], q: tuple[int, int, int], r: tuple[int, int, int]) -> int:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    seen = []
    for n, vertex in enumerate(points):
        facing = sum(twice_area(*(points[i] for i in face)) for face in faces if n in face)
        occluder: Fraction | None = None
        for face in faces:
            a, b, c = (points[i] for i in face)
            area = twice_area(a, b, c)
            weights = (twice_area(b, c, vertex), twice_area(c, a, vertex), twice_area(a, b, vertex))
            if area == 0 or n in face or any(weight * area < 0 for weight in weights):
                continue
            depth = sum(Fraction(weight, area) * corner[2] for weight, corner in zip(weights, (a, b, c), strict=True))
            occluder = depth if occluder is None else max(occluder, depth)
        unhidden = occluder is None or vertex[2] >= occluder - tolerance
        seen.append(float(facing < 0 and unhidden))
    return seen


@pytest.mark.parametrize("seed", range(12))
def test_visibility_matches_the_definition(seed: int) -> None:
    """Small integer coordinates: shared edges, coincident points, ties and slivers everywhere, all exact in float32.

    No depth differs from the tolerance by less than 1 / 72, the finest step of barycentrics here, so rounding is idle.
    """
    chance = random.Random(seed)
    points = [(chance.randint(0, 6), chance.randint(0, 6), chance.randint(0, 4)) for _ in range(40)]
    faces = [tuple(chance.sample(range(40), 3)) for _ in range(25)]
    expected = by_definition(points, faces, Fraction(1, 100))
    assert 0 < sum(expected) < 39
    for dtype in (torch.float32, torch.float64):
        seen = visibility(torch.tensor([points], dtype=dtype), torch.tensor(faces))
        assert seen[0].tolist() == expected


def crumpled(seed: int, P: int = 5, Q: int = 6) -> torch.Tensor:
    """(2, P Q, 3): sheets folded over themselves at random."""
    generator = torch.Generator().manual_seed(seed)
    row, column = torch.meshgrid(torch.arange(P), torch.arange(Q), indexing="ij")
    place = torch.stack((column, row, torch.zeros_like(row)), dim=-1).double().reshape(-1, 3)
    return place + torch.randn(2, P * Q, 3, generator=generator, dtype=torch.float64)


def test_visibility_takes_faces_in_every_form() -> None:
    """int32, one set per image, another order, faces that name no vertex (padding), and more than one chunk."""
    points = crumpled(3, 12, 13)
    expected = visibility(points, grid_shape=(12, 13))
    faces = grid_faces((12, 13))
    assert len(faces) > 128
    assert 0 < expected.sum() < expected.numel()
    shuffled = faces[torch.randperm(len(faces), generator=torch.Generator().manual_seed(0))]
    padding = torch.tensor([[-1, -1, -1], [0, 1, len(points[0])]])
    assert torch.equal(visibility(points, faces.int()), expected)
    assert torch.equal(visibility(points, torch.cat((padding, faces))), expected)
    assert torch.equal(visibility(points, torch.stack((faces, shuffled))), expected)
    assert torch.equal(visibility(points[1:], faces.flip(0)), expected[1:])
    turned = visibility(points, torch.stack((faces, faces.flip(1))))
    assert torch.equal(turned[0], expected[0])
    assert not (turned[1] * expected[1]).any()


def test_visibility_of_empty_inputs() -> None:
    assert visibility(torch.zeros(0, 6, 3), grid_shape=(2, 3)).shape == (0, 6)
    assert visibility(torch.zeros(2, 0, 3), NO_FACES).shape == (2, 0)
    assert visibility(torch.zeros(2, 3, 3), grid_shape=(1, 3)).tolist() == [[0.0] * 3] * 2


def test_visibility_rejects_bad_arguments() -> None:
    points = torch.zeros(2, 6, 3)
    with pytest.raises(ValueError, match="exactly one of faces and grid_shape"):
        visibility(points)
    with pytest.raises(ValueError, match="exactly one of faces and grid_shape"):
        visibility(points, NO_FACES, (2, 3))
    with pytest.raises(ValueError, match="mode must be"):
        visibility(points, NO_FACES, mode="firm")
    with pytest.raises(ValueError, match="P Q = 6"):
        visibility(points, grid_shape=(2, 4))
    with pytest.raises(ValueError, match=r"faces must be \(F, 3\) or \(2, F, 3\)"):
        visibility(points, torch.zeros(3, 4, 3, dtype=torch.int64))


def test_grid_faces_by_hand() -> None:
    """Face 2 (r (Q - 1) + c) of cell (r, c), then its partner; every face turned to the viewer."""
    assert grid_faces((2, 3)).tolist() == [[0, 3, 1], [4, 1, 3], [1, 4, 2], [5, 2, 4]]
    assert grid_faces((1, 5)).shape == grid_faces((5, 0)).shape == (0, 3)
    faces, points = grid_faces((4, 5)), crumpled(0, 4, 5)[0].round()
    assert faces.shape == (24, 3)
    assert len(points) == 20
    cell = faces[2 * (2 * 4 + 3)]
    assert cell.tolist() == [2 * 5 + 3, 3 * 5 + 3, 2 * 5 + 4]
