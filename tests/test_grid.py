"""grid."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from stn3dmm_cuda import reference

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import around_the_image, random

DTYPES = [torch.float32, torch.float64]
GRID, IMAGE = (4, 5), (7, 9)


def call_of(
    backend: Backend, dtype: torch.dtype = torch.float64, B: int = 3, D: int = 3, grid_shape: tuple[int, int] = GRID
) -> Call:
    points = around_the_image(B, grid_shape[0] * grid_shape[1], IMAGE, dtype=dtype)[..., :D]

    def function(points: torch.Tensor) -> Any:
        return backend.operators.grid(points, grid_shape, IMAGE)

    return Call(function, (points.to(backend.device).contiguous(),), learnt=(0,), batched=(0,))


def test_grid_by_hand(backend: Backend) -> None:
    """H = 3, W = 5: the corners of the image, its middle, and a pixel outside."""
    places = [[0.0, 0.0], [4.0, 0.0], [0.0, 2.0], [2.0, 1.0], [-1.0, 3.0], [4.0, 2.0]]
    grid = backend.operators.grid(torch.tensor([places], device=backend.device), (2, 3), (3, 5))
    expected = [[[[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]], [[0.0, 0.0], [-1.5, 2.0], [1.0, 1.0]]]]
    assert grid.tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("D", [2, 3])
def test_grid_matches_reference(backend: Backend, D: int, dtype: torch.dtype) -> None:
    properties.matches_reference(
        call_of(backend, D=D, grid_shape=(45, 47)),
        lambda points: reference.grid(points, (45, 47), IMAGE),
        "grid",
        dtype,
    )


@pytest.mark.parametrize("image_size", [(1, 1), (1, 6), (6, 1)])
def test_grid_matches_reference_on_one_pixel_axes(backend: Backend, image_size: tuple[int, int]) -> None:
    points = around_the_image(1, 6, image_size).to(backend.device)
    grid = backend.operators.grid(points, (2, 3), image_size)
    torch.testing.assert_close(grid, reference.grid(points, (2, 3), image_size))


def test_grid_serves_grid_sample(backend: Backend) -> None:
    """Through PyTorch's own grid_sample the image is the one that sample gives."""
    image, points = random(2, 3, *IMAGE, device=backend.device), around_the_image(2, 20, IMAGE).to(backend.device)
    through = torch.nn.functional.grid_sample(
        image, backend.operators.grid(points, GRID, IMAGE), padding_mode="zeros", align_corners=True
    )
    assert through.any()
    torch.testing.assert_close(through.flatten(2), backend.operators.sample(image, points))


@pytest.mark.parametrize("D", [2, 3])
def test_grid_gradcheck(backend: Backend, D: int) -> None:
    properties.gradcheck(call_of(backend, D=D))


def test_grid_known_gradient(backend: Backend) -> None:
    """2 / (W - 1) = 1/4 by x, 2 / (H - 1) = 1/3 by y, none by depth."""
    call = call_of(backend)
    (points,) = call.leaves()
    (grad,) = torch.autograd.grad(call.function(points).sum(), points)
    expected = torch.tensor([0.25, 1 / 3, 0.0], dtype=torch.float64, device=backend.device)
    torch.testing.assert_close(grad, expected.expand_as(grad))


@pytest.mark.parametrize("D", [2, 3])
def test_grid_opcheck(backend: Backend, D: int) -> None:
    call = call_of(backend, torch.float32, D=D)
    torch.library.opcheck(backend.library.grid.default, (*call.leaves(), *GRID, *IMAGE))
    grad = random(3, *GRID, 2, dtype=torch.float32, device=backend.device)
    torch.library.opcheck(backend.library.grid_backward.default, (grad, D, *IMAGE))


def test_grid_compiles(backend: Backend) -> None:
    properties.compiles(*(call_of(backend, torch.float32, B) for B in (3, 5)))


def test_grid_exports(backend: Backend) -> None:
    properties.exports(*(call_of(backend, torch.float32, B) for B in (3, 5)))


def test_grid_autocast(backend: Backend) -> None:
    properties.autocast(call_of(backend))


@pytest.mark.parametrize("D", [2, 3])
def test_grid_noncontiguous(backend: Backend, D: int) -> None:
    properties.noncontiguous(call_of(backend, torch.float32, D=D))


@pytest.mark.parametrize("dtype", DTYPES)
def test_grid_deterministic(backend: Backend, dtype: torch.dtype) -> None:
    properties.deterministic(call_of(backend, dtype, B=9, grid_shape=(45, 47)))


def test_grid_owns_its_outputs(backend: Backend) -> None:
    properties.owns_outputs(call_of(backend, D=2))


def test_grid_refuses_a_second_derivative(backend: Backend) -> None:
    """The gradient is constant in the points, so only the gradient's gradient can ask."""
    call = call_of(backend)
    (points,) = call.leaves()
    grad_grid = random(3, *GRID, 2, device=backend.device).requires_grad_()
    (grad,) = torch.autograd.grad(call.function(points), points, grad_grid, create_graph=True)
    with pytest.raises(NotImplementedError, match="grid: the second derivative is not implemented"):
        torch.autograd.grad(grad.sum(), grad_grid)


@pytest.mark.parametrize(("B", "grid_shape"), [(0, (2, 3)), (2, (0, 3)), (2, (3, 0)), (0, (0, 0))])
def test_grid_empty(backend: Backend, B: int, grid_shape: tuple[int, int]) -> None:
    grid, grad = call_of(backend, B=B, grid_shape=grid_shape).gradients()
    assert grid.shape == (B, *grid_shape, 2)
    assert grad.shape == (B, 0 if 0 in grid_shape else 6, 3)


@pytest.mark.parametrize(
    ("points", "grid_shape", "image_size", "error", "message"),
    [
        (torch.zeros(6, 3), (2, 3), IMAGE, ValueError,
         "grid: points must be (B, N, 2) or (B, N, 3); got (6, 3). Add a batch dimension with points[None]"),
        (torch.zeros(1, 6, 4), (2, 3), IMAGE, ValueError, "grid: points must be (B, N, 2) or (B, N, 3); got (1, 6, 4)"),
        (torch.zeros(1, 6, 3), (2, 4), IMAGE, ValueError,
         "grid: grid_shape must be (P, Q) with P Q = N = 6; got (2, 4)"),
        (torch.zeros(1, 6, 3), (-2, -3), IMAGE, ValueError,
         "grid: grid_shape must hold sizes of 0 or more; got (-2, -3)"),
        (torch.zeros(1, 6, 3), (2, 3, 1), IMAGE, ValueError,
         "grid: grid_shape must be two sizes (rows, columns); got (2, 3, 1)"),
        (torch.zeros(1, 6, 3), (2, 3), (7, -1), ValueError,
         "grid: image_size must hold sizes of 0 or more; got (7, -1)"),
        (torch.zeros(1, 6, 3), (2, 3), 7, ValueError, "grid: image_size must be two sizes (rows, columns); got 7"),
        (torch.zeros(1, 6, 3), None, IMAGE, ValueError, "grid: grid_shape must be two sizes (rows, columns); got None"),
        (torch.zeros(1, 6, 3).half(), (2, 3), IMAGE, TypeError,
         "grid: points must be float32 or float64; got torch.float16"),
        (torch.zeros(1, 6, 3).short(), (2, 3), IMAGE, TypeError, "grid: points must be floating; got torch.int16"),
        (None, (2, 3), IMAGE, TypeError, "grid: points must be a torch.Tensor; got NoneType"),
    ],
)  # fmt: skip
def test_grid_rejects_a_bad_argument(
    backend: Backend, points: Any, grid_shape: Any, image_size: Any, error: type[Exception], message: str
) -> None:
    points = points.to(backend.device) if isinstance(points, torch.Tensor) else points
    with pytest.raises(error, match=re.escape(message)):
        backend.operators.grid(points, grid_shape, image_size)


@pytest.mark.parametrize("name", ["grid_shape", "image_size"])
def test_grid_rejects_sizes_that_are_no_integers(backend: Backend, name: str) -> None:
    """The remedy must name the argument, not the dispatcher's schema."""
    sizes: dict[str, Any] = {"grid_shape": (2, 3), "image_size": (4, 4), name: (2.0, 3.0)}
    with pytest.raises((TypeError, ValueError), match=f"grid: {name} must"):
        backend.operators.grid(torch.zeros(1, 6, 3, device=backend.device), **sizes)
