"""warp with soft visibility: the mask pulls theta, through every vertex that hides or is hidden."""

from __future__ import annotations

import pytest
import torch

from stn3dmm_cuda import reference
from stn3dmm_cuda.layers import Masking

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import BLOCKS, SMALL, Size, photographed, points_of, random
from .test_warp import call_of

DTYPES = [torch.float32, torch.float64]
SETTINGS = {"tolerance": 0.1, "temperature": 0.7}
FOLDED = SMALL._replace(P=9, Q=10)  # fine enough for the nose to hide something
WARP_TOLERANCE = {torch.float32: 2e-4, torch.float64: 1e-12}  # winners of slivers have steep planes


def mask_gradient(backend: Backend, operators: object, size: Size, dtype: torch.dtype, loss: str) -> torch.Tensor:
    """The gradient to theta of a weighted mask, or of a masked texture."""
    scene = photographed(backend, size, dtype)
    theta = scene.theta.requires_grad_()
    texture, mask, _ = operators.warp(  # type: ignore[attr-defined]
        scene.image, theta, scene.mean, scene.basis, scene.grid_shape, visibility="soft", **SETTINGS
    )
    weighted = mask if loss == "mask" else Masking()(texture, mask)
    (grad,) = torch.autograd.grad((weighted * random(*weighted.shape, device=backend.device).to(dtype)).sum(), theta)
    return grad


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["mask", "masked texture"])
@pytest.mark.parametrize("size", [FOLDED, BLOCKS, BLOCKS._replace(B=2, K=0), BLOCKS._replace(C=1, K=1)], ids=str)
def test_warp_soft_gradient_matches_reference(backend: Backend, size: Size, loss: str, dtype: torch.dtype) -> None:
    expected = mask_gradient(backend, reference, size, torch.float64, loss)
    actual = mask_gradient(backend, backend.operators, size, dtype, loss)
    assert expected.any()
    assert actual.dtype == dtype
    assert (actual - expected).abs().max() <= WARP_TOLERANCE[dtype] * expected.abs().max()


def test_warp_soft_gradcheck(backend: Backend) -> None:
    properties.gradcheck(call_of(backend, FOLDED, visibility="soft"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_warp_soft_gradient_is_the_operators_chained(backend: Backend, dtype: torch.dtype) -> None:
    scene = photographed(backend, BLOCKS, dtype)
    scene.theta.requires_grad_()
    points = points_of(scene, backend.operators)
    seen = backend.operators.visibility(points, grid_shape=scene.grid_shape, mode="soft", **SETTINGS)
    x, y = points[..., 0], points[..., 1]
    mask = seen * ((x >= 0) & (x <= BLOCKS.W - 1) & (y >= 0) & (y <= BLOCKS.H - 1))
    weight = random(*mask.shape, device=backend.device).to(dtype)
    (chained,) = torch.autograd.grad((mask * weight).sum(), scene.theta)
    fused = mask_gradient(backend, backend.operators, BLOCKS, dtype, "mask").reshape(chained.shape)
    assert chained.any()
    expected = mask_gradient(backend, reference, BLOCKS, torch.float64, "mask")
    bound = WARP_TOLERANCE[dtype] * expected.abs().max()
    assert (fused - expected).abs().max() <= bound
    assert (chained - expected).abs().max() <= bound


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("B", [1, 11])
def test_warp_soft_deterministic(backend: Backend, B: int, dtype: torch.dtype) -> None:
    """The gradient to theta without asking for it, through scatters to the winners, too."""
    call = call_of(backend, BLOCKS._replace(B=B), dtype, "soft", learnt=(1,))
    properties.deterministic(call)


def test_warp_soft_compiles(backend: Backend) -> None:
    sizes = [FOLDED._replace(B=B) for B in (3, 5)]
    properties.compiles(*(call_of(backend, size, torch.float32, "soft", learnt=(1,)) for size in sizes))


def test_warp_soft_exports(backend: Backend) -> None:
    properties.exports(*(call_of(backend, FOLDED._replace(B=B), torch.float32, "soft") for B in (3, 5)))


def test_warp_soft_refuses_a_second_derivative(backend: Backend) -> None:
    properties.refuses_second_derivative(call_of(backend, visibility="soft"), "warp")


def test_warp_soft_noncontiguous(backend: Backend) -> None:
    properties.noncontiguous(call_of(backend, FOLDED, torch.float32, "soft", learnt=(1,)))


def test_warp_soft_of_an_unsound_theta(backend: Backend) -> None:
    """Its mask is 0 and pulls nothing; the others do not notice."""
    image, theta, *others = call_of(backend, BLOCKS, torch.float32, "soft").arguments
    call = call_of(backend, BLOCKS, torch.float32, "soft", learnt=(1,))
    spoilt = theta.clone()
    spoilt[2, 1] = torch.nan
    clean, bad = call.on(image, theta, *others), call.on(image, spoilt, *others)
    masks = [backend_mask(c) for c in (clean, bad)]
    assert not masks[1][0][2].any()
    assert not masks[1][1][2].any()
    kept = [b for b in range(BLOCKS.B) if b != 2]
    for one, other in zip(*masks, strict=True):
        assert torch.equal(one[kept], other[kept])


def backend_mask(call: Call) -> tuple[torch.Tensor, torch.Tensor]:
    """The mask, and the gradient of its sum to theta."""
    leaves = call.leaves()
    mask = call.function(*leaves).mask
    return mask.detach(), torch.autograd.grad(mask.sum(), leaves[1])[0]


def test_warp_soft_of_no_vertex_or_image(backend: Backend) -> None:
    for size in (SMALL._replace(B=0), SMALL._replace(P=0), SMALL._replace(P=1)):
        mask, grad = backend_mask(call_of(backend, size, torch.float32, "soft", learnt=(1,)))
        assert mask.shape == (size.B, 1, size.P, size.Q)
        assert grad.shape == (size.B, 6 + size.K)
        assert not grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_warp_soft_takes_half_images(backend: Backend, dtype: torch.dtype) -> None:
    """The mask and its pull do not look at the image; another instruction set may make them."""
    call = call_of(backend, BLOCKS, torch.float32, "soft", learnt=(1,))
    image, *others = call.arguments
    for half, full in zip(backend_mask(call.on(image.to(dtype), *others)), backend_mask(call), strict=True):
        torch.testing.assert_close(half, full, rtol=0, atol=2e-4 * full.abs().max().item())
