"""visibility on CUDA against the CPU: not one bit may differ, whatever the mesh and in whatever order threads run.

The scenes lead the kernels into each of their branches: patches of the grid and their edges, triangles for one thread,
a warp and a block, cells with nobody and with everybody in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stn3dmm
import torch

import stn3dmm_cuda
from stn3dmm_cuda import grid_faces

from .backends import BACKENDS, Backend, available
from .emulator.operators import controls
from .meshes import joined, scattered_spots, sheet
from .scenes import crumpled, half_cylinder, random

DTYPES = [torch.float32, torch.float64]
Scene = tuple[torch.Tensor, dict[str, Any]]  # points (B, N, 3) float64; the topology

SHEET = (41, 67)  # patches of 8 x 32 and rests of them


@pytest.fixture(params=[name for name in available() if name != "cpu"], scope="session")
def kernels(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param].create()


@pytest.fixture
def shuffle(kernels: Backend) -> Iterator[Callable[[int], None]]:
    """Lets threads run in an order of this number, where the order is ours to choose."""
    if kernels.name != "emulated":
        yield lambda seed: None
        return
    yield lambda seed: controls().set_order("shuffled" if seed else "reverse", seed)
    controls().set_order("shuffled")


def folded(displacement: float, B: int = 2, grid_shape: tuple[int, int] = SHEET) -> Scene:
    """A sheet whose vertices are displaced at random by so many cells."""
    N = math.prod(grid_shape)
    flat = (crumpled(1, *grid_shape) - random(1, N, 3)).round()
    return flat + displacement * random(B, N, 3, seed=6), {"grid_shape": grid_shape}


def face(yaw: float) -> Scene:
    """A bent sheet with a nose, turned about the vertical axis."""
    turn = torch.tensor(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, -1, 0], [-math.sin(yaw), 0, math.cos(yaw)]], dtype=torch.float64
    )
    return (10 * half_cylinder(*SHEET) @ turn.T)[None], {"grid_shape": SHEET}


def listed(B: int, N: int, F: int, integers: bool = False, per_image: bool = True, **like: Any) -> Scene:
    """Triangles between any vertices, some of which do not exist."""
    generator = torch.Generator().manual_seed(N)
    points = random(B, N, 3, seed=N)
    faces = torch.randint(-1, N + 1, (B, F, 3) if per_image else (F, 3), generator=generator)
    near = torch.randint(0, N - 6, (F, 1), generator=generator) + torch.randint(0, 6, (F, 3), generator=generator)
    faces[..., F // 3 :, :] = near[F // 3 :]
    return (4 * points).round() if integers else points, {"faces": faces.to(**like)}


def scaled(factor: float) -> Callable[[torch.Tensor], None]:
    def spoil(points: torch.Tensor) -> None:
        points *= factor

    return spoil


def to_halves(points: torch.Tensor) -> None:
    points.round_().mul_(0.5)


def spoilt(scene: Scene, spoil: Callable[[torch.Tensor], None]) -> Scene:
    points, topology = scene
    points = points.clone()
    spoil(points)
    return points, topology


def far_corners(distance: float) -> Callable[[torch.Tensor], None]:
    def spoil(points: torch.Tensor) -> None:
        N = points.shape[1]
        for n, x, y in ((0, -1, -1), (66, 1, -1), (N - 67, -1, 1), (N - 1, 1, 1)):
            points[:, n, :2] = distance * torch.tensor([x, y], dtype=points.dtype)

    return spoil


def poison(points: torch.Tensor) -> None:
    """A third of the first image, all of the second but a patch."""
    values = torch.tensor([math.nan, math.inf, -math.inf], dtype=points.dtype)
    points[0, ::3, 1] = values[torch.arange(points[0, ::3].shape[0]) % 3]
    points[1, 500:, 0] = math.nan


def under_large_triangles() -> Scene:
    """Thousands of vertices behind three triangles, each of which covers far more than one thread looks at."""
    points, faces = sheet(-50, 50, 0.0, 55)
    points[:, 2] = random(len(points), seed=1)
    corners = torch.tensor([[-90.0, -90, 0.5], [-90, 150, 0.5], [150, -90, 0.5]], dtype=torch.float64)
    strip = torch.tensor([[-60.0, 3, 2], [60, 3.5, 2], [60, 3, 2]], dtype=torch.float64)
    steep = torch.tensor([[7.0, -60, -3], [7.3, 60, 3], [9, -60, 0]], dtype=torch.float64)
    three = (torch.cat((corners, strip, steep)), torch.arange(9).reshape(3, 3))
    whole = joined((points, faces), three)
    return whole[0][None], {"faces": whole[1]}


def clusters() -> Scene:
    """Nine vertices in ten within a hair's breadth, below a coarse sheet: one cell holds them all."""
    dense, dense_faces = sheet(-1e-6, 1e-6, 0.0, 40)
    dense[:, 2] = 0.1 * random(len(dense), seed=2)
    mesh = joined((dense, dense_faces), sheet(-50, 50, 0.05, 12))
    return mesh[0][None], {"faces": mesh[1].int()}


def at_one_place() -> Scene:
    points, topology = folded(0.0)
    points[:] = torch.tensor([3.0, 4.0, 5.0], dtype=torch.float64)
    points[:, -1, 0] += 1
    return points, topology


SCENES: dict[str, Callable[[], Scene]] = {
    "flat": lambda: folded(0.0),
    "rough": lambda: folded(0.3),
    "folded": lambda: folded(1.0),
    "tangled": lambda: folded(6.0),
    "scattered": lambda: folded(40.0, grid_shape=(25, 37)),
    "narrow": lambda: folded(1.0, grid_shape=(300, 2)),
    "flat and wide": lambda: folded(1.0, grid_shape=(2, 300)),
    "whole numbers": lambda: spoilt(folded(2.0), to_halves),
    "frontal": lambda: face(0.0),
    "turned": lambda: face(0.9),
    "profile": lambda: face(1.5),
    "many small": lambda: folded(1.0, B=600, grid_shape=(2, 3)),
    "shared faces": lambda: listed(3, 300, 700, per_image=False, dtype=torch.int64),
    "shared int32 faces": lambda: listed(3, 300, 700, per_image=False, dtype=torch.int32),
    "own faces": lambda: listed(3, 300, 700, dtype=torch.int64),
    "own int32 faces": lambda: listed(3, 300, 700, dtype=torch.int32),
    "faces on whole numbers": lambda: listed(20, 40, 60, integers=True, dtype=torch.int64),
    "no faces": lambda: (random(2, 5, 3), {"faces": torch.zeros(2, 0, 3, dtype=torch.int32)}),
    "far corners": lambda: spoilt(folded(1.0), far_corners(1e6)),
    "further corners": lambda: spoilt(folded(1.0), far_corners(1e18)),
    "furthest corners": lambda: spoilt(folded(1.0), far_corners(3e38)),
    "poison": lambda: spoilt(folded(1.0), poison),
    "large triangles": under_large_triangles,
    "clusters": clusters,
    "one place": at_one_place,
    "subnormal": lambda: spoilt(folded(1.0), scaled(1e-42)),
    "tiny": lambda: spoilt(folded(1.0), scaled(1e-19)),
}
OF_ONE_KIND = {"flat", "frontal", "no faces", "one place", "subnormal"}  # all vertices seen, or none


def on(backend: Backend, scene: Scene, dtype: torch.dtype, **choices: Any) -> torch.Tensor:
    points, topology = scene
    moved = {name: t.to(backend.device) if isinstance(t, torch.Tensor) else t for name, t in topology.items()}
    visible: torch.Tensor = backend.operators.visibility(points.to(backend.device, dtype), **moved, **choices)
    return visible.cpu()


def on_cpu(scene: Scene, dtype: torch.dtype, **choices: Any) -> torch.Tensor:
    return stn3dmm_cuda.visibility(scene[0].to(dtype), **scene[1], **choices)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tolerance", [0.01, -0.5])
@pytest.mark.parametrize("name", list(SCENES))
def test_visibility_cpu_equals_cuda(kernels: Backend, name: str, tolerance: float, dtype: torch.dtype) -> None:
    scene = SCENES[name]()
    expected = on_cpu(scene, dtype, tolerance=tolerance)
    if tolerance == 0.01 and name not in OF_ONE_KIND:
        assert 0 < expected.sum() < expected.numel()
    actual = on(kernels, scene, dtype, tolerance=tolerance)
    assert actual.dtype == dtype
    assert torch.equal(actual, expected), f"{int((actual != expected).sum())} of {actual.numel()} vertices differ"


def crowd(count: int) -> Scene:
    """So many triangles with all their vertices in one cell of the screen, between others that spread it out."""
    width, others = 2.0**-20, max(64, count // 3)
    spots = scattered_spots(count, width, 4 * width / math.sqrt(count)), scattered_spots(others, 1e3, 1e-3, seed=1)
    points, faces = joined(*spots)
    return points[None], {"faces": faces.int()}


# Either side of what is looked at one by one, of what one box above others holds, and of that once more.
CROWDS = [41, 42, 341, 342, 10_922, 10_923]  # in the first two cells lies another triangle


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize("count", CROWDS)
def test_visibility_of_a_crowd_cpu_equals_cuda(kernels: Backend, count: int, mode: str) -> None:
    scene = crowd(count)
    expected = on_cpu(scene, torch.float32, mode=mode)
    hard = on_cpu(scene, torch.float32)[:, : 3 * count]
    assert 0 < hard.sum() < hard.numel()
    actual = on(kernels, scene, torch.float32, mode=mode)
    if mode == "hard":
        assert torch.equal(actual, expected)
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("tolerance", [0.0, 1e300, -1e300])
def test_visibility_cpu_equals_cuda_at_any_tolerance(kernels: Backend, tolerance: float) -> None:
    for dtype in DTYPES:
        scene = folded(1.0)
        assert torch.equal(on(kernels, scene, dtype, tolerance=tolerance), on_cpu(scene, dtype, tolerance=tolerance))


@pytest.mark.parametrize("name", ["folded", "tangled", "scattered", "own faces", "large triangles", "clusters"])
def test_visibility_does_not_depend_on_the_order(kernels: Backend, shuffle: Callable[[int], None], name: str) -> None:
    scene = SCENES[name]()
    expected = on_cpu(scene, torch.float32)
    for seed in range(3):
        shuffle(seed)
        assert torch.equal(on(kernels, scene, torch.float32), expected)


def test_visibility_takes_few_launches(kernels: Backend) -> None:
    if kernels.launches is None:
        pytest.skip(f"nobody counts launches on {kernels.name}")
    before = kernels.launches()
    on(kernels, folded(1.0), torch.float32)
    assert kernels.launches() - before <= 6


def posed(model: stn3dmm.MorphableModel, yaws: list[float]) -> Scene:
    """The model's mean and some of its modes, turned, 200 pixels wide."""
    generator = torch.Generator().manual_seed(0)
    theta = 0.2 * torch.randn(len(yaws), 6 + model.basis.shape[0], generator=generator)
    theta[:, 1] = torch.tensor(yaws)
    theta[:, 3:6] = torch.tensor([112.0, 112.0, 0.0])
    mean, basis = torch.from_numpy(model.mean), torch.from_numpy(model.basis)
    rotation, translation, scale, alpha = stn3dmm_cuda.pose(theta)
    points = stn3dmm_cuda.project(stn3dmm_cuda.vertices(alpha, mean, basis), rotation, translation, scale)
    return points, {"grid_shape": model.grid_shape}


def check_a_face(kernels: Backend, model: stn3dmm.MorphableModel, dtype: torch.dtype) -> None:
    scene = posed(model, [0.0, -0.7, 1.4])
    expected = on_cpu(scene, dtype)
    assert (expected.mean(dim=1) > 0.2).all()
    assert torch.equal(on(kernels, scene, dtype), expected)
    as_list = (scene[0], {"faces": grid_faces(model.grid_shape).int()})
    assert torch.equal(on(kernels, as_list, dtype), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_cpu_equals_cuda_on_the_embedded_model(
    kernels: Backend, embedded: stn3dmm.MorphableModel, dtype: torch.dtype
) -> None:
    check_a_face(kernels, embedded, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_cpu_equals_cuda_on_the_basel_model(
    kernels: Backend, basel: stn3dmm.MorphableModel, dtype: torch.dtype
) -> None:
    check_a_face(kernels, basel, dtype)
