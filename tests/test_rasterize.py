"""rasterize: equal to the reference in every bit, and what every operator must do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stn3dmm_cuda import Fragments, grid_faces, reference

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import crumpled, random
from .tolerances import assert_near

DTYPES = [torch.float32, torch.float64]
GRID = (6, 7)
IMAGE = (17, 21)
INDICES = [torch.int32, torch.int64]


def scene(B: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    """(B, N, 3): sheets folded over themselves at random, larger than the image."""
    points = crumpled(B, *GRID, seed=seed, dtype=torch.float64)
    stretched = points * torch.tensor([3.7, 3.9, 2.0]) - torch.tensor([1.3, 1.6, 0.0])
    return stretched.float().to(dtype)


def call_of(backend: Backend, dtype: torch.dtype = torch.float64, B: int = 3, index: torch.dtype = torch.int64) -> Call:
    points = scene(B, dtype).to(backend.device)
    faces = grid_faces(GRID, backend.device).to(index)

    def function(points: torch.Tensor, faces: torch.Tensor) -> Any:
        return backend.operators.rasterize(points, faces, IMAGE)

    return Call(function, (points, faces), learnt=(0,), batched=(0,))


def call_of_huge_faces(backend: Backend, dtype: torch.dtype) -> Call:
    """Two faces around an image of more pixels than one warp visits by itself, and one that leaves a warp half idle."""
    corners = [[-30, -40, 1], [120, -35, 3], [-25, 130, 2], [130, 20, 5], [2.5, 2.5, 9], [13.5, 3.5, 9], [3.5, 8.5, 8]]
    points = torch.tensor([corners], dtype=dtype, device=backend.device).repeat(2, 1, 1)
    points[1, :, :2] += 0.25
    faces = torch.tensor([[0, 1, 2], [3, 1, 2], [4, 5, 6]], device=backend.device)

    def function(points: torch.Tensor, faces: torch.Tensor) -> Any:
        return backend.operators.rasterize(points, faces, (45, 50))

    return Call(function, (points, faces), learnt=(0,), batched=(0,))


def assert_equals_reference(
    backend: Backend, points: torch.Tensor, faces: torch.Tensor, image_size: tuple[int, int]
) -> None:
    """Not one bit may differ: same dtype, same expressions."""
    expected = reference.rasterize(points, faces, image_size)
    actual = backend.operators.rasterize(points.to(backend.device), faces.to(backend.device), image_size)
    for name, one, other in zip(Fragments._fields, actual, expected, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one.cpu(), other), f"{name}: {int((one.cpu() != other).sum())} entries differ"


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_by_hand(backend: Backend, dtype: torch.dtype) -> None:
    """A right triangle of 4 pixels, whose hypotenuse is neither left nor top, behind a square of 2 that starts at
    (1, 1)."""
    triangle = [[0, 0, 0], [4, 0, 4], [0, 4, 0]]
    square = [[1, 1, 9], [1, 3, 9], [3, 1, 9], [3, 3, 9]]
    points = torch.tensor([triangle + square], dtype=dtype, device=backend.device)
    faces = torch.tensor([[0, 1, 2], [3, 4, 5], [6, 5, 4]], device=backend.device)
    face, barycentric, depth = backend.operators.rasterize(points, faces, (4, 6))
    assert face.tolist() == [
        [[0, 0, 0, 0, -1, -1],
         [0, 1, 1, -1, -1, -1],
         [0, 1, 2, -1, -1, -1],
         [0, -1, -1, -1, -1, -1]]
    ]  # fmt: skip
    assert depth.tolist() == [
        [[0, 1, 2, 3, 0, 0],
         [0, 9, 9, 0, 0, 0],
         [0, 9, 9, 0, 0, 0],
         [0, 0, 0, 0, 0, 0]]
    ]  # fmt: skip
    assert barycentric[0, 0, 1].tolist() == [0.75, 0.25, 0.0]
    assert barycentric[0, 2, 0].tolist() == [0.5, 0.0, 0.5]
    assert barycentric[0, 1, 2].tolist() == [0.5, 0.0, 0.5]
    assert barycentric[0, 2, 2].tolist() == [0.0, 0.5, 0.5]
    assert not barycentric[face < 0].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("image_size", [(1, 1), (1, 30), (30, 1), IMAGE, (40, 33)], ids=str)
def test_rasterize_equals_reference(
    backend: Backend, image_size: tuple[int, int], seed: int, dtype: torch.dtype
) -> None:
    """Sheets folded over themselves at random; a face a few pixels wide."""
    assert_equals_reference(backend, scene(5, dtype, seed), grid_faces(GRID), image_size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
def test_rasterize_equals_reference_at_every_size(backend: Backend, scale: float, dtype: torch.dtype) -> None:
    """Faces far below a pixel, which mostly cover no centre, and faces far larger than the image."""
    points = scale * crumpled(4, 14, 15, dtype=dtype) - (7 * scale - 8) * torch.tensor([1, 1, 0], dtype=dtype)
    assert_equals_reference(backend, points, grid_faces((14, 15)), IMAGE)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_equals_reference_on_huge_faces(backend: Backend, dtype: torch.dtype) -> None:
    call = call_of_huge_faces(backend, dtype)
    points, faces = (argument.cpu() for argument in call.arguments)
    assert_equals_reference(backend, points, faces, (45, 50))
    for one, other in zip(call.gradients(), call.cast(torch.float64).gradients(), strict=True):
        assert_near(one, other.double(), "rasterize", dtype)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_equals_reference_on_arbitrary_meshes(
    backend: Backend, dtype: torch.dtype, index: torch.dtype
) -> None:
    """Triangles between any three vertices, repeated corners, padding and foreign indices among them."""
    generator = torch.Generator().manual_seed(0)
    faces = torch.randint(-1, 44, (4, 50, 3), generator=generator).to(index)
    assert_equals_reference(backend, scene(4, dtype), faces, IMAGE)
    assert_equals_reference(backend, scene(4, dtype), faces[0], IMAGE)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_equals_reference_on_integers(backend: Backend, dtype: torch.dtype) -> None:
    """Small integer coordinates: pixels on edges and corners, coincident vertices, slivers and ties everywhere."""
    generator = torch.Generator().manual_seed(1)
    points = torch.randint(-1, 9, (20, 40, 3), generator=generator).to(dtype)
    faces = torch.randint(0, 40, (20, 25, 3), generator=generator)
    assert_equals_reference(backend, points, faces, (8, 7))


@given(
    corners=st.lists(st.tuples(*[st.integers(-3, 6)] * 3), min_size=3, max_size=12),
    faces=st.lists(st.tuples(*[st.integers(-1, 12)] * 3), max_size=12),
)
def test_rasterize_equals_reference_on_any_mesh(
    backend: Backend, corners: list[tuple[int, ...]], faces: list[tuple[int, ...]]
) -> None:
    points, listed = torch.tensor([corners]).float(), torch.tensor(faces, dtype=torch.int64).reshape(-1, 3)
    assert_equals_reference(backend, points, listed, (4, 5))


def test_rasterize_takes_faces_in_every_form(backend: Backend) -> None:
    """int32, int64, one set an image, padded with indices that name no vertex."""
    rasterize, N = backend.operators.rasterize, GRID[0] * GRID[1]
    points = scene(2, torch.float32).to(backend.device)
    faces = grid_faces(GRID, backend.device)
    expected = rasterize(points, faces, IMAGE)
    padding = torch.tensor([[-1, -1, -1], [0, 1, N], [2**40, 3, 4]], device=backend.device)
    properties.assert_same(rasterize(points, faces.int(), IMAGE), expected)
    properties.assert_same(rasterize(points, faces.expand(2, -1, 3), IMAGE), expected)
    properties.assert_same(rasterize(points, torch.cat((faces, padding)), IMAGE), expected)
    moved = rasterize(points, torch.cat((padding, faces)), IMAGE)
    assert torch.equal(moved.face, torch.where(expected.face < 0, -1, expected.face + 3))
    properties.assert_same(moved[1:], expected[1:])
    each = torch.stack((faces, faces.flip(0))).int()[:, :40]
    for b, own in enumerate(rasterize(points[b : b + 1], each[b], IMAGE) for b in range(2)):
        properties.assert_same(tuple(t[b : b + 1] for t in rasterize(points, each, IMAGE)), own)


@pytest.mark.parametrize("index", INDICES)
def test_rasterize_opcheck(backend: Backend, index: torch.dtype) -> None:
    call = call_of(backend, torch.float32, index=index)
    torch.library.opcheck(backend.library.rasterize.default, (*call.leaves(), *IMAGE))
    points, faces = call.arguments
    face, barycentric, depth = call.outputs()  # the operator itself returns the face last
    grads = [random(*t.shape, seed=7, dtype=torch.float32, device=backend.device) for t in (barycentric, depth)]
    for deterministic in (False, True):
        arguments = (points, faces, face, barycentric, deterministic)
        torch.library.opcheck(backend.library.rasterize_backward.default, (*grads, *arguments))
        torch.library.opcheck(backend.library.rasterize_backward.default, (None, grads[1], *arguments))


@pytest.mark.parametrize("index", INDICES)
def test_rasterize_compiles(backend: Backend, index: torch.dtype) -> None:
    backend.make_repeatable()
    properties.compiles(*(call_of(backend, torch.float32, B, index) for B in (3, 5)))


def test_rasterize_exports(backend: Backend) -> None:
    properties.exports(*(call_of(backend, torch.float32, B) for B in (3, 5)))


def test_rasterize_autocast(backend: Backend) -> None:
    backend.make_repeatable()
    properties.autocast(call_of(backend))


@pytest.mark.parametrize("index", INDICES)
def test_rasterize_noncontiguous(backend: Backend, index: torch.dtype) -> None:
    backend.make_repeatable()
    properties.noncontiguous(call_of(backend, torch.float32, index=index))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rasterize_deterministic(backend: Backend, dtype: torch.dtype) -> None:
    """Repeated, with any number of threads, in any order of the batch, alone or in company."""
    backend.make_repeatable()
    call = call_of(backend, dtype, B=5)
    properties.deterministic(call)
    points, faces = call.arguments
    together = call.outputs()
    properties.assert_same(call.on(points.flip(0), faces).outputs(), tuple(t.flip(0) for t in together))
    for b in range(5):
        properties.assert_same(call.on(points[b : b + 1], faces).outputs(), tuple(t[b : b + 1] for t in together))


def test_rasterize_owns_its_outputs(backend: Backend) -> None:
    properties.owns_outputs(call_of(backend))


def test_rasterize_refuses_a_second_derivative(backend: Backend) -> None:
    properties.refuses_second_derivative(call_of(backend), "rasterize")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("B", "N", "F", "image_size"),
    [(0, 4, 1, (3, 5)), (2, 4, 0, (3, 5)), (2, 0, 1, (3, 5)), (2, 0, 0, (3, 5)), (2, 4, 1, (0, 5)), (2, 4, 1, (3, 0))],
)
def test_rasterize_empty(
    backend: Backend, B: int, N: int, F: int, image_size: tuple[int, int], dtype: torch.dtype
) -> None:
    points = torch.ones(B, N, 3, dtype=dtype, device=backend.device)
    for lead in ((), (B,)):
        faces = torch.zeros(*lead, F, 3, dtype=torch.int64, device=backend.device)

        def function(points: torch.Tensor, faces: torch.Tensor) -> Any:
            return backend.operators.rasterize(points, faces, image_size)

        face, barycentric, depth, grad = Call(function, (points, faces), (0,), (0,)).gradients()
        assert face.shape == depth.shape == (B, *image_size)
        assert barycentric.shape == (B, *image_size, 3)
        assert (face == -1).all()
        assert not barycentric.any()
        assert not depth.any()
        assert grad.shape == points.shape
        assert not grad.any()
