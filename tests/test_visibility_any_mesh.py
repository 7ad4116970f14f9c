"""visibility of meshes that fill the screen unevenly, or are hardly meshes: right, and in time that grows linearly."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

import stn3dmm_cuda
from stn3dmm_cuda import grid_faces, reference

from .backends import Backend
from .emulator import build
from .meshes import Mesh, diagonal_slivers, fan, joined, scattered_spots
from .scenes import random

GROWTH = 3.0  # of the time, for twice the mesh: 2 if it is linear, 4 if it is quadratic
SLIVERS_GROWTH = 11.0  # for four times as many: 8 if each costs the cells that it covers, 16 if those of its box
EMULATED_GROWTH = 6.5  # for four times the mesh: 4 or 16, and the logarithm of the boxes' depth


def rough(P: int, Q: int, seed: int = 0) -> Mesh:
    """A sheet with folds."""
    row, column = torch.meshgrid(torch.arange(P), torch.arange(Q), indexing="ij")
    flat = torch.stack((column, row, torch.zeros_like(row)), dim=-1).double().reshape(-1, 3)
    return flat + 0.4 * random(P * Q, 3, seed=seed), grid_faces((P, Q))


def clusters(count: int, side: int = 8) -> Mesh:
    """Small sheets far apart; each is a hundred thousandth of the screen's width across."""
    points, faces = rough(side, side)
    places = 1e3 * torch.rand(count, 1, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    spread = torch.cat((places + 1e-2 / side * points[:, :2], points[:, 2:].expand(count, -1, 1)), dim=-1)
    return spread.reshape(-1, 3), (faces + side * side * torch.arange(count)[:, None, None]).reshape(-1, 3)


def in_one_pixel(P: int, Q: int) -> Mesh:
    points, faces = rough(P, Q)
    points[:, :2] /= 10 * max(P, Q)
    return points, faces


def in_one_cell(P: int, Q: int) -> Mesh:
    """A sheet that is a point as seen from the triangles around it."""
    return joined(in_one_pixel(P, Q), scattered_spots(P * Q // 8, 1e5, 1e-2))


def exponential(P: int, Q: int) -> Mesh:
    """Coordinates of either sign whose logarithms are spread evenly."""
    points, faces = rough(P, Q)
    centred = points[:, :2] - torch.tensor([(Q - 1) / 2, (P - 1) / 2])
    points[:, :2] = centred.sign() * torch.exp2(centred.abs() * 60 / max(P, Q) - 20)
    return points, faces


def under_one_triangle(P: int, Q: int) -> Mesh:
    points, faces = rough(P, Q)
    size, N = 10.0 * max(P, Q), len(points)
    corners = torch.tensor([[-size, -size, 0], [-size, 3 * size, 0.1], [3 * size, -size, 0]], dtype=torch.float64)
    return torch.cat((points, corners)), torch.cat((faces, torch.tensor([[N, N + 1, N + 2]])))


def in_one_cell_under_one_triangle(P: int, Q: int) -> Mesh:
    """Half of the sheet lies before the triangle, which reaches beyond all others."""
    points, faces = in_one_cell(P, Q)
    corners = torch.tensor([[-1e6, -1e6, 0.0], [-1e6, 3e6, 0.2], [3e6, -1e6, 0.1]], dtype=torch.float64)
    return joined((points, faces), (corners, torch.tensor([[0, 1, 2]])))


def far_and_near(P: int, Q: int) -> Mesh:
    """Two sheets, each a point as seen from the other."""
    points, faces = rough(P, Q)
    points[:, :2] *= 1e-3
    away = points + torch.tensor([1e4, -1e4, 0])
    return torch.cat((points, away)), torch.cat((faces, faces + len(points)))


def non_manifold(P: int, Q: int) -> Mesh:
    """Every second face twice, some turned over, some with two corners alike, and a third of the vertices unused."""
    points, faces = rough(P, Q)
    odd, collapsed = faces[::2], faces[::5].clone()
    collapsed[:, 2] = collapsed[:, 1]
    everything = torch.cat((faces, odd, faces[::7].flip(1), collapsed))
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))
    unused = torch.cat((points, points[::2] + 0.3))
    return unused, everything[order]


def open_strips(P: int, Q: int) -> Mesh:
    points, faces = rough(P, Q)
    return points, faces.reshape(-1, 2, 3)[::3].reshape(-1, 3)


def spots_under_fan(count: int) -> Mesh:
    return joined(fan(count), scattered_spots(count, 200.0, 1e-2))


MESHES: dict[str, Callable[[], Mesh]] = {
    "clusters": lambda: clusters(30),
    "large clusters": lambda: clusters(5, side=18),
    "in one pixel": lambda: in_one_pixel(40, 40),
    "in one cell": lambda: in_one_cell(36, 36),
    "in one cell, under one triangle": lambda: in_one_cell_under_one_triangle(36, 36),
    "exponential": lambda: exponential(40, 40),
    "under one triangle": lambda: under_one_triangle(40, 40),
    "far and near": lambda: far_and_near(30, 30),
    "non-manifold": lambda: non_manifold(30, 30),
    "open strips": lambda: open_strips(40, 40),
    "spots under a fan": lambda: spots_under_fan(700),
    "diagonal slivers": lambda: diagonal_slivers(700),
}


def shuffled(mesh: Mesh) -> Mesh:
    """Vertices and faces in an order of no meaning."""
    points, faces = mesh
    generator = torch.Generator().manual_seed(2)
    place = torch.randperm(len(points), generator=generator)
    moved = torch.empty_like(points)
    moved[place] = points
    return moved, place[faces][torch.randperm(len(faces), generator=generator)]


@pytest.mark.parametrize("order", [lambda mesh: mesh, shuffled], ids=["in order", "shuffled"])
@pytest.mark.parametrize("name", list(MESHES))
def test_visibility_of_any_mesh_matches_reference(backend: Backend, name: str, order: Callable[[Mesh], Mesh]) -> None:
    points, faces = order(MESHES[name]())
    expected = reference.visibility(points[None], faces)
    assert 0 < expected.sum() < expected.numel()
    points, faces = points[None].to(backend.device), faces.to(backend.device)
    assert torch.equal(backend.operators.visibility(points, faces).cpu(), expected)


@pytest.mark.parametrize("name", list(MESHES))
def test_soft_visibility_of_any_mesh_matches_reference(backend: Backend, name: str) -> None:
    points, faces = MESHES[name]()
    expected = reference.visibility(points[None], faces, mode="soft")
    points, faces = points[None].to(backend.device), faces.to(backend.device)
    actual = backend.operators.visibility(points, faces, mode="soft").cpu()
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize("name", list(MESHES))
def test_visibility_of_any_mesh_does_not_depend_on_threads(name: str, mode: str) -> None:
    """One image in as many parts as there are threads: more vertices than one part is worth."""
    points, faces = MESHES[name]()
    many = torch.cat([points + torch.tensor([0, 0, 0.01 * i]) for i in range(16)])
    listed = torch.cat([faces + i * len(points) for i in range(16)])
    results = []
    for threads in (1, 2, 3, 7):
        torch.set_num_threads(threads)
        results.append(torch.ops.stn3dmm.visibility(many[None], listed, 0, 0, mode, 0.01, 1.0))
    for visible, winner in results[1:]:
        assert torch.equal(visible, results[0][0])
        assert torch.equal(winner, results[0][1])


def seconds(
    mesh: Mesh, mode: str, visibility: Callable[..., torch.Tensor] = stn3dmm_cuda.visibility, runs: int = 3
) -> float:
    """The best of some runs, in processor time of one thread: other processes must not count."""
    points, faces = mesh[0].float()[None], mesh[1]
    times = []
    for _ in range(runs):
        start = time.process_time()
        visibility(points, faces, mode=mode)
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize(
    "of_size",
    [
        lambda times: clusters(500 * times, side=14),
        lambda times: clusters(2, side={1: 220, 2: 311}[times]),
        lambda times: in_one_pixel(300 * times, 300),
        lambda times: in_one_cell(300 * times, 300),
        lambda times: exponential(300, 300 * times),
        lambda times: under_one_triangle(300 * times, 300),
    ],
    ids=["clusters", "two clusters", "in one pixel", "in one cell", "exponential", "under one triangle"],
)
def test_visibility_time_grows_linearly(
    of_size: Callable[[int], Mesh], mode: str, record_property: Callable[[str, object], None]
) -> None:
    torch.set_num_threads(1)
    once, twice = seconds(of_size(1), mode), seconds(of_size(2), mode)
    record_property("seconds", (once, twice))
    assert twice < GROWTH * once
    assert twice < 5.0


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize("slivers", [spots_under_fan, diagonal_slivers])
def test_visibility_time_grows_with_the_cells_that_slivers_cover(
    slivers: Callable[[int], Mesh], mode: str, record_property: Callable[[str, object], None]
) -> None:
    """The square root of the mesh each."""
    torch.set_num_threads(1)
    once, more = (seconds(slivers(count), mode) for count in (8_000, 32_000))
    record_property("seconds", (once, more))
    assert more < SLIVERS_GROWTH * once


@pytest.mark.skipif(build.chosen_variant() != "plain", reason="sanitizers take time of their own")
@pytest.mark.parametrize(
    "of_side",
    [
        lambda side: clusters(2, side=side),
        lambda side: in_one_pixel(side, side),
        lambda side: in_one_cell(side, side),
        lambda side: in_one_cell_under_one_triangle(side, side),
        lambda side: exponential(side, side),
        lambda side: under_one_triangle(side, side),
    ],
    ids=[
        "two clusters",
        "in one pixel",
        "in one cell",
        "in one cell, under one triangle",
        "exponential",
        "under one triangle",
    ],
)
def test_visibility_work_of_cuda_grows_linearly(
    emulated: Backend, of_side: Callable[[int], Mesh], record_property: Callable[[str, object], None]
) -> None:
    """Four times the mesh: the emulator's time counts the steps of threads."""
    once, more = (seconds(of_side(side), "hard", emulated.operators.visibility, runs=2) for side in (40, 80))
    record_property("seconds", (once, more))
    assert more < EMULATED_GROWTH * once


@pytest.mark.skipif(build.chosen_variant() != "plain", reason="sanitizers take time of their own")
@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize("slivers", [spots_under_fan, diagonal_slivers])
def test_visibility_work_of_cuda_grows_with_the_cells_that_slivers_cover(
    emulated: Backend, slivers: Callable[[int], Mesh], mode: str, record_property: Callable[[str, object], None]
) -> None:
    """Four times as many, each as long as before in pixels and twice as long in cells."""
    once, more = (seconds(slivers(count), mode, emulated.operators.visibility, runs=2) for count in (600, 2400))
    record_property("seconds", (once, more))
    assert more < SLIVERS_GROWTH * once


@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_visibility_of_a_million_faces(mode: str, record_property: Callable[[str, object], None]) -> None:
    """The same bits with one thread as with two, and in time that one waits for, of the best run."""
    points, faces = rough(708, 708)
    assert len(faces) > 999_000
    points = points.float()[None]
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            results.append(stn3dmm_cuda.visibility(points, faces, mode=mode))
            times.append(time.perf_counter() - start)
        record_property(f"seconds of {threads}", min(times))
        assert min(times) < 1.0
    assert all(torch.equal(result, results[0]) for result in results[1:])
