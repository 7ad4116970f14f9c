"""The gradient to the image under deterministic algorithms: right, in any order the same, at any magnitude."""

from __future__ import annotations

import math

import pytest
import torch

from stn3dmm_cuda import reference

from . import properties
from .backends import Backend
from .scenes import around_the_image, random
from .test_sample import call_of

DTYPES = [torch.float32, torch.float64]
HALF = [torch.float16, torch.bfloat16]
IMAGE = (3, 4)


@pytest.fixture(autouse=True)
def deterministic_algorithms(settings_restored: None) -> None:
    torch.use_deterministic_algorithms(True)


def gradient(backend: Backend, grad: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """To an image of the size and dtype of `grad` (B, C, N)."""
    image = torch.zeros(*grad.shape[:2], *IMAGE, dtype=grad.dtype)
    arguments = (t.to(backend.device) for t in (grad, image, points))
    grad_image: torch.Tensor = backend.library.sample_backward(*arguments, True, False, True)[0].cpu()
    return grad_image


def exact(grad: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """The reference in float64."""
    image = torch.zeros(*grad.shape[:2], *IMAGE, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(reference.sample(image, points.double()), image, grad.double())[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("image_size", [(7, 9), (1, 9), (9, 1), (1, 1)], ids=str)
def test_sample_deterministic_matches_reference(
    backend: Backend, image_size: tuple[int, int], dtype: torch.dtype
) -> None:
    """Several hundred points on few texels: more than one span of gradients, too."""
    call = call_of(backend, B=2, C=5, N=4200, image_size=image_size)
    properties.matches_reference(call, reference.sample, "sample", dtype)


@pytest.mark.parametrize("dtype", [*DTYPES, *HALF])
def test_sample_deterministic_does_not_depend_on_the_order_of_points(backend: Backend, dtype: torch.dtype) -> None:
    """Not in one bit; where sums follow the points' order, but for rounding."""
    points = around_the_image(2, 700, IMAGE, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    grad = random(2, 3, 700).to(dtype)
    expected = gradient(backend, grad, points)
    for seed in range(3):
        order = torch.randperm(700, generator=torch.Generator().manual_seed(seed))
        actual = gradient(backend, grad[..., order], points[:, order])
        assert backend.ordered_sums or torch.equal(actual, expected)
        torch.testing.assert_close(actual, expected, rtol=0.01, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(torch.float32, size) for size in (1e-44, 1e-40, 1e-30, 1.0, 3e38)]
    + [(torch.float64, size) for size in (1e-323, 1e-310, 1e-300, 1.0, 1e300, 1.7e308)],
)
def test_sample_deterministic_of_one_point_is_exact(backend: Backend, dtype: torch.dtype, size: float) -> None:
    """One contribution a texel leaves nothing to add, and nothing of it is lost at any magnitude."""
    points = torch.tensor([[[1.25, 0.5]]], dtype=dtype)
    grad = torch.full((1, 1, 1), size, dtype=dtype)
    expected = torch.zeros(1, 1, *IMAGE, dtype=dtype)
    expected[0, 0, :2, 1] = 0.375 * grad.item()
    expected[0, 0, :2, 2] = 0.125 * grad.item()
    assert torch.equal(gradient(backend, grad, points), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sample_deterministic_has_a_scale_for_every_plane(backend: Backend, dtype: torch.dtype) -> None:
    """A plane of huge gradients takes nothing from one of tiny ones."""
    sizes = torch.tensor([1e30, 1.0, 1e-30, 0.0, 1e-6, 1e12], dtype=torch.float64).reshape(2, 3, 1)
    points = around_the_image(2, 300, IMAGE, dtype=dtype)
    grad = (sizes * random(2, 3, 300)).to(dtype)
    actual, expected = gradient(backend, grad, points).double(), exact(grad, points)
    error = (actual - expected).abs().amax(dim=(2, 3))
    assert (error <= 2e-6 * expected.abs().amax(dim=(2, 3))).all()
    assert not actual[1, 0].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_sample_deterministic_sums_that_cancel(backend: Backend, dtype: torch.dtype) -> None:
    """Equal and opposite gradients leave nothing, whatever lies between them."""
    points = around_the_image(1, 200, IMAGE, dtype=dtype)
    grad = (10 ** random(1, 2, 200, seed=4)).to(dtype)
    both = gradient(backend, torch.cat([grad, -grad.flip(2)], dim=2), torch.cat([points, points.flip(1)], dim=1))
    largest = grad.abs().max().item()
    assert both.abs().max().item() <= (0.0 if not backend.ordered_sums else 1e-5 * largest)


@pytest.mark.parametrize("dtype", [*DTYPES, *HALF])
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_sample_deterministic_keeps_what_is_not_finite_at_its_texels(
    backend: Backend, poison: float, dtype: torch.dtype
) -> None:
    """Exactly where the CPU has it; the other texels are what they are without."""
    coordinates = torch.float64 if dtype == torch.float64 else torch.float32
    points = torch.tensor([[[0.25, 0.5], [2.5, 1.0], [1.5, 1.5], [-0.5, 2.0], [9.0, 9.0]]], dtype=coordinates)
    grad = random(1, 2, 5).to(dtype)
    clean = gradient(backend, grad, points)
    for n in range(5):
        spoilt = grad.clone()
        spoilt[0, 0, n] = poison
        actual = gradient(backend, spoilt, points)
        on_cpu = torch.ops.stn3dmm.sample_backward(
            spoilt, torch.zeros(1, 2, *IMAGE, dtype=dtype), points, True, False, True
        )[0]
        assert torch.equal(actual.isnan(), on_cpu.isnan())
        assert torch.equal(actual.isinf(), on_cpu.isinf())
        finite = on_cpu.isfinite()
        assert finite.sum() == actual.numel() - [4, 2, 4, 1, 0][n]
        torch.testing.assert_close(actual[finite], clean[finite])
    opposite = grad.clone()
    opposite[0, 0, 0], opposite[0, 0, 2] = math.inf, -math.inf
    meeting = gradient(backend, opposite, points)[0, 0]
    assert meeting[1, 1].isnan()  # the only texel that both points reach
    assert meeting.isnan().sum() == 1


@pytest.mark.parametrize("dtype", [*DTYPES, *HALF])
def test_sample_deterministic_of_zeros_is_zero(backend: Backend, dtype: torch.dtype) -> None:
    points = around_the_image(1, 50, IMAGE, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    for zero in (0.0, -0.0):
        assert not gradient(backend, torch.full((1, 2, 50), zero, dtype=dtype), points).any()


@pytest.mark.parametrize("dtype", HALF)
def test_sample_deterministic_rounds_half_images_once(backend: Backend, dtype: torch.dtype) -> None:
    points = around_the_image(2, 400, IMAGE, dtype=torch.float32)
    grad = random(2, 3, 400).to(dtype)
    assert torch.equal(gradient(backend, grad, points), gradient(backend, grad.float(), points).to(dtype))


@pytest.mark.parametrize(("B", "C", "N"), [(0, 3, 5), (2, 0, 5), (2, 3, 0)])
def test_sample_deterministic_of_nothing(backend: Backend, B: int, C: int, N: int) -> None:
    grad = torch.zeros(B, C, N)
    assert gradient(backend, grad, torch.zeros(B, N, 2)).shape == (B, C, *IMAGE)
    assert not gradient(backend, grad, torch.zeros(B, N, 2)).any()


def test_sample_deterministic_is_asked_of_pytorch(backend: Backend) -> None:
    """The operator's flag follows PyTorch's setting; neither way warns or raises."""
    image, points = call_of(backend, torch.float32, N=600).arguments
    grads = []
    for deterministic in (True, False):
        torch.use_deterministic_algorithms(deterministic)
        leaf = image.clone().requires_grad_()
        grads.append(torch.autograd.grad(backend.operators.sample(leaf, points).square().sum(), leaf)[0])
    torch.testing.assert_close(*grads, rtol=1e-5, atol=1e-5)
