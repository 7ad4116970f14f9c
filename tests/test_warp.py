"""warp: equal to the chain of operators and to the reference, and what every operator must do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stn3dmm_cuda import reference
from stn3dmm_cuda.results import Warp

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import BLOCKS, SMALL, Scene, Size, is_clear_of_kinks, photographed, points_of, random

DTYPES = [torch.float32, torch.float64]
HALF = [torch.float16, torch.bfloat16]
VISIBILITIES = ["hard", "soft", "none"]


def call_of(
    backend: Backend, size: Size = SMALL, dtype: torch.dtype = torch.float64, visibility: str = "hard",
    operators: Any = None, learnt: tuple[int, ...] = (0, 1),
) -> Call:  # fmt: skip
    """image, theta, mean, basis, landmarks and valid, all of them arguments."""
    scene = photographed(backend, size, dtype)
    N = size.P * size.Q
    landmarks = torch.tensor([3, N - 1, 0, 3], device=backend.device) % max(N, 1)
    valid = torch.arange(N, device=backend.device) % 5 != 0
    warp = (operators or backend.operators).warp

    def function(
        image: torch.Tensor, theta: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor,
        landmarks: torch.Tensor, valid: torch.Tensor,
    ) -> Warp:  # fmt: skip
        flattened: Warp = warp(
            image, theta, mean, basis, scene.grid_shape, visibility=visibility, landmarks=landmarks, valid=valid
        )
        return flattened

    return Call(function, (*scene.tensors(), landmarks, valid), learnt, batched=(0, 1))


def test_warp_by_hand(backend: Backend) -> None:
    """A frontal square of two millimetres at one pixel per millimetre, centred at (1, 1); one corner is cut off."""
    mean = torch.tensor([[-1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [1.5, -1.0, 0.0]])
    theta = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0, 0.0]])
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    arguments = (t.to(backend.device) for t in (image, theta, mean, torch.zeros(0, 4, 3)))
    indices, valid = torch.tensor([3, -1, 4]), torch.tensor([True, False, True, True])
    texture, mask, landmarks = backend.operators.warp(
        *arguments, (2, 2), landmarks=indices.to(backend.device), valid=valid.to(backend.device)
    )
    assert texture.tolist() == [[[[0.0, 2.0], [6.0, 4.0]]]]
    assert mask.tolist() == [[[[1.0, 0.0], [1.0, 0.0]]]]
    assert landmarks[0, 0].tolist() == [2.5, 2.0]
    assert landmarks[0, 1:].isnan().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("visibility", VISIBILITIES)
@pytest.mark.parametrize("size", [SMALL, BLOCKS, BLOCKS._replace(K=1, C=1), BLOCKS._replace(B=1, K=0)], ids=str)
def test_warp_matches_reference(backend: Backend, size: Size, visibility: str, dtype: torch.dtype) -> None:
    call = call_of(backend, size, visibility=visibility)

    def in_double(*arguments: torch.Tensor) -> Warp:
        return call_of(backend, size, visibility=visibility, operators=reference).function(*arguments)

    properties.matches_reference(call, in_double, "warp", dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_warp_is_the_operators_chained(backend: Backend, visibility: str, dtype: torch.dtype) -> None:
    """Texture and landmarks to rounding; the mask is inside x valid x visibility, but for vertices near a tie."""
    call = call_of(backend, BLOCKS, dtype, visibility)
    image, theta, mean, basis, landmarks, valid = call.arguments
    scene = Scene(image, theta, mean, basis, (BLOCKS.P, BLOCKS.Q))
    points = points_of(scene, backend.operators)
    texture, mask, projected = call.outputs()
    torch.testing.assert_close(texture.flatten(2), backend.operators.sample(image, points), rtol=0, atol=1e-4)
    torch.testing.assert_close(projected, points[:, landmarks, :2])
    x, y = points[..., 0], points[..., 1]
    expected = (x >= 0) & (x <= BLOCKS.W - 1) & (y >= 0) & (y <= BLOCKS.H - 1) & valid
    assert 0 < expected.sum() < expected.numel()
    if visibility == "soft":
        seen = backend.operators.visibility(points, grid_shape=scene.grid_shape, mode="soft")
        assert ((seen > 0.01) & (seen < 0.99)).any()
        assert ((mask.flatten(1) - expected * seen).abs() > 1e-4).sum() <= 3
        return
    if visibility == "hard":
        seen = backend.operators.visibility(points, grid_shape=scene.grid_shape).bool()
        assert 0 < seen.sum() < seen.numel()
        expected = expected & seen
    assert (mask.flatten(1) != expected.to(dtype)).sum() <= 3  # of 3553
    assert ((mask == 0) | (mask == 1)).all()


def test_warp_invalid_vertices_hide_others(backend: Backend) -> None:
    """valid = False takes a vertex out of the mask, not out of the scene."""
    call = call_of(backend, BLOCKS)
    *others, valid = call.arguments
    _, masked, _ = call.outputs()
    _, whole, _ = call.on(*others, torch.ones_like(valid)).outputs()
    assert torch.equal(masked.flatten(1), whole.flatten(1) * valid)
    assert not torch.equal(masked, whole)


def test_warp_tolerance(backend: Backend) -> None:
    """With a tolerance larger than the head, only facing is left."""
    scene = photographed(backend, BLOCKS)
    masks = [
        backend.operators.warp(*scene.tensors(), scene.grid_shape, tolerance=tolerance).mask.sum().item()
        for tolerance in (-1.0, 0.01, 1e6)
    ]
    assert masks[0] < masks[1] < masks[2]


@pytest.mark.parametrize("size", [SMALL, SMALL._replace(K=0)], ids=str)
def test_warp_gradcheck(backend: Backend, size: Size) -> None:
    call = call_of(backend, size)
    image, theta, mean, basis, *_ = call.arguments
    points = points_of(Scene(image, theta, mean, basis, (size.P, size.Q)), backend.operators)
    assert is_clear_of_kinks(points, 1e-4)
    _, mask, _ = call.outputs()
    assert 0 < mask.sum() < mask.numel()
    properties.gradcheck(call)


def test_warp_gradcheck_weighted_by_the_mask(backend: Backend) -> None:
    """The mask takes part in a loss as a constant."""
    call = call_of(backend)
    constants = call.arguments[2:]

    def loss(image: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        texture, mask, landmarks = call.function(image, theta, *constants)
        return (texture.square() * mask).sum() + landmarks.square().sum()

    assert torch.autograd.gradcheck(loss, call.leaves()[:2], nondet_tol=1e-10)


def test_warp_known_gradient(backend: Backend) -> None:
    """On the ramp 2 x + 5 y a translation adds (2, 5) a vertex; the landmarks add 1 to each axis."""
    scene = photographed(backend, SMALL._replace(B=1, C=1, H=40, W=50))
    y, x = torch.meshgrid(torch.arange(40.0).double(), torch.arange(50.0).double(), indexing="ij")
    theta = scene.theta.clone()
    theta[:, 3:6] = torch.tensor([25.0, 20.0, 0.0])
    theta.requires_grad_()
    index = torch.tensor([4, 5, -1], device=backend.device)
    texture, _, landmarks = backend.operators.warp(
        (2 * x + 5 * y)[None, None].to(backend.device),
        theta,
        scene.mean,
        scene.basis,
        scene.grid_shape,
        landmarks=index,
    )
    (by_texture,) = torch.autograd.grad(texture.sum(), theta, retain_graph=True)
    assert by_texture[0, 3:5].tolist() == pytest.approx([60.0, 150.0])
    (by_landmarks,) = torch.autograd.grad(landmarks.nansum(), theta)
    assert by_landmarks[0, 3:5].tolist() == pytest.approx([2.0, 2.0])


@pytest.mark.parametrize("learnt", [(0,), (1,)])
def test_warp_computes_the_gradients_asked_for(backend: Backend, learnt: tuple[int, ...]) -> None:
    backend.make_repeatable()
    every = call_of(backend, BLOCKS, torch.float32).gradients()
    some = call_of(backend, BLOCKS, torch.float32, learnt=learnt).gradients()
    properties.assert_same(some[3:], tuple(every[3 + i] for i in learnt))


@pytest.mark.parametrize("part", ["texture", "landmarks"])
def test_warp_gradient_of_one_output_alone(backend: Backend, part: str) -> None:
    """The other output's gradient is absent, not zero; its kernel must not be read."""
    gradients = []
    for operators in (backend.operators, reference):
        call = call_of(backend, operators=operators)
        leaves = call.leaves()
        value = getattr(call.function(*leaves), part)
        grads = torch.autograd.grad((value * random(*value.shape, device=backend.device)).sum(), leaves[:2],
                                    allow_unused=True, materialize_grads=True)  # fmt: skip
        gradients.append(grads)
    torch.testing.assert_close(*gradients)
    assert gradients[0][1].any()


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_warp_opcheck(backend: Backend, visibility: str, given: bool) -> None:
    image, theta, mean, basis, landmarks, valid = call_of(backend, dtype=torch.float32).leaves()
    optional = (landmarks, valid) if given else (None, None)
    arguments = (image, theta, mean, basis, *optional, SMALL.P, SMALL.Q, visibility, 0.01, 1.0)
    torch.library.opcheck(backend.library.warp.default, arguments)


@pytest.mark.parametrize("needed", [(True, True), (True, False), (False, True)])
def test_warp_opcheck_of_the_backward(backend: Backend, needed: tuple[bool, bool]) -> None:
    call = call_of(backend, dtype=torch.float32)
    *inputs, landmarks, _ = call.arguments
    texture, mask, projected = (torch.rand_like(output) for output in call.outputs())
    soft = (SMALL.P, SMALL.Q, "soft", 0.01, 1.0)
    *_, winner = backend.library.warp(*inputs, landmarks, None, *soft)
    for grads, indices in (
        ((texture, mask, projected), landmarks),
        ((texture, None, None), None),
        ((None, mask, None), None),
        ((None, None, projected), landmarks),
    ):
        arguments = (*grads, *inputs, indices, winner, SMALL.P, SMALL.Q, 0.01, 1.0, *needed, False)
        torch.library.opcheck(backend.library.warp_backward.default, arguments)


def test_warp_compiles(backend: Backend) -> None:
    backend.make_repeatable()
    properties.compiles(*(call_of(backend, SMALL._replace(B=B), torch.float32) for B in (3, 5)))


def test_warp_exports(backend: Backend) -> None:
    properties.exports(*(call_of(backend, SMALL._replace(B=B), torch.float32) for B in (3, 5)))


def test_warp_autocast(backend: Backend) -> None:
    backend.make_repeatable()
    call = call_of(backend)
    properties.autocast(Call(call.function, call.arguments, learnt=(0, 1), batched=(0, 1)))


def test_warp_noncontiguous(backend: Backend) -> None:
    backend.make_repeatable()
    properties.noncontiguous(call_of(backend, BLOCKS._replace(B=2), torch.float32))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("B", [1, 11])
def test_warp_deterministic(backend: Backend, B: int, dtype: torch.dtype) -> None:
    torch.use_deterministic_algorithms(True)
    properties.deterministic(call_of(backend, BLOCKS._replace(B=B), dtype))


def test_warp_owns_its_outputs(backend: Backend) -> None:
    properties.owns_outputs(call_of(backend))


def test_warp_refuses_a_second_derivative(backend: Backend) -> None:
    properties.refuses_second_derivative(call_of(backend), "warp")


@pytest.mark.parametrize("dtype", HALF)
def test_warp_takes_half_images(backend: Backend, dtype: torch.dtype) -> None:
    """The float32 result, rounded once (another instruction set may round it to the neighbour); theta's gradient stays
    in float32."""
    call = call_of(backend, BLOCKS, torch.float32)
    image, *others = call.arguments
    half, full = call.on(image.to(dtype), *others).outputs(), call.on(image.to(dtype).float(), *others).outputs()
    assert [t.dtype for t in half] == [dtype, torch.float32, torch.float32]
    unit = torch.finfo(dtype).eps
    torch.testing.assert_close(half[0], full[0].to(dtype), rtol=unit, atol=unit / 16)
    torch.testing.assert_close(half[1], full[1], rtol=0, atol=0)
    torch.testing.assert_close(half[2], full[2], rtol=1e-6, atol=1e-4, equal_nan=True)
    *_, grad_image, grad_theta = call.on(image.to(dtype), *others).gradients()
    *_, full_image, full_theta = call.on(image.to(dtype).float(), *others).gradients()
    assert (grad_image.dtype, grad_theta.dtype) == (dtype, torch.float32)
    torch.testing.assert_close(grad_image.float(), full_image, rtol=0.02, atol=0.05)
    torch.testing.assert_close(grad_theta, full_theta, rtol=0.02, atol=0.02 * full_theta.abs().max().item())
