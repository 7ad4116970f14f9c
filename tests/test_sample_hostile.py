"""sample on borders, outside, at points that are no numbers, and with arguments that do not fit."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stn3dmm_cuda import reference

from .backends import Backend

H, W = 4, 5


def ramp(backend: Backend) -> torch.Tensor:
    """(1, 1, 4, 5): 1, 2, 3, ... in reading order."""
    return torch.arange(1.0, H * W + 1).reshape(1, 1, H, W).to(backend.device)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (W - 1, 0), (0, H - 1), (W - 1, H - 1), (2, 0), (W - 1, 2), (2, H - 1)])
def test_sample_exact_on_the_border(backend: Backend, x: int, y: int) -> None:
    points = torch.tensor([[[float(x), float(y)]]], device=backend.device)
    assert backend.operators.sample(ramp(backend), points).item() == 1 + W * y + x


@pytest.mark.parametrize(
    ("x", "y", "value"),
    [(-0.5, 1, 3.0), (W - 0.5, 1, 5.0), (2, -0.5, 1.5), (2, H - 0.5, 9.0), (-0.5, -0.5, 0.25), (W - 0.5, H - 0.5, 5.0)],
)
def test_sample_half_a_pixel_outside_is_half(backend: Backend, x: float, y: float, value: float) -> None:
    points = torch.tensor([[[x, y]]], device=backend.device)
    assert backend.operators.sample(ramp(backend), points).item() == value


@pytest.mark.parametrize(("x", "y"), [(-1, 1), (W, 1), (2, -1), (2, H), (-7, 2), (2, 1000)])
def test_sample_zero_from_one_pixel_outside(backend: Backend, x: float, y: float) -> None:
    points = torch.tensor([[[float(x), float(y)]]], device=backend.device)
    assert backend.operators.sample(ramp(backend), points).item() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30, -1e30, 3e38, 2.0**31, -(2.0**31), 2.0**63])
@pytest.mark.parametrize("axis", [0, 1])
def test_sample_is_zero_at_hostile_points(backend: Backend, axis: int, bad: float, dtype: torch.dtype) -> None:
    """And so are its gradients; the next point does not notice."""
    image = ramp(backend).to(dtype).requires_grad_()
    points = torch.tensor([[[1.0, 1.0, 0.0], [1.25, 0.5, 0.0]]], dtype=dtype, device=backend.device)
    points[0, 0, axis] = bad
    points.requires_grad_()
    values = backend.operators.sample(image, points)
    assert values.tolist() == [[[0.0, 4.75]]]
    grad_image, grad_points = torch.autograd.grad(values.sum(), (image, points))
    assert float(grad_image.sum()) == 1.0
    assert grad_points[0].tolist() == [[0.0, 0.0, 0.0], [1.0, 5.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("before", [1e-3, 1e-6, 1e-10, 1e-17, 1e-30])
@pytest.mark.parametrize("axis", [0, 1])
def test_sample_gradient_just_before_the_border(backend: Backend, axis: int, before: float, dtype: torch.dtype) -> None:
    """There the image rises from 0 to its first texel, 1, and the next texel has no part in it."""
    points = torch.zeros(1, 1, 2, dtype=dtype, device=backend.device)
    points[0, 0, axis] = -before
    points.requires_grad_()
    (grad,) = torch.autograd.grad(backend.operators.sample(ramp(backend).to(dtype), points).sum(), points)
    assert grad[0, 0, axis].item() == pytest.approx(1.0, abs=1e-6)


def test_sample_ignores_the_depth(backend: Backend) -> None:
    points = torch.tensor([[[1.5, 1.0, math.nan]]], device=backend.device, requires_grad=True)
    value = backend.operators.sample(ramp(backend), points)
    assert value.item() == 7.5
    assert torch.autograd.grad(value.sum(), points)[0].tolist() == [[[1.0, 5.0, 0.0]]]


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_sample_does_not_leak_texels_outside_the_footprint(backend: Backend, poison: float) -> None:
    """Every other texel is poisoned; the image's ends and the outside are where stand-ins are read."""
    for x, y in ((1.5, 1.5), (0.5, 0.5), (W - 1.5, H - 1.5), (-0.5, 1.5), (W - 0.5, 1.5), (1.5, H - 0.5), (-3.0, 1.5)):
        image = torch.full((1, 1, H, W), poison, device=backend.device)
        column, row = math.floor(x), math.floor(y)
        image[..., max(row, 0) : max(row + 2, 0), max(column, 0) : max(column + 2, 0)] = 1.0
        points = torch.tensor([[[x, y]]], device=backend.device, requires_grad=True)
        value = backend.operators.sample(image, points)
        assert value.isfinite().all(), (x, y)
        assert torch.autograd.grad(value.sum(), points)[0].isfinite().all(), (x, y)


def test_sample_does_not_depend_on_its_neighbours(backend: Backend) -> None:
    """A point next to an infinite texel, in a block with and without points at the border: as grid_sample has it."""
    image = torch.zeros(1, 1, 8, 8, device=backend.device)
    image[..., 1, 1] = math.inf
    here = torch.tensor([[[0.25, 0.25], [0.0, 0.0], [1.0, 1.0], [1.0, 0.5]]], device=backend.device)
    expected = reference.sample(image, here)
    for x in (3.0, -3.0, 7.5):
        neighbour = torch.full((1, 1, 2), x, device=backend.device)
        together = backend.operators.sample(image, torch.cat([here, neighbour], dim=1))[..., :4]
        torch.testing.assert_close(together, expected, equal_nan=True)


@pytest.mark.parametrize("size", [(1, 5), (4, 1), (1, 1)])
def test_sample_on_one_pixel_axes(backend: Backend, size: tuple[int, int]) -> None:
    """The only row or column fades to 0 one pixel away on either side."""
    image = torch.full((1, 1, *size), 8.0, device=backend.device)
    y, x = (size[0] - 1) / 2, (size[1] - 1) / 2
    places = [[x, y], *([[x - 0.25, y], [x + 0.25, y], [x + 1, y]] if size[1] == 1 else [])]
    places += [[x, y - 0.25], [x, y + 0.25], [x, y - 1]] if size[0] == 1 else []
    points = torch.tensor([places], device=backend.device)
    expected = [8.0, *([6.0, 6.0, 0.0] * ((len(places) - 1) // 3))]
    assert backend.operators.sample(image, points)[0, 0].tolist() == expected


coordinate = st.floats(width=32) | st.sampled_from([-1.0, -0.5, 0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 2.0**31])


@given(places=st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=20))
def test_sample_matches_reference_anywhere(backend: Backend, places: list[tuple[float, float]]) -> None:
    """Any two float32 numbers whatsoever, kinks included: values and gradients."""
    results = []
    for function in (backend.operators.sample, reference.sample):
        image = ramp(backend).requires_grad_()
        points = torch.tensor([places], dtype=torch.float32, device=backend.device, requires_grad=True)
        values = function(image, points)
        results.append((values, *torch.autograd.grad(values.sum(), (image, points))))
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def image_and_points() -> list[Any]:
    return [torch.zeros(2, 3, H, W), torch.zeros(2, 6, 3)]


@pytest.mark.parametrize(
    ("argument", "value", "error", "message"),
    [
        (0, torch.zeros(3, H, W), ValueError,
         "sample: image must be (B, C, H, W) with at least one pixel; got (3, 4, 5). Add a batch dimension "
         "with image[None]"),
        (0, torch.zeros(2, 3, 0, W), ValueError,
         "sample: image must be (B, C, H, W) with at least one pixel; got (2, 3, 0, 5)"),
        (0, torch.zeros(2, 3, H, W).byte(), TypeError,
         "sample: image must be floating; got torch.uint8. Use image.float() / 255"),
        (0, torch.zeros(2, 3, H, W).double(), TypeError,
         "sample: image must be torch.float32 as points is (or float16 or bfloat16 with float32 points); got "
         "torch.float64"),
        (0, None, TypeError, "sample: image must be a torch.Tensor; got NoneType"),
        (1, torch.zeros(6, 3), ValueError,
         "sample: points must be (B, N, 2) or (B, N, 3); got (6, 3). Add a batch dimension with points[None]"),
        (1, torch.zeros(2, 6, 4), ValueError, "sample: points must be (B, N, 2) or (B, N, 3); got (2, 6, 4)"),
        (1, torch.zeros(1, 6, 3), ValueError,
         "sample: points must have B = 2 as in image; got (1, 6, 3). Expand the one of batch size 1 with .expand"),
        (1, torch.zeros(2, 6, 3).half(), TypeError, "sample: points must be float32 or float64; got torch.float16"),
        (1, torch.zeros(2, 6, 3).long(), TypeError, "sample: points must be floating; got torch.int64"),
        (1, [[0.0, 0.0]], TypeError, "sample: points must be a torch.Tensor; got list"),
    ],
)  # fmt: skip
def test_sample_rejects_a_bad_argument(
    backend: Backend, argument: int, value: Any, error: type[Exception], message: str
) -> None:
    arguments = image_and_points()
    arguments[argument] = value
    arguments = [a.to(backend.device) if isinstance(a, torch.Tensor) else a for a in arguments]
    with pytest.raises(error, match=re.escape(message)):
        backend.operators.sample(*arguments)


def test_sample_rejects_half_images_of_float64_points(backend: Backend) -> None:
    image, points = (a.to(backend.device) for a in image_and_points())
    with pytest.raises(TypeError, match=r"sample: image must be torch\.float64 as points is .* got torch\.bfloat16"):
        backend.operators.sample(image.bfloat16(), points.double())


def test_sample_rejects_another_device(backend: Backend) -> None:
    image, points = (a.to(backend.device) for a in image_and_points())
    with pytest.raises(
        ValueError, match=r"sample: points must be on meta as image is; got \S+\. Use points\.to\(image"
    ):
        backend.operators.sample(image.to("meta"), points)
