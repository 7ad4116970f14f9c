"""visibility: equal to the reference, and what every operator must do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stn3dmm_cuda import grid_faces, reference

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import BLOCKS, crumpled, photographed, points_of

DTYPES = [torch.float32, torch.float64]
GRID = (12, 13)


def call_of(
    backend: Backend, dtype: torch.dtype = torch.float64, B: int = 3, listed: torch.dtype | None = None
) -> Call:
    """The grid's own triangles, or with `listed` an integer dtype the same triangles as a tensor of it."""
    points = crumpled(B, *GRID, dtype=dtype).to(backend.device)
    if listed is not None:
        faces = grid_faces(GRID, backend.device).to(listed)
        return Call(backend.operators.visibility, (points, faces), learnt=(), batched=(0,))

    def function(points: torch.Tensor) -> Any:
        return backend.operators.visibility(points, grid_shape=GRID)

    return Call(function, (points,), learnt=(), batched=(0,))


def assert_equals_reference(backend: Backend, points: torch.Tensor, **topology: Any) -> None:
    """Not one vertex may differ: same dtype, same expressions."""
    expected = reference.visibility(points, **topology)
    assert 0 < expected.sum() < expected.numel()
    on_device = {name: t.to(backend.device) if isinstance(t, torch.Tensor) else t for name, t in topology.items()}
    actual = backend.operators.visibility(points.to(backend.device), **on_device)
    assert actual.dtype == points.dtype
    assert torch.equal(actual.cpu(), expected), f"{int((actual.cpu() != expected).sum())} vertices differ"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grid_shape", [(2, 2), (3, 40), (12, 13), (33, 31)], ids=str)
def test_visibility_matches_reference(
    backend: Backend, grid_shape: tuple[int, int], seed: int, dtype: torch.dtype
) -> None:
    """Sheets folded over themselves at random."""
    points = crumpled(6, *grid_shape, seed=seed, dtype=dtype)
    assert_equals_reference(backend, points, grid_shape=grid_shape)


@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_matches_reference_on_a_posed_face(backend: Backend, dtype: torch.dtype) -> None:
    scene = photographed(backend, BLOCKS, dtype)
    assert_equals_reference(backend, points_of(scene, reference).cpu(), grid_shape=scene.grid_shape)


@pytest.mark.parametrize("index", [torch.int32, torch.int64])
@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_matches_reference_on_arbitrary_meshes(
    backend: Backend, dtype: torch.dtype, index: torch.dtype
) -> None:
    """Triangles between any three vertices, repeated corners, padding and foreign indices among them."""
    generator = torch.Generator().manual_seed(0)
    faces = torch.randint(-1, 62, (4, 50, 3), generator=generator).to(index)
    points = crumpled(4, 6, 10, dtype=dtype)
    assert_equals_reference(backend, points, faces=faces)
    assert_equals_reference(backend, points, faces=faces[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_matches_reference_on_integers(backend: Backend, dtype: torch.dtype) -> None:
    """Small integer coordinates: coincident vertices, shared edges, slivers and ties everywhere."""
    generator = torch.Generator().manual_seed(1)
    points = torch.randint(0, 7, (20, 40, 3), generator=generator).to(dtype)
    faces = torch.randint(0, 40, (20, 25, 3), generator=generator)
    assert_equals_reference(backend, points, faces=faces)


@given(
    corners=st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=3, max_size=12),
    faces=st.lists(st.tuples(*[st.integers(-1, 12)] * 3), max_size=12),
)
def test_visibility_matches_reference_on_any_mesh(
    backend: Backend, corners: list[tuple[int, ...]], faces: list[tuple[int, ...]]
) -> None:
    points, listed = torch.tensor([corners]).float(), torch.tensor(faces, dtype=torch.int64).reshape(-1, 3)
    actual = backend.operators.visibility(points.to(backend.device), listed.to(backend.device))
    assert torch.equal(actual.cpu(), reference.visibility(points, listed))


def test_visibility_takes_faces_in_every_form(backend: Backend) -> None:
    """The grid's, int32, int64, one set an image, in any order, padded with indices that name no vertex."""
    points = crumpled(2, *GRID, dtype=torch.float32).to(backend.device)
    visibility = backend.operators.visibility
    expected = visibility(points, grid_shape=GRID)
    faces = grid_faces(GRID, backend.device)
    padding = torch.tensor([[-1, -1, -1], [0, 1, 156], [2**40, 3, 4]], device=backend.device)
    assert torch.equal(visibility(points, faces), expected)
    assert torch.equal(visibility(points, faces.int()), expected)
    assert torch.equal(visibility(points, torch.cat((padding, faces))), expected)
    assert torch.equal(visibility(points, faces.expand(2, -1, 3)), expected)
    some = faces.expand(2, -1, 3).int()[:, :100]
    assert torch.equal(visibility(points, some), visibility(points, faces[:100]))
    turned = visibility(points, torch.stack((faces, faces.flip(1))))
    assert torch.equal(turned[0], expected[0])
    assert not (turned[1] * expected[1]).any()


@pytest.mark.parametrize("listed", [None, torch.int32, torch.int64])
def test_visibility_opcheck(backend: Backend, listed: torch.dtype | None) -> None:
    points, *faces = call_of(backend, torch.float32, listed=listed).arguments
    P, Q = GRID if listed is None else (0, 0)
    arguments = (points.requires_grad_(), faces[0] if faces else None, P, Q, "hard", 0.01, 1.0)
    torch.library.opcheck(backend.library.visibility.default, arguments)


@pytest.mark.parametrize("listed", [None, torch.int64])
def test_visibility_compiles(backend: Backend, listed: torch.dtype | None) -> None:
    properties.compiles(*(call_of(backend, torch.float32, B, listed) for B in (3, 5)))


@pytest.mark.parametrize("listed", [None, torch.int64])
def test_visibility_exports(backend: Backend, listed: torch.dtype | None) -> None:
    properties.exports(*(call_of(backend, torch.float32, B, listed) for B in (3, 5)))


@pytest.mark.parametrize("listed", [None, torch.int64])
def test_visibility_autocast(backend: Backend, listed: torch.dtype | None) -> None:
    properties.autocast(call_of(backend, listed=listed))


@pytest.mark.parametrize("listed", [None, torch.int32, torch.int64])
def test_visibility_noncontiguous(backend: Backend, listed: torch.dtype | None) -> None:
    properties.noncontiguous(call_of(backend, torch.float32, listed=listed))


@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_deterministic(backend: Backend, dtype: torch.dtype) -> None:
    """Repeated, with any number of threads, in any order of the batch, alone or in company."""
    call = call_of(backend, dtype, B=7)
    properties.deterministic(call)
    (points,) = call.arguments
    (together,) = call.outputs()
    properties.assert_same(call.on(points.flip(0)).outputs(), (together.flip(0),))
    for b in range(7):
        properties.assert_same(call.on(points[b : b + 1]).outputs(), (together[b : b + 1],))


def test_visibility_owns_its_outputs(backend: Backend) -> None:
    properties.owns_outputs(call_of(backend, listed=torch.int64))


def test_visibility_has_no_gradient(backend: Backend) -> None:
    call = call_of(backend)
    points = call.arguments[0].requires_grad_()
    seen = call.function(points)
    assert not seen.requires_grad
    product = (seen * points[..., 2]).sum()  # it takes part in what has a gradient, as a constant
    (grad,) = torch.autograd.grad(product, points)
    assert torch.equal(grad[..., 2], seen)


@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_empty(backend: Backend, dtype: torch.dtype) -> None:
    visibility = backend.operators.visibility

    def points(B: int, N: int) -> torch.Tensor:
        return torch.zeros(B, N, 3, dtype=dtype, device=backend.device)

    no_faces = torch.zeros(0, 3, dtype=torch.int64, device=backend.device)
    assert visibility(points(0, 6), grid_shape=(2, 3)).shape == (0, 6)
    assert visibility(points(2, 0), grid_shape=(0, 3)).shape == (2, 0)
    assert visibility(points(2, 0), no_faces).shape == (2, 0)
    assert visibility(points(0, 6), no_faces.expand(0, 0, 3)).shape == (0, 6)
    for topology in ({"grid_shape": (1, 6)}, {"grid_shape": (6, 1)}, {"faces": no_faces}, {"faces": no_faces.int()}):
        assert visibility(points(2, 6), **topology).tolist() == [[0.0] * 6] * 2
    assert visibility(points(2, 6), no_faces.expand(2, 0, 3)).tolist() == [[0.0] * 6] * 2
