"""warp across the seams of its kernels: groups of images, chunks of vertices, tiles of modes, many landmarks."""

from __future__ import annotations

import pytest
import torch

from stn3dmm_cuda import reference
from stn3dmm_cuda.results import Warp

from . import properties
from .backends import Backend, cpu
from .scenes import BLOCKS, SMALL, Size, photographed, random
from .test_warp import call_of

DTYPES = [torch.float32, torch.float64]
HALF = [torch.float16, torch.bfloat16]

# 272 vertices are a chunk of 256 and a rest that is not a whole warp.
CHUNKS = Size(B=7, C=5, H=9, W=8, P=17, Q=16, K=5)
SIZES = {
    "one image a group": CHUNKS,
    "two groups of four": CHUNKS._replace(B=8),
    "a group of four and a rest": CHUNKS._replace(B=9, C=4),
    "four groups of eight and a rest": CHUNKS._replace(B=33, C=1),
    "a tile of modes": CHUNKS._replace(K=32),
    "a tile of modes and a rest": CHUNKS._replace(B=9, C=1, K=35),
    "more modes than threads": Size(B=2, C=1, H=9, W=8, P=4, Q=5, K=300),
    "bands of blocks on the CPU": Size(B=9, C=1, H=9, W=8, P=37, Q=31, K=84),  # two blocks and one, or one each
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(SIZES))
def test_warp_groups_match_reference(backend: Backend, name: str, dtype: torch.dtype) -> None:
    size = SIZES[name]
    call = call_of(backend, size, visibility="none")
    expected = call_of(backend, size, visibility="none", operators=reference).function
    properties.matches_reference(call, expected, "warp", dtype)


def test_warp_bands_do_not_depend_on_threads() -> None:
    """Ranges that begin within a band, for any number of blocks a band."""
    for K in (3, 84):
        call = call_of(cpu(), SIZES["bands of blocks on the CPU"]._replace(K=K), torch.float32, visibility="none")
        results = []
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            results.append(call.gradients())
        for result in results[1:]:
            properties.assert_same(results[0], result)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [SMALL, BLOCKS, CHUNKS._replace(B=33, C=1)], ids=str)
def test_warp_deterministic_matches_reference(backend: Backend, size: Size, dtype: torch.dtype) -> None:
    torch.use_deterministic_algorithms(True)
    call = call_of(backend, size, visibility="none")
    expected = call_of(backend, size, visibility="none", operators=reference).function
    properties.matches_reference(call, expected, "warp", dtype)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("size", [SMALL, BLOCKS, CHUNKS._replace(B=33, C=1)], ids=str)
def test_warp_rounds_the_gradient_to_half_images_once(backend: Backend, size: Size, dtype: torch.dtype) -> None:
    """As the float32 gradient of the same numbers, to the last bit but one."""
    torch.use_deterministic_algorithms(True)
    image, theta, mean, basis, *_ = call_of(backend, size, torch.float32).arguments
    weight = random(*image.shape[:2], size.P, size.Q, device=backend.device).to(dtype)
    results = []
    for cast in (dtype, torch.float32):
        no_mask = (torch.zeros(0, dtype=torch.int64, device=backend.device), size.P, size.Q, 0.01, 1.0)
        tensors = (image.to(dtype).to(cast), theta, mean, basis, None)
        arguments = (weight.to(cast), None, None, *tensors, *no_mask, True, True, True)
        results.append(backend.library.warp_backward(*arguments))
    (half, half_theta), (full, full_theta) = results
    assert half.dtype == dtype
    unit = torch.finfo(dtype).eps
    torch.testing.assert_close(half, full.to(dtype), rtol=unit, atol=unit / 16)
    torch.testing.assert_close(half_theta, full_theta, rtol=1e-5, atol=1e-5 * full_theta.abs().max().item())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("part", ["landmarks", "both"])
def test_warp_of_many_landmarks(backend: Backend, part: str, dtype: torch.dtype) -> None:
    """More than a block's threads, the same ones again and again, and some that do not exist."""
    size = BLOCKS._replace(B=3)
    index = torch.arange(600) * 7 % (size.P * size.Q + 40) - 20
    gradients = []
    for operators, kind in ((backend.operators, dtype), (reference, torch.float64)):
        scene = photographed(backend, size, kind)
        theta = scene.theta.requires_grad_()
        result: Warp = operators.warp(
            scene.image, theta, scene.mean, scene.basis, scene.grid_shape, visibility="none",
            landmarks=index.to(backend.device),
        )  # fmt: skip
        weight = random(*result.landmarks.shape, device=backend.device).to(kind)
        loss = (result.landmarks.nan_to_num() * weight).sum() + (result.texture.sum() if part == "both" else 0)
        gradients.append((result.landmarks.detach(), torch.autograd.grad(loss, theta)[0]))
    (points, grad), (expected_points, expected_grad) = gradients
    assert torch.equal(points.isnan(), expected_points.isnan())
    unit = 2e-5 if dtype == torch.float32 else 5e-14
    for actual, expected in ((points, expected_points), (grad, expected_grad)):
        expected = expected.nan_to_num()
        assert (actual.nan_to_num() - expected).abs().max() <= unit * expected.abs().max()


def test_warp_landmarks_of_an_unsound_theta_leave_others_alone(backend: Backend) -> None:
    """Without a texture: only the landmarks' sums meet the spoilt image."""
    scene = photographed(backend, BLOCKS, torch.float32)
    index = torch.tensor([5, 0, -1, 322], device=backend.device)
    grad = random(BLOCKS.B, 4, 2, dtype=torch.float32, device=backend.device)

    def backward(theta: torch.Tensor) -> torch.Tensor:
        no_mask = (torch.zeros(0, dtype=torch.int64, device=backend.device), *scene.grid_shape, 0.01, 1.0)
        tensors = (scene.image, theta, scene.mean, scene.basis, index)
        arguments = (None, None, grad, *tensors, *no_mask, False, True, False)
        grad_theta: torch.Tensor = backend.library.warp_backward(*arguments)[1]
        return grad_theta

    clean = backward(scene.theta)
    assert clean.any(dim=1).all()
    for column in (0, 5, 6, 20):
        theta = scene.theta.clone()
        theta[4, column] = torch.inf
        spoilt = backward(theta)
        assert not spoilt[4].any()
        others = [b for b in range(BLOCKS.B) if b != 4]
        assert torch.equal(spoilt[others], clean[others])
