"""warp of numbers that nobody should pass, on borders, and with arguments that do not fit."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stn3dmm_cuda import reference
from stn3dmm_cuda.results import Warp

from .backends import Backend
from .properties import assert_same
from .scenes import BLOCKS, SMALL, photographed

N = SMALL.P * SMALL.Q
BAD = 4  # the image, of eleven, that is spoilt
INDICES = [5, 0, 322]


def outcome(backend: Backend, theta: torch.Tensor, visibility: str) -> tuple[torch.Tensor, ...]:
    """Texture, mask, landmarks, gradient to the image, gradient to theta, with a loss that uses all of them."""
    scene = photographed(backend, BLOCKS, torch.float32)
    image, theta = scene.image.requires_grad_(), theta.clone().requires_grad_()
    index = torch.tensor(INDICES, device=backend.device)
    result: Warp = backend.operators.warp(
        image, theta, scene.mean, scene.basis, scene.grid_shape, visibility=visibility, landmarks=index
    )
    loss = result.texture.square().sum() + (result.texture * result.mask).sum() + result.landmarks.square().sum()
    grads = torch.autograd.grad(loss, (image, theta))
    return (*(t.detach() for t in result), *grads)


@pytest.mark.parametrize("visibility", ["hard", "none"])
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", [0, 1, 2, 3, 4, 5, 6, 20])
def test_warp_keeps_a_bad_theta_in_its_image(backend: Backend, column: int, poison: float, visibility: str) -> None:
    """That image: texture 0, mask 0, gradients 0. The others: bitwise what they were."""
    backend.make_repeatable()
    theta = photographed(backend, BLOCKS, torch.float32).theta
    clean = outcome(backend, theta, visibility)
    assert all(bool(t[BAD].any()) for t in clean)
    theta[BAD, column] = poison
    spoilt = outcome(backend, theta, visibility)
    others = [b for b in range(BLOCKS.B) if b != BAD]
    assert_same(tuple(t[others] for t in spoilt), tuple(t[others] for t in clean))
    assert_void(spoilt)


def assert_void(spoilt: tuple[torch.Tensor, ...]) -> None:
    """All but the landmarks of the spoilt image are 0."""
    names = ("texture", "mask", "landmarks", "grad_image", "grad_theta")
    filled = [name for name, t in zip(names, spoilt, strict=True) if name != "landmarks" and bool(t[BAD].any())]
    assert filled == []


@pytest.mark.parametrize("visibility", ["hard", "none"])
@pytest.mark.parametrize(("column", "value"), [(5, 89.0), (5, 1e4), (5, 3e38), (0, 1e20), (2, 3e38)])
def test_warp_keeps_a_pose_that_overflows_in_its_image(
    backend: Backend, column: int, value: float, visibility: str
) -> None:
    """A finite theta whose pose is not finite: exp(89) has no float32, nor has the square of 1e20."""
    theta = photographed(backend, BLOCKS, torch.float32).theta
    theta[BAD, column] = value
    assert not all(bool(part[BAD].isfinite().all()) for part in backend.operators.pose(theta))
    assert_void(outcome(backend, theta, visibility))


@pytest.mark.parametrize(
    ("column", "value"),
    [(0, math.nan), (3, math.nan), (4, math.inf), (5, math.inf), (5, -math.inf), (5, 89.0), (6, math.inf), (2, 1e20)],
)
def test_warp_landmarks_of_a_bad_theta_are_nan(backend: Backend, column: int, value: float) -> None:
    """All coordinates of that image, so that no half of a point looks like one."""
    theta = photographed(backend, BLOCKS, torch.float32).theta
    theta[BAD, column] = value
    landmarks = outcome(backend, theta, "none")[2]
    assert bool(landmarks[BAD].isnan().all()), landmarks[BAD].tolist()
    assert bool(landmarks[:BAD].isfinite().all())


@pytest.mark.parametrize("log_scale", [-200.0, -80.0, -20.0, 20.0, 60.0, 80.0])
def test_warp_of_huge_and_tiny_scales(backend: Backend, log_scale: float) -> None:
    """From a face smaller than one float32 step to one of 1e34 pixels: as the reference, and all finite."""
    scene = photographed(backend, BLOCKS._replace(B=2), torch.float32)
    scene.theta[:, 5] = log_scale
    results = []
    for operators in (backend.operators, reference):
        theta = scene.theta.clone().requires_grad_()
        texture, mask, _ = operators.warp(scene.image, theta, scene.mean, scene.basis, scene.grid_shape)
        (grad,) = torch.autograd.grad(texture.sum(), theta)
        assert texture.isfinite().all()
        assert grad.isfinite().all()
        results.append((texture, mask, grad))
    (texture, mask, grad), expected = results
    torch.testing.assert_close(texture, expected[0], rtol=1e-4, atol=1e-4)
    assert (mask != expected[1]).float().mean() <= (0.05 if log_scale < 0 else 0.0)
    torch.testing.assert_close(grad, expected[2], rtol=1e-3, atol=1e-3)


def one_vertex(backend: Backend, x: float, y: float, image_size: tuple[int, int]) -> tuple[float, float]:
    """The sample and the mask of one vertex at (x, y) in an image of eights."""
    image = torch.full((1, 1, *image_size), 8.0, device=backend.device)
    theta = torch.tensor([[0.0, 0.0, 0.0, x, y, 0.0]], device=backend.device)
    mean, basis = torch.zeros(1, 3, device=backend.device), torch.zeros(0, 1, 3, device=backend.device)
    texture, mask, _ = backend.operators.warp(image, theta, mean, basis, (1, 1), visibility="none")
    return texture.item(), mask.item()


@pytest.mark.parametrize("image_size", [(4, 5), (1, 5), (4, 1), (1, 1)], ids=str)
def test_warp_on_the_border(backend: Backend, image_size: tuple[int, int]) -> None:
    """On the outermost pixel centres the sample is exact and counts; half a pixel outside it is half and does not."""
    H, W = image_size
    for x, y in ((0, 0), (W - 1, 0), (0, H - 1), (W - 1, H - 1)):
        assert one_vertex(backend, x, y, image_size) == (8.0, 1.0)
    for x, y in ((-0.5, 0), (W - 0.5, 0), (0, -0.5), (W - 1, H - 0.5)):
        assert one_vertex(backend, x, y, image_size) == (4.0, 0.0)
    for x, y in ((-1, 0), (W, 0), (0, -1), (0, H)):
        assert one_vertex(backend, x, y, image_size) == (0.0, 0.0)
    step = 2.0**-20
    assert one_vertex(backend, W - 1 + step * W, 0, image_size)[1] == 0.0
    assert one_vertex(backend, -step, 0, image_size)[1] == 0.0


def test_warp_does_not_leak_texels_outside_the_footprint(backend: Backend) -> None:
    """Half of the image is NaN; a face that lies in the other half does not see it."""
    scene = photographed(backend, SMALL._replace(H=40, W=80), torch.float32)
    scene.theta[:, 3:6] = torch.tensor([20.0, 20.0, 0.5])
    scene.image[..., 45:] = math.nan
    scene.theta.requires_grad_()
    texture = backend.operators.warp(*scene.tensors(), scene.grid_shape).texture
    assert texture.isfinite().all()
    assert torch.autograd.grad(texture.sum(), scene.theta)[0].isfinite().all()


@given(numbers=st.lists(st.floats(width=32), min_size=9, max_size=9))
def test_warp_of_any_theta(backend: Backend, numbers: list[float]) -> None:
    """Nine float32 numbers whatsoever: a finite texture, a mask of 0 and 1, and the other image untouched."""
    scene = photographed(backend, SMALL, torch.float32)
    clean = backend.operators.warp(*scene.tensors(), scene.grid_shape)
    scene.theta[0] = torch.tensor(numbers)
    scene.theta.requires_grad_()
    texture, mask, _ = backend.operators.warp(*scene.tensors(), scene.grid_shape)
    assert texture.isfinite().all()
    assert ((mask == 0) | (mask == 1)).all()
    assert torch.equal(texture[1], clean.texture[1])
    assert torch.equal(mask[1], clean.mask[1])
    (grad,) = torch.autograd.grad(texture[1].sum(), scene.theta)
    assert not grad[0].any()
    assert grad[1].isfinite().all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"image": torch.zeros(2, 11, 13)}, ValueError,
         "warp: image must be (B, C, H, W) with at least one pixel; got (2, 11, 13)"),
        ({"image": torch.zeros(2, 2, 0, 13)}, ValueError,
         "warp: image must be (B, C, H, W) with at least one pixel; got (2, 2, 0, 13)"),
        ({"image": torch.zeros(2, 2, 11, 13).byte()}, TypeError,
         "warp: image must be floating; got torch.uint8. Use image.float() / 255"),
        ({"image": torch.zeros(2, 2, 11, 13).double()}, TypeError,
         "warp: image must be torch.float32 as theta is (or float16 or bfloat16 with float32 theta); got "
         "torch.float64"),
        ({"image": None}, TypeError, "warp: image must be a torch.Tensor; got NoneType"),
        ({"theta": torch.zeros(9)}, ValueError, "warp: theta must be (B, 6 + K)"),
        ({"theta": torch.zeros(3, 9)}, ValueError, "warp: theta must be (B, 6 + K)"),
        ({"theta": torch.zeros(2, 8)}, ValueError, "warp: theta must be (B, 6 + K)"),
        ({"theta": torch.zeros(2, 9).half()}, TypeError, "warp: theta must be float32 or float64; got torch.float16"),
        ({"theta": torch.zeros(2, 9).long()}, TypeError, "warp: theta must be floating; got torch.int64"),
        ({"mean": torch.zeros(N + 1, 3)}, ValueError,
         f"warp: mean must be (N, 3) with N = {N} as in basis; got ({N + 1}, 3)"),
        ({"mean": torch.zeros(N, 3).double()}, TypeError,
         "warp: mean must be torch.float32 as theta is; got torch.float64. Use mean.to(theta.dtype)"),
        ({"mean": torch.zeros(N, 3).requires_grad_()}, ValueError,
         "warp: mean must not require grad: the fused chain holds the model constant. Pass mean.detach()"),
        ({"basis": torch.zeros(3, N, 3).requires_grad_()}, ValueError,
         "warp: basis must not require grad: the fused chain holds the model constant. Pass basis.detach()"),
        ({"basis": torch.zeros(3, N)}, ValueError, f"warp: basis must be (K, N, 3); got (3, {N})"),
        ({"basis": torch.zeros(3, N, 3).to("meta")}, ValueError, "warp: basis must be on"),
        ({"grid_shape": (6, 6)}, ValueError, f"warp: grid_shape must be (P, Q) with P Q = N = {N}; got (6, 6)"),
        ({"grid_shape": N}, ValueError, f"warp: grid_shape must be two sizes (rows, columns); got {N}"),
        ({"visibility": "normal"}, ValueError, "warp: visibility must be one of 'hard'"),
        ({"visibility": True}, ValueError, "warp: visibility must be one of 'hard'"),
        ({"tolerance": math.nan}, ValueError, "warp: tolerance must be a finite number of pixels; got nan"),
        ({"landmarks": torch.tensor([1], dtype=torch.int32)}, TypeError,
         "warp: landmarks must be int64; got torch.int32. Use landmarks.long()"),
        ({"landmarks": torch.tensor([[1]])}, ValueError, "warp: landmarks must be (L,); got (1, 1)"),
        ({"landmarks": [1]}, TypeError, "warp: landmarks must be a torch.Tensor; got list"),
        ({"valid": torch.ones(N)}, TypeError, "warp: valid must be bool; got torch.float32. Use valid.bool()"),
        ({"valid": torch.ones(N + 1).bool()}, ValueError,
         f"warp: valid must be (N,) with N = {N} as in basis; got ({N + 1},)"),
        ({"valid": torch.ones(5, 6).bool()}, ValueError,
         f"warp: valid must be (N,) with N = {N} as in basis; got (5, 6)"),
    ],
)  # fmt: skip
def test_warp_rejects_a_bad_argument(
    backend: Backend, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    scene = photographed(backend, SMALL, torch.float32)
    arguments = {"image": scene.image, "theta": scene.theta, "mean": scene.mean, "basis": scene.basis,
                 "grid_shape": scene.grid_shape}  # fmt: skip
    for name, value in change.items():
        stays = not isinstance(value, torch.Tensor) or value.device.type == "meta"
        arguments[name] = value if stays else value.detach().to(backend.device).requires_grad_(value.requires_grad)
    with pytest.raises(error, match=re.escape(message)):
        backend.operators.warp(**arguments)
