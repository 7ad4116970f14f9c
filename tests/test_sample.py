"""sample: its values and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from stn3dmm_cuda import reference

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import around_the_image, is_clear_of_kinks, random

DTYPES = [torch.float32, torch.float64]
HALF = [torch.float16, torch.bfloat16]
IMAGE = (7, 9)


def call_of(
    backend: Backend,
    dtype: torch.dtype = torch.float64,
    B: int = 2,
    C: int = 3,
    N: int = 40,
    D: int = 3,
    image_size: tuple[int, int] = IMAGE,
) -> Call:
    image = random(B, C, *image_size, dtype=torch.float32, device=backend.device).to(dtype)
    points = around_the_image(B, N, image_size, dtype=dtype).to(backend.device)[..., :D].contiguous()
    return Call(backend.operators.sample, (image, points), learnt=(0, 1), batched=(0, 1))


def test_sample_by_hand(backend: Backend) -> None:
    image = torch.tensor([[[[1.0, 2.0], [3.0, 8.0]], [[10.0, 20.0], [30.0, 80.0]]]], device=backend.device)
    places = [[0.0, 0.0], [1.0, 1.0], [0.5, 0.5], [0.25, 0.0], [-0.5, 0.0], [1.0, 1.75], [-1.0, 0.0], [2.0, 1.0]]
    points = torch.tensor([places], device=backend.device)
    expected = [1.0, 8.0, 3.5, 1.25, 0.5, 2.0, 0.0, 0.0]
    assert backend.operators.sample(image, points).tolist() == [[expected, [10 * value for value in expected]]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("D", [2, 3])
@pytest.mark.parametrize("image_size", [(7, 9), (9, 7), (1, 9), (9, 1), (1, 1), (2, 2)], ids=str)
def test_sample_matches_reference(backend: Backend, image_size: tuple[int, int], D: int, dtype: torch.dtype) -> None:
    """More than two blocks of points, inside, across the border and outside, images of one row or column too."""
    call = call_of(backend, B=3, N=600, D=D, image_size=image_size)
    properties.matches_reference(call, reference.sample, "sample", dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("C", [1, 2, 5])
@pytest.mark.parametrize("N", [1, 7, 16, 255, 256, 257])
def test_sample_matches_reference_at_the_ends_of_blocks(backend: Backend, N: int, C: int, dtype: torch.dtype) -> None:
    call = call_of(backend, C=C, N=N, image_size=(2, 3))
    image, points = call.arguments
    points[:, -1, :2] = torch.tensor([1.25, 0.5], device=backend.device)  # the last one is certainly inside
    properties.matches_reference(call.on(image, points), reference.sample, "sample", dtype)


def test_sample_matches_grid_sample(backend: Backend) -> None:
    """PyTorch's own, values and both gradients."""
    call = call_of(backend)
    image, points = call.arguments

    def through(image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        grid = reference.grid(points, (5, 8), IMAGE)
        return F.grid_sample(image, grid, padding_mode="zeros", align_corners=True).flatten(2)

    for actual, expected in zip(
        call.gradients(), Call(through, (image, points), (0, 1), (0, 1)).gradients(), strict=True
    ):
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("D", [2, 3])
def test_sample_gradcheck(backend: Backend, D: int) -> None:
    call = call_of(backend, B=1, C=2, N=20, D=D, image_size=(4, 5))
    values = call.outputs()[0]
    assert is_clear_of_kinks(call.arguments[1])
    assert (values != 0).any()
    assert (values == 0).any()
    properties.gradcheck(call)


def test_sample_known_gradient(backend: Backend) -> None:
    """On the ramp 2 x + 5 y: (2, 5) to the point, the four bilinear weights to the texels, 0 to the depth."""
    y, x = torch.meshgrid(torch.arange(3.0), torch.arange(4.0), indexing="ij")
    image = (2 * x + 5 * y)[None, None].to(backend.device).requires_grad_()
    points = torch.tensor([[[1.25, 0.5, 7.0]]], device=backend.device, requires_grad=True)
    value = backend.operators.sample(image, points)
    assert value.tolist() == [[[5.0]]]
    grad_image, grad_points = torch.autograd.grad(value.sum(), (image, points))
    assert grad_points.tolist() == [[[2.0, 5.0, 0.0]]]
    weights = torch.zeros(3, 4)
    weights[0:2, 1:3] = torch.tensor([[0.375, 0.125], [0.375, 0.125]])
    assert torch.equal(grad_image[0, 0].cpu(), weights)


def test_sample_gradient_on_a_texel_is_from_the_right(backend: Backend) -> None:
    """docs/math.md#sample: at an integer the derivative is that of the cell to the right and below."""
    image = torch.tensor([[[[1.0, 4.0, 9.0], [2.0, 6.0, 12.0]]]], device=backend.device)
    points = torch.tensor([[[1.0, 0.0]]], device=backend.device, requires_grad=True)
    (grad,) = torch.autograd.grad(backend.operators.sample(image, points).sum(), points)
    assert grad.tolist() == [[[5.0, 2.0]]]


@pytest.mark.parametrize("learnt", [(0,), (1,)])
def test_sample_computes_the_gradients_asked_for(backend: Backend, learnt: tuple[int, ...]) -> None:
    backend.make_repeatable()
    call = call_of(backend)
    every = call.gradients()[1:]
    some = Call(call.function, call.arguments, learnt, call.batched).gradients()[1:]
    properties.assert_same(some, tuple(every[i] for i in learnt))


@pytest.mark.parametrize("D", [2, 3])
def test_sample_opcheck(backend: Backend, D: int) -> None:
    call = call_of(backend, torch.float32, D=D)
    torch.library.opcheck(backend.library.sample.default, call.leaves())
    grad = random(2, 3, 40, dtype=torch.float32, device=backend.device)
    for needed in ((True, True), (True, False), (False, True)):
        arguments = (grad, *call.arguments, *needed, False)
        torch.library.opcheck(backend.library.sample_backward.default, arguments)


@pytest.mark.parametrize("dtype", HALF)
def test_sample_opcheck_of_half_images(backend: Backend, dtype: torch.dtype) -> None:
    image, points = call_of(backend, torch.float32).arguments
    torch.library.opcheck(backend.library.sample.default, (image.to(dtype).requires_grad_(), points.requires_grad_()))


def test_sample_compiles(backend: Backend) -> None:
    backend.make_repeatable()
    properties.compiles(*(call_of(backend, torch.float32, B=B) for B in (3, 5)))


def test_sample_exports(backend: Backend) -> None:
    properties.exports(*(call_of(backend, torch.float32, B=B) for B in (3, 5)))


def test_sample_autocast(backend: Backend) -> None:
    backend.make_repeatable()
    properties.autocast(call_of(backend))


@pytest.mark.parametrize("D", [2, 3])
def test_sample_noncontiguous(backend: Backend, D: int) -> None:
    backend.make_repeatable()
    properties.noncontiguous(call_of(backend, torch.float32, N=300, D=D))


@pytest.mark.parametrize("dtype", DTYPES)
def test_sample_deterministic(backend: Backend, dtype: torch.dtype) -> None:
    torch.use_deterministic_algorithms(True)
    call = call_of(backend, dtype, B=3, N=900)
    properties.deterministic(call)


def test_sample_owns_its_outputs(backend: Backend) -> None:
    properties.owns_outputs(call_of(backend))


def test_sample_refuses_a_second_derivative(backend: Backend) -> None:
    properties.refuses_second_derivative(call_of(backend), "sample")


@pytest.mark.parametrize(("B", "C", "N"), [(0, 3, 5), (2, 0, 5), (2, 3, 0)])
def test_sample_empty(backend: Backend, B: int, C: int, N: int) -> None:
    call = call_of(backend, B=B, C=C, N=N)
    samples, *grads = call.gradients()
    assert samples.shape == (B, C, N)
    for grad, argument in zip(grads, call.arguments, strict=True):
        assert grad.shape == argument.shape
        assert not grad.any()


@pytest.mark.parametrize("dtype", HALF)
def test_sample_accumulates_half_images_in_float32(backend: Backend, dtype: torch.dtype) -> None:
    """The float32 result, rounded once; so are the sums of the gradient to the image, of some hundred points each."""
    backend.make_repeatable()
    image, points = call_of(backend, torch.float32, N=600, image_size=(2, 3)).arguments
    half, full = image.to(dtype), image.to(dtype).float()
    samples = backend.operators.sample(half, points)
    assert samples.dtype == dtype
    assert torch.equal(samples, backend.operators.sample(full, points).to(dtype))
    weight = random(2, 3, 600, seed=3, device=backend.device).to(dtype)
    grads = []
    for values in (half, full):
        leaves = (values.requires_grad_(), points.detach().requires_grad_())
        grads.append(torch.autograd.grad(backend.operators.sample(*leaves), leaves, weight.to(values.dtype)))
    assert grads[0][0].dtype == dtype
    assert grads[0][1].dtype == torch.float32
    assert torch.equal(grads[0][0], grads[1][0].to(dtype))
    torch.testing.assert_close(grads[0][1], grads[1][1])
