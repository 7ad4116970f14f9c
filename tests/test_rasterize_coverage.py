"""rasterize on pictures that are known: edges covered once, the nearest face in front, and what must not change it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial import Delaunay, QhullError

from stn3dmm_cuda import Fragments, grid_faces

from .backends import Backend
from .meshes import Mesh, joined, sheet, sphere
from .properties import assert_same
from .test_rasterize import GRID, IMAGE, scene

DTYPES = [torch.float32, torch.float64]


def drawn(
    backend: Backend, mesh: Mesh, image_size: tuple[int, int] = (8, 9), dtype: torch.dtype = torch.float32
) -> Fragments:
    points, faces = mesh
    result: Fragments = backend.operators.rasterize(
        points[None].to(backend.device, dtype), faces.to(backend.device), image_size
    )
    return Fragments(*(tensor[0].cpu() for tensor in result))


def times_covered(backend: Backend, mesh: Mesh, image_size: tuple[int, int], dtype: torch.dtype) -> torch.Tensor:
    """(H, W): how many of the faces, each drawn alone, cover the pixel."""
    points, faces = mesh
    many = points[None].expand(len(faces), -1, -1).to(backend.device, dtype)
    face = backend.operators.rasterize(many, faces[:, None].to(backend.device), image_size).face
    return (face >= 0).sum(dim=0).cpu()


@pytest.mark.parametrize(
    ("corners", "covered"),
    [
        # The left and the top edge of a box are its own, the right and the lower one are not.
        ([(1, 1), (3, 1), (1, 3)], ["....", ".##.", ".#..", "...."]),
        ([(3, 1), (3, 3), (1, 3)], ["....", "....", "..#.", "...."]),
        # The same corners and the same edges, whichever way round.
        ([(1, 1), (1, 3), (3, 1)], ["....", ".##.", ".#..", "...."]),
        ([(3, 1), (1, 3), (3, 3)], ["....", "....", "..#.", "...."]),
        # Its lower edge lies on a row of centres, its upper corner on a centre: nothing of either.
        ([(2, 0), (3.5, 2), (0.5, 2)], ["....", "..#.", "....", "...."]),
        # The upper edge does.
        ([(2, 3), (3.5, 1), (0.5, 1)], ["....", ".###", "..#.", "...."]),
        # Less than a pixel, around a centre and between centres.
        ([(1.75, 1.75), (2.5, 2), (1.75, 2.25)], ["....", "....", "..#.", "...."]),
        ([(1.25, 1.25), (1.75, 1.25), (1.25, 1.75)], ["....", "....", "....", "...."]),
    ],
)
def test_rasterize_top_left_rule(backend: Backend, corners: list[tuple[float, float]], covered: list[str]) -> None:
    points = torch.tensor([[x, y, 1.0] for x, y in corners])
    for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0]):
        face = drawn(backend, (points, torch.tensor([order])), (4, 4)).face
        assert ["".join("#" if f == 0 else "." for f in row) for row in face.tolist()] == covered


@pytest.mark.parametrize("dtype", DTYPES)
@given(
    inner=st.lists(st.tuples(st.integers(1, 127), st.integers(1, 95)), max_size=12),
    shift=st.tuples(st.integers(0, 15), st.integers(0, 15)),
    flips=st.integers(0, 2**32 - 1),
)
def test_rasterize_covers_a_triangulation_once(
    backend: Backend, dtype: torch.dtype, inner: list[tuple[int, int]], shift: tuple[int, int], flips: int
) -> None:
    """Corners at sixteenths of a pixel, where float32 is exact; many lie on centres, edges pass through others. Any
    winding, any order of the corners."""
    places = torch.tensor([(0, 0), (128, 0), (0, 96), (128, 96), *inner]).unique(dim=0)
    try:
        triangles = Delaunay(places.numpy()).simplices
    except QhullError:
        assume(False)
    faces = torch.from_numpy(triangles).long()
    flip = torch.tensor([flips >> (i % 32) & 1 for i in range(len(faces))], dtype=torch.bool)
    faces = torch.where(flip[:, None], faces.flip(1), faces)
    sixteenths = places + torch.tensor(shift)
    points = torch.cat((sixteenths / 16, torch.ones(len(places), 1)), dim=1)
    y, x = torch.meshgrid(16 * torch.arange(9), 16 * torch.arange(11), indexing="ij")
    inside = (x >= shift[0]) & (x < shift[0] + 128) & (y >= shift[1]) & (y < shift[1] + 96)
    assert torch.equal(times_covered(backend, (points, faces), (9, 11), dtype), inside.long())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(3))
def test_rasterize_covers_a_random_triangulation_once(backend: Backend, seed: int, dtype: torch.dtype) -> None:
    """Corners anywhere: rounding may move an edge, but moves it for both its faces."""
    generator = torch.Generator().manual_seed(seed)
    inner = torch.rand(60, 2, generator=generator, dtype=torch.float64) * 24 - 2
    frame = torch.tensor([[-3.0, -3.0], [25, -3], [-3, 25], [25, 25]], dtype=torch.float64)
    places = torch.cat((frame, inner)).float().double()
    mesh = torch.cat((places, torch.ones(len(places), 1)), dim=1), torch.from_numpy(Delaunay(places).simplices).long()
    assert (times_covered(backend, mesh, (20, 22), dtype) == 1).all()


def test_rasterize_covers_a_closed_surface_twice(backend: Backend) -> None:
    """Once by its near side and once by its far side, also along its outline."""
    points, faces = sphere(6.3, (8.1, 7.2, 0.0))
    covered = times_covered(backend, (points, faces), (16, 17), torch.float32)
    assert set(covered.flatten().tolist()) == {0, 2}


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_shows_the_nearest(backend: Backend, dtype: torch.dtype) -> None:
    """Two sheets, a small one in front or behind, in either order."""
    large, small = sheet(0, 8, 0.0), sheet(2, 5, 1.0)
    behind = (small[0] - torch.tensor([0.0, 0.0, 2.0]), small[1])
    for mesh, front in ((joined(large, small), {2, 3}), (joined(small, large), {0, 1})):
        face = drawn(backend, mesh, dtype=dtype).face
        assert set(face[2:5, 2:5].flatten().tolist()) == front
        assert not set(face[5:8, :8].flatten().tolist()) & front
    assert set(drawn(backend, joined(behind, large), dtype=dtype).face[:8, :8].flatten().tolist()) == {2, 3}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [-3.0, -0.0, 0.0, 1e-30, 7.0])
def test_rasterize_ties_go_to_the_lowest_index(backend: Backend, depth: float, dtype: torch.dtype) -> None:
    """Zeros of both signs are one depth."""
    for other in (depth, -depth) if depth == 0 else (depth,):
        face = drawn(backend, joined(sheet(0, 8, depth), sheet(0, 8, other), sheet(0, 8, depth)), dtype=dtype).face
        assert set(face[:8, :8].flatten().tolist()) == {0, 1}
        assert (face[:, 8] == -1).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_depths_order_below_zero(backend: Backend, dtype: torch.dtype) -> None:
    """From the most negative number to the largest, drawn from far to near and from near to far."""
    largest = torch.finfo(dtype).max
    depths = [-largest, -1e30, -1.0, -1e-30, 0.0, 1e-30, 1.0, 1e30, largest]
    for count in range(1, len(depths) + 1):
        near = count - 1
        far_first = drawn(backend, joined(*(sheet(0, 4, depth) for depth in depths[:count])), (4, 4), dtype)
        near_first = drawn(backend, joined(*(sheet(0, 4, depth) for depth in depths[:count][::-1])), (4, 4), dtype)
        assert set(far_first.face.flatten().tolist()) == {2 * near, 2 * near + 1}
        assert set(near_first.face.flatten().tolist()) == {0, 1}
        assert (far_first.depth == torch.tensor(depths[near], dtype=dtype)).all()


def test_rasterize_of_a_sphere(backend: Backend) -> None:
    """Its depth, its outline, and the near half of its faces alone."""
    points, faces = sphere(60.0, (64.0, 64.0, 0.0), rings=24, sides=40)
    fragments = drawn(backend, (points, faces), (129, 129))
    y, x = torch.meshgrid(torch.arange(129.0) - 64, torch.arange(129.0) - 64, indexing="ij")
    square = 60.0**2 - x.square() - y.square()
    assert (fragments.face[square > 300] >= 0).all()
    assert (fragments.face[square < 0] == -1).all()
    shown = points[faces[fragments.face[fragments.face >= 0]]]
    assert (shown[..., 2].mean(dim=1) > 0).all()
    deep = square > 600
    torch.testing.assert_close(fragments.depth[deep], square[deep].sqrt(), rtol=0, atol=1.5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_barycentrics_find_the_pixel(backend: Backend, dtype: torch.dtype) -> None:
    """sum lambda_i (x, y, depth)_i is the pixel's centre and its depth; they are 0 to 1 and sum to 1."""
    points, faces = scene(1, dtype)[0], grid_faces(GRID)
    face, barycentric, depth = drawn(backend, (points, faces), IMAGE, dtype)
    y, x = (face >= 0).nonzero(as_tuple=True)
    shares = barycentric[y, x]
    place = (shares[..., None] * points[faces[face[y, x]]]).sum(dim=1)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(place, torch.stack((x, y, depth[y, x]), dim=1).to(dtype), rtol=0, atol=tolerance)
    assert ((shares >= 0) & (shares <= 1)).all()
    torch.testing.assert_close(shares.sum(dim=1), torch.ones_like(depth[y, x]))


@given(dx=st.integers(-6, 6), dy=st.integers(-6, 6), seed=st.integers(0, 20))
def test_rasterize_translation_by_whole_pixels(backend: Backend, dx: int, dy: int, seed: int) -> None:
    """At eighths of a pixel, where float32 is exact, the picture moves and nothing else."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randint(32, 144, (1, 30, 3), generator=generator) / 8
    faces = torch.randint(0, 30, (30, 3), generator=generator)
    moved = points + torch.tensor([dx, dy, 0.0])
    before, after = (backend.operators.rasterize(p.to(backend.device), faces.to(backend.device), (24, 24))
                     for p in (points, moved))  # fmt: skip
    y, x = max(dy, 0), max(dx, 0)
    rows, columns = 24 - abs(dy), 24 - abs(dx)
    for one, other in zip(before, after, strict=True):
        old = one[:, y - dy : y - dy + rows, x - dx : x - dx + columns]
        new = other[:, y : y + rows, x : x + columns]
        assert torch.equal(old, new)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("power", [-3, 4])
def test_rasterize_depth_scale_by_a_power_of_two(backend: Backend, power: int, dtype: torch.dtype) -> None:
    points, faces = scene(1, dtype)[0], grid_faces(GRID)
    scaled = points * torch.tensor([1.0, 1.0, 2.0**power], dtype=dtype)
    before, after = (drawn(backend, (p, faces), IMAGE, dtype) for p in (points, scaled))
    assert_same(after, (before.face, before.barycentric, before.depth * 2.0**power))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_flipped_winding_changes_the_order_alone(backend: Backend, dtype: torch.dtype) -> None:
    points, faces = scene(1, dtype)[0], grid_faces(GRID)
    before, after = (drawn(backend, (points, f), IMAGE, dtype) for f in (faces, faces.flip(1)))
    assert torch.equal(before.face, after.face)
    close = 1e-5 if dtype == torch.float32 else 1e-12  # the same sums in another order
    torch.testing.assert_close(before.barycentric.flip(-1), after.barycentric, rtol=0, atol=close)
    torch.testing.assert_close(before.depth, after.depth, rtol=0, atol=10 * close)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_depth_stays_between_the_corners(backend: Backend, dtype: torch.dtype) -> None:
    """Slivers, whose barycentrics rounding could carry anywhere."""
    generator = torch.Generator().manual_seed(0)
    along = torch.rand(2000, 3, 1, generator=generator, dtype=torch.float64) * 40 - 10
    sideways = 1e-6 * torch.randn(2000, 3, 1, generator=generator, dtype=torch.float64)
    depth = torch.rand(2000, 3, 1, generator=generator, dtype=torch.float64)
    points = torch.cat((along, along + sideways, depth), dim=-1).reshape(-1, 3).to(dtype)
    faces = torch.arange(6000).reshape(-1, 3)
    fragments = drawn(backend, (points, faces), (20, 20), dtype)
    shown = fragments.face >= 0
    assert shown.any()
    corners = points[faces[fragments.face[shown]]][..., 2]
    assert (fragments.depth[shown] >= corners.amin(dim=1)).all()
    assert (fragments.depth[shown] <= corners.amax(dim=1)).all()
