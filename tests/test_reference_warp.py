"""The reference warp: the rooms composed, and a bad image kept to itself."""

from __future__ import annotations

import math

import pytest
import torch

from stn3dmm_cuda import reference
from stn3dmm_cuda.results import Warp

GRID = (7, 8)
K = 3


def scene(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Image (3, 2, 11, 13), theta (3, 9), mean (56, 3), basis (3, 56, 3): a nosed half cylinder at three turns."""
    generator = torch.Generator().manual_seed(0)
    P, Q = GRID
    v, u = torch.meshgrid(torch.linspace(1, -1, P), torch.linspace(-1, 1, Q), indexing="ij")
    nose = 4 * torch.exp(-8 * (u**2 + v**2))
    mean = torch.stack((5 * torch.sin(1.5 * u), 4 * v, 5 * torch.cos(1.5 * u) + nose), dim=-1).reshape(-1, 3)
    basis = 0.2 * torch.randn(K, P * Q, 3, generator=generator)
    alpha = torch.randn(3, K, generator=generator)
    turn = torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.9, 0.0], [-0.3, -0.7, 0.2]])
    place = torch.tensor([[6.1, 5.2, 0.0], [5.9, 5.0, 0.1], [6.3, 4.8, 0.4]])
    image = torch.rand(3, 2, 11, 13, generator=generator)
    theta = torch.cat((turn, place, alpha), dim=1)
    return image.to(dtype), theta.to(dtype), mean.to(dtype), basis.to(dtype)


@pytest.mark.parametrize("visibility", ["hard", "soft", "none"])
def test_warp_is_the_rooms_composed(visibility: str) -> None:
    image, theta, mean, basis = scene()
    valid = torch.arange(56) % 5 != 0
    indices = torch.tensor([3, 55, 0])
    result = reference.warp(image, theta, mean, basis, GRID, visibility=visibility, landmarks=indices, valid=valid)

    rotation, translation, scale, alpha = reference.pose(theta)
    points = reference.project(reference.vertices(alpha, mean, basis), rotation, translation, scale)
    inside = (points[..., :2] >= 0).all(dim=-1) & (points[..., 0] <= 12) & (points[..., 1] <= 10)
    shown = (inside & valid).double()
    assert 0 < inside.sum() < inside.numel()
    if visibility != "none":
        seen = reference.visibility(points, grid_shape=GRID, mode=visibility)
        assert 0 < seen.sum() < seen.numel()
        shown = shown * seen
    assert torch.equal(result.texture.flatten(2), reference.sample(image, points))
    assert torch.equal(result.mask.reshape(3, -1), shown)
    assert torch.equal(result.landmarks, points[:, [3, 55, 0], :2])


def test_warp_by_hand() -> None:
    """A frontal square of two millimetres at one pixel per millimetre, centred at (1, 1)."""
    mean = torch.tensor([[-1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [1.5, -1.0, 0.0]])
    theta = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0, 0.0]])
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    texture, mask, landmarks = reference.warp(image, theta, mean, torch.zeros(0, 4, 3), (2, 2))
    assert texture.tolist() == [[[[0.0, 2.0], [6.0, 4.0]]]]
    assert mask.tolist() == [[[[1.0, 1.0], [1.0, 0.0]]]]
    assert landmarks.shape == (1, 0, 2)


def test_warp_landmark_without_vertex_is_nan_without_gradient() -> None:
    image, theta, mean, basis = scene()
    theta.requires_grad_()
    result = reference.warp(image, theta, mean, basis, GRID, landmarks=torch.tensor([-1, 7, 56]))
    assert result.landmarks.isnan().all(dim=-1).tolist() == [[True, False, True]] * 3
    (grad,) = torch.autograd.grad(result.landmarks[:, [0, 2]].sum(), theta)
    assert torch.equal(grad, torch.zeros_like(grad))


def test_warp_gradcheck() -> None:
    image, theta, mean, basis = scene()
    indices = torch.tensor([0, 20])

    def outputs(image: torch.Tensor, theta: torch.Tensor) -> Warp:
        return reference.warp(image, theta, mean, basis, GRID, visibility="soft", landmarks=indices)

    mask = outputs(image, theta).mask
    assert ((mask > 0.01) & (mask < 0.99)).any()
    image.requires_grad_()
    theta.requires_grad_()
    assert torch.autograd.gradcheck(outputs, (image, theta), fast_mode=True)


@pytest.mark.parametrize("visibility", ["hard", "soft", "none"])
@pytest.mark.parametrize(("column", "poison"), [(0, math.nan), (1, math.inf), (3, math.nan), (5, 1e4), (8, -math.inf)])
def test_warp_keeps_a_bad_theta_in_its_image(visibility: str, column: int, poison: float) -> None:
    """log s = 1e4 overflows the scale. The others' values and gradients are bitwise those of a clean batch."""
    outputs = []
    for bad in (False, True):
        image, theta, mean, basis = scene()
        if bad:
            theta[1, column] = poison
        image.requires_grad_()
        theta.requires_grad_()
        result = reference.warp(image, theta, mean, basis, GRID, visibility=visibility, landmarks=torch.tensor([5]))
        loss = result.texture.square().sum() + (result.texture * result.mask).sum() + result.landmarks[[0, 2]].sum()
        outputs.append((result, *torch.autograd.grad(loss, (image, theta))))
    (clean, clean_image, clean_theta), (result, grad_image, grad_theta) = outputs
    others = [0, 2]
    for name in ("texture", "mask", "landmarks"):
        assert torch.equal(getattr(result, name)[others], getattr(clean, name)[others]), name
    assert torch.equal(grad_image[others], clean_image[others])
    assert torch.equal(grad_theta[others], clean_theta[others])
    assert not result.texture[1].any()
    assert not result.mask[1].any()
    assert result.landmarks[1].isnan().all()
    assert not grad_image[1].any()
    assert not grad_theta[1].any()
    assert clean_theta[1].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_warp_takes_half_images(dtype: torch.dtype) -> None:
    image, theta, mean, basis = scene(torch.float32)
    half = reference.warp(image.to(dtype), theta, mean, basis, GRID)
    full = reference.warp(image.to(dtype).float(), theta, mean, basis, GRID)
    assert half.texture.dtype == dtype
    assert half.mask.dtype == torch.float32
    assert torch.equal(half.texture, full.texture.to(dtype))
    assert torch.equal(half.mask, full.mask)


def test_warp_rejects_bad_arguments() -> None:
    image, theta, mean, basis = scene()
    with pytest.raises(ValueError, match="mean must not require grad"):
        reference.warp(image, theta, mean.clone().requires_grad_(), basis, GRID)
    with pytest.raises(ValueError, match="basis must not require grad"):
        reference.warp(image, theta, mean, basis.clone().requires_grad_(), GRID)
    with pytest.raises(ValueError, match="visibility must be"):
        reference.warp(image, theta, mean, basis, GRID, visibility="normal")
    with pytest.raises(ValueError, match=r"theta and mean must be \(3, 6 \+ K\) and \(42, 3\)"):
        reference.warp(image, theta, mean, basis, (6, 7))


def test_warp_of_an_empty_batch() -> None:
    image, theta, mean, basis = scene()
    texture, mask, landmarks = reference.warp(image[:0], theta[:0], mean, basis, GRID, landmarks=torch.tensor([1, 2]))
    assert (texture.shape, mask.shape, landmarks.shape) == ((0, 2, 7, 8), (0, 1, 7, 8), (0, 2, 2))
