"""rasterize of numbers and sizes that nobody should pass, and of arguments that do not fit."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stn3dmm_cuda import grid_faces, reference

from .backends import SANITIZED, Backend
from .meshes import joined, sheet
from .scenes import half_cylinder
from .test_rasterize import assert_equals_reference

DTYPES = [torch.float32, torch.float64]
FACES = torch.tensor([[0, 1, 2]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rasterize_of_a_vertex_that_is_not_finite(
    backend: Backend, axis: int, poison: float, dtype: torch.dtype
) -> None:
    """Its faces draw nothing; the other faces and the other image do not notice."""
    points, faces = joined(sheet(0, 8, 5.0), sheet(0, 8, 0.0))
    batch = points.expand(2, -1, -1).clone()
    batch[0, 0, axis] = poison
    leaf = batch.to(backend.device, dtype).requires_grad_()
    face, barycentric, depth = backend.operators.rasterize(leaf, faces.to(backend.device), (8, 8))
    assert set(face[0].flatten().tolist()) == {1, 2}
    assert set(face[1].flatten().tolist()) == {0, 1}
    (grad,) = torch.autograd.grad(depth.sum() + barycentric[..., 1].sum(), leaf)
    assert grad.isfinite().all()
    assert grad[0, 1:4].any()
    assert not grad[0, 0].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_rasterize_of_no_finite_vertex(backend: Backend, poison: float, dtype: torch.dtype) -> None:
    points = torch.full((2, 12, 3), poison, dtype=dtype, device=backend.device)
    fragments = backend.operators.rasterize(points, grid_faces((3, 4), backend.device), (5, 6))
    assert (fragments.face == -1).all()
    assert not fragments.depth.any()


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 1e30), (torch.float64, 1e200)])
def test_rasterize_of_areas_that_overflow(backend: Backend, dtype: torch.dtype, far: float) -> None:
    """They count like corners that are not finite."""
    points, faces = joined(sheet(-far, far, 9.0), sheet(0, 8, 5.0))
    face = backend.operators.rasterize(points[None].to(backend.device, dtype), faces.to(backend.device), (8, 8)).face
    assert set(face.flatten().tolist()) == {2, 3}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("far", [1e3, 1e6, 1e9])
def test_rasterize_of_a_face_around_everything(backend: Backend, far: float, dtype: torch.dtype) -> None:
    points = torch.tensor([[-far, -far, 3.0], [3 * far, -far, 3.0], [-far, 3 * far, 3.0]], dtype=dtype)
    fragments = backend.operators.rasterize(points[None].to(backend.device), FACES.to(backend.device), (70, 90))
    assert (fragments.face == 0).all()
    assert (fragments.depth == 3).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", [(-1e9, 3.0), (1e9, 3.0), (3.0, -1e9), (3.0, 1e9), (3e38, -3e38), (8.0, 3.0)])
def test_rasterize_of_a_face_beside_the_image(backend: Backend, place: tuple[float, float], dtype: torch.dtype) -> None:
    points, faces = sheet(0, 4, 1.0)
    moved = points + torch.tensor([*place, 0.0])
    face = backend.operators.rasterize(moved[None].to(backend.device, dtype), faces.to(backend.device), (8, 8)).face
    assert (face == -1).all()


@pytest.mark.parametrize("bad", [-1, 8, 2**31, 2**32, -(2**40), 2**62])
def test_rasterize_faces_with_foreign_indices_do_not_exist(backend: Backend, bad: int) -> None:
    points, faces = joined(sheet(0, 8, 5.0), sheet(0, 8, 0.0))
    broken = faces.clone()
    broken[0, 1] = broken[1, 2] = bad
    face = backend.operators.rasterize(points[None].float().to(backend.device), broken.to(backend.device), (8, 8)).face
    assert set(face.flatten().tolist()) == {2, 3}


@pytest.mark.parametrize("line", [[(0, 5), (5, 5), (10, 5)], [(5, 5), (5, 5), (5, 5)], [(0, 0), (10, 10), (5, 5)]])
def test_rasterize_degenerate_faces_draw_nothing(backend: Backend, line: list[tuple[int, int]]) -> None:
    points = torch.tensor([[[x, y, 50.0] for x, y in line]], device=backend.device)
    for face in ([0, 1, 2], [0, 2, 0], [1, 1, 1]):
        faces = torch.tensor([face], device=backend.device)
        assert (backend.operators.rasterize(points, faces, (12, 12)).face == -1).all()


number = st.sampled_from([0.0, 1.0, -1.0, 1e-45, 1e-20, 1e20, 3e38, -3e38, math.nan, math.inf, -math.inf]) | st.floats(
    width=32
)


@given(corners=st.lists(st.tuples(number, number, number), min_size=6, max_size=6))
def test_rasterize_equals_reference_on_any_numbers(backend: Backend, corners: list[tuple[float, ...]]) -> None:
    for dtype in DTYPES:
        assert_equals_reference(backend, torch.tensor([corners], dtype=dtype), grid_faces((2, 3)), (4, 5))


@given(
    face=st.lists(st.sampled_from([-(2**63), -1, 0, 1, 2, 3, 2**31, 2**62]), min_size=6, max_size=6),
    deterministic=st.booleans(),
)
def test_rasterize_backward_guards_memory(backend: Backend, face: list[int], deterministic: bool) -> None:
    """Called directly with faces that the mesh does not have, or that name vertices which it does not have."""
    points = torch.rand(1, 4, 3, generator=torch.Generator().manual_seed(0)).to(backend.device)
    faces = torch.tensor([[0, 1, 2], [1, 2, -1], [3, 2**40, 1]], device=backend.device)
    shown = torch.tensor(face, device=backend.device).reshape(1, 2, 3)
    barycentric, grad = (torch.ones(1, 2, 3, 3, device=backend.device) for _ in range(2))
    grad_points = backend.library.rasterize_backward(grad, None, points, faces, shown, barycentric, deterministic)
    assert grad_points.shape == points.shape
    assert not grad_points[:, 3].any()


def test_rasterize_guards_refuse_what_does_not_fit(backend: Backend) -> None:
    device = backend.device
    points, faces = torch.zeros(2, 4, 3, device=device), FACES.to(device)
    library = backend.library
    for arguments, message in (
        ((points[0], faces, 4, 5), r"points must be \(B, N, 3\)"),
        ((points, faces[0], 4, 5), r"faces must be \(F, 3\) or \(B, F, 3\)"),
        ((points, faces.expand(3, 1, 3), 4, 5), r"faces must be \(F, 3\) or \(B, F, 3\)"),
        ((points, faces.float(), 4, 5), "faces must be int32 or int64"),
        ((points, faces, -1, 5), "image_size must be"),
        ((points, faces, 2**31, 2**33), "image_size must be"),
        ((points, faces, 2**24, 2**24), "image_size must be"),
    ):
        with pytest.raises(RuntimeError, match=f"rasterize: {message}"):
            library.rasterize(*arguments)
    barycentric, depth, face = library.rasterize(points, faces, 4, 5)
    for arguments in (
        (barycentric[:1], depth, points, faces, face, barycentric),
        (barycentric, depth[:1], points, faces, face, barycentric),
        (barycentric, depth, points, faces, face[:1], barycentric),
        (barycentric, depth, points, faces, face, barycentric[:1]),
        (barycentric, depth, points, faces, face[0], barycentric),
        (barycentric, depth, points, faces, face.int(), barycentric),
        (barycentric.double(), depth, points, faces, face, barycentric),
        (barycentric, depth.double(), points, faces, face, barycentric),
        (barycentric, depth, points.double(), faces, face, barycentric),
    ):
        with pytest.raises(RuntimeError, match="rasterize_backward: "):
            library.rasterize_backward(*arguments, False)


SECONDS = 5.0  # for one face of 112 x 112 vertices, which takes 1 ms when it is well behaved


def scattered(points: torch.Tensor) -> torch.Tensor:
    """Every triangle half as large as the image."""
    return 224 * torch.rand(points.shape, generator=torch.Generator().manual_seed(0))


def zoomed(points: torch.Tensor) -> torch.Tensor:
    """Triangles of thousands of pixels."""
    return 1e4 * (points - 112) + 112


def from_far_to_near(points: torch.Tensor) -> torch.Tensor:
    """Every triangle covers the image, each nearer than the last."""
    corners = torch.tensor([[-600.0, -600.0, 0.0], [1500.0, -600.0, 0.0], [-600.0, 1500.0, 0.0]])
    many = corners.repeat(points.shape[1] // 3 + 1, 1)[: points.shape[1]]
    many[:, 2] = torch.arange(points.shape[1]) // 3
    return many[None]


@pytest.mark.parametrize("spoil", [scattered, zoomed, from_far_to_near, torch.zeros_like])
def test_rasterize_stays_affordable(
    backend: Backend, spoil: Callable[[torch.Tensor], torch.Tensor], record_property: Callable[[str, object], None]
) -> None:
    """Ugly meshes take longer, but nobody may think that the process hangs."""
    if backend.name == "emulated":
        pytest.skip("an emulated pixel takes a thousand times as long")
    points = spoil(10 * half_cylinder(112, 112).float()[None] * torch.tensor([1.0, -1.0, 1.0]) + 112)
    faces = torch.arange(3000).reshape(-1, 3) if spoil is from_far_to_near else grid_faces((112, 112))
    points, faces = points.to(backend.device), faces.to(backend.device)
    torch.set_num_threads(1)
    start = time.perf_counter()
    share = (backend.operators.rasterize(points, faces, (224, 224)).face >= 0).float().mean().item()
    seconds = time.perf_counter() - start
    record_property("seconds", seconds)
    assert (share > 0) == (spoil is not torch.zeros_like)
    assert seconds < SECONDS or SANITIZED


@pytest.mark.parametrize(
    ("points", "faces", "image_size", "error", "message"),
    [
        (torch.zeros(6, 3), FACES, (4, 5), ValueError,
         "rasterize: points must be (B, N, 3); got (6, 3). Add a batch dimension with points[None]"),
        (torch.zeros(1, 6, 2), FACES, (4, 5), ValueError, "rasterize: points must be (B, N, 3); got (1, 6, 2)"),
        (torch.zeros(1, 6, 3).half(), FACES, (4, 5), TypeError,
         "rasterize: points must be float32 or float64; got torch.float16"),
        (torch.zeros(1, 6, 3).int(), FACES, (4, 5), TypeError, "rasterize: points must be floating; got torch.int32"),
        (None, FACES, (4, 5), TypeError, "rasterize: points must be a torch.Tensor; got NoneType"),
        (torch.zeros(2, 6, 3), torch.zeros(3, 4, 3).long(), (4, 5), ValueError,
         "rasterize: faces must be (F, 3) or (B, F, 3) with B = 2 as in points; got (3, 4, 3)"),
        (torch.zeros(1, 6, 3), torch.zeros(4, 4).long(), (4, 5), ValueError,
         "rasterize: faces must be (F, 3) or (B, F, 3) with B = 1 as in points; got (4, 4)"),
        (torch.zeros(1, 6, 3), torch.zeros(4, 3), (4, 5), TypeError,
         "rasterize: faces must be int32 or int64; got torch.float32. Use faces.long()"),
        (torch.zeros(1, 6, 3), [[0, 1, 2]], (4, 5), TypeError, "rasterize: faces must be a torch.Tensor; got list"),
        (torch.zeros(1, 6, 3), None, (4, 5), TypeError, "rasterize: faces must be a torch.Tensor; got NoneType"),
        (torch.zeros(1, 6, 3), FACES, 4, ValueError, "rasterize: image_size must be two sizes (rows, columns); got 4"),
        (torch.zeros(1, 6, 3), FACES, (4.0, 5), TypeError, "rasterize: image_size must be two integers"),
        (torch.zeros(1, 6, 3), FACES, (-4, 5), ValueError, "rasterize: image_size must hold sizes of 0 or more"),
        (torch.zeros(1, 6, 3), FACES, (1, 2**24 + 1), ValueError,
         "rasterize: image_size must be at most 16777216 pixels a side and fewer than 2^31 in all; got (1, 16777217)"),
        (torch.zeros(1, 6, 3), FACES, (2**16, 2**15), ValueError,
         "rasterize: image_size must be at most 16777216 pixels a side and fewer than 2^31 in all; got (65536, 32768)"),
    ],
)  # fmt: skip
def test_rasterize_rejects_a_bad_argument(
    backend: Backend, points: Any, faces: Any, image_size: Any, error: type[Exception], message: str
) -> None:
    def moved(value: Any) -> Any:
        return value.to(backend.device) if isinstance(value, torch.Tensor) else value

    with pytest.raises(error, match=re.escape(message)):
        backend.operators.rasterize(moved(points), moved(faces), image_size)


def test_rasterize_rejects_another_device(backend: Backend) -> None:
    points = torch.zeros(1, 6, 3, device=backend.device)
    with pytest.raises(ValueError, match=r"rasterize: faces must be on \S+ as points is; got meta"):
        backend.operators.rasterize(points, FACES.to("meta"), (4, 5))


@pytest.mark.parametrize(("points", "faces"), [((6, 3), (1, 3)), ((2, 6, 3), (3, 1, 3)), ((2, 6, 3), (1, 4))])
def test_rasterize_reference_rejects_shapes(points: tuple[int, ...], faces: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"rasterize: (points|faces) must be"):
        reference.rasterize(torch.zeros(points), torch.zeros(faces).long(), (4, 5))
