"""pose and axis_angle_to_matrix."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch

from stn3dmm_cuda import reference

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import Size, poses, random

DTYPES = [torch.float32, torch.float64]
OPERATORS = ["pose", "axis_angle_to_matrix"]
ANGLES = (0.0, 1e-12, 1e-8, 1e-4, 3e-3, 0.1, 0.999999, 1.0, 1.000001, 2.0, 3.1, math.pi, 6.0, 12.0)


def call_of(backend: Backend, operator: str, dtype: torch.dtype = torch.float64, B: int = 5, K: int = 4) -> Call:
    theta = poses(Size(B=B, K=K)).to(backend.device, dtype)
    theta[:, :3] = random(B, 3, seed=9, dtype=dtype, device=backend.device)
    theta[0, :3] = 0  # the usual starting point
    arguments = (theta if operator == "pose" else theta[:, :3].contiguous(),)
    return Call(getattr(backend.operators, operator), arguments, learnt=(0,), batched=(0,))


def test_pose_by_hand(backend: Backend) -> None:
    theta = torch.tensor([[0.0, 0.0, math.pi / 2, 5.0, 6.0, math.log(2.0), 7.0, 8.0]], device=backend.device)
    rotation, translation, scale, alpha = backend.operators.pose(theta)
    quarter_turn = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    torch.testing.assert_close(rotation.cpu(), quarter_turn, rtol=0, atol=1e-7)
    assert translation.tolist() == [[5.0, 6.0]]
    assert scale.tolist() == pytest.approx([2.0])
    assert alpha.tolist() == [[7.0, 8.0]]


def test_pose_is_the_identity_at_zero(backend: Backend) -> None:
    r = torch.zeros(2, 3, device=backend.device)
    assert torch.equal(backend.operators.axis_angle_to_matrix(r).cpu(), torch.eye(3).expand(2, 3, 3))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_matches_reference(backend: Backend, operator: str, dtype: torch.dtype) -> None:
    properties.matches_reference(call_of(backend, operator), getattr(reference, operator), "pose", dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("angle", ANGLES)
def test_pose_matches_reference_at_every_angle(backend: Backend, angle: float, dtype: torch.dtype) -> None:
    """Across the series' end at one radian, and where float32's closed forms would lose per cents."""
    r = (angle * torch.tensor([[0.48, -0.6, 0.64]], dtype=torch.float64)).to(backend.device, dtype)
    call = Call(backend.operators.axis_angle_to_matrix, (r,), learnt=(0,), batched=(0,))
    properties.matches_reference(call, reference.axis_angle_to_matrix, "pose", dtype)


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_gradcheck(backend: Backend, operator: str) -> None:
    properties.gradcheck(call_of(backend, operator, B=2))


@pytest.mark.parametrize("dtype", DTYPES)
def test_pose_known_gradient(backend: Backend, dtype: torch.dtype) -> None:
    """At r = 0 the derivative is [dr]x, exactly; that of the scale by log s is the scale; the others are copied."""
    theta = torch.zeros(1, 8, dtype=dtype, device=backend.device)
    theta[0, 5] = 1.25
    rotation, translation, scale, alpha = torch.autograd.functional.jacobian(backend.operators.pose, theta)
    about_x = torch.tensor([[0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=dtype)
    about_y = torch.tensor([[0, 0, 1], [0, 0, 0], [-1, 0, 0]], dtype=dtype)
    about_z = torch.tensor([[0, -1, 0], [1, 0, 0], [0, 0, 0]], dtype=dtype)
    expected = torch.stack((about_x, about_y, about_z, *[torch.zeros(3, 3, dtype=dtype)] * 5), dim=-1)
    assert torch.equal(rotation[0, :, :, 0].cpu(), expected)
    assert torch.equal(translation[0, :, 0].cpu(), torch.eye(8, dtype=dtype)[3:5])
    assert torch.equal(alpha[0, :, 0].cpu(), torch.eye(8, dtype=dtype)[6:])
    assert scale.flatten().tolist() == pytest.approx([0] * 5 + [math.exp(1.25), 0, 0], rel=1e-6)


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_opcheck(backend: Backend, operator: str) -> None:
    call = call_of(backend, operator, torch.float32)
    (leaf,) = call.leaves()
    torch.library.opcheck(getattr(backend.library, operator).default, (leaf,))
    grads = tuple(random(*o.shape, dtype=o.dtype, device=o.device) for o in call.outputs())
    arguments = (call.arguments[0], *grads) if operator == "pose" else (*grads, call.arguments[0])
    torch.library.opcheck(getattr(backend.library, f"{operator}_backward").default, arguments)


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_compiles(backend: Backend, operator: str) -> None:
    small, large = (call_of(backend, operator, torch.float32, B=B) for B in (3, 5))
    properties.compiles(small, large)


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_exports(backend: Backend, operator: str) -> None:
    small, large = (call_of(backend, operator, torch.float32, B=B) for B in (3, 5))
    properties.exports(small, large)


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_autocast(backend: Backend, operator: str) -> None:
    properties.autocast(call_of(backend, operator))


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_noncontiguous(backend: Backend, operator: str) -> None:
    properties.noncontiguous(call_of(backend, operator, torch.float32))


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_deterministic(backend: Backend, operator: str) -> None:
    call = call_of(backend, operator, torch.float32)
    properties.deterministic(call)
    alone = call.on(call.arguments[0][3:4])
    properties.assert_same(alone.outputs(), tuple(output[3:4] for output in call.outputs()))


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_owns_its_outputs(backend: Backend, operator: str) -> None:
    properties.owns_outputs(call_of(backend, operator))


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_refuses_a_second_derivative(backend: Backend, operator: str) -> None:
    properties.refuses_second_derivative(call_of(backend, operator), operator)


def test_pose_empty(backend: Backend) -> None:
    for B, K in ((0, 3), (2, 0), (0, 0)):
        call = call_of(backend, "pose", B=max(B, 1), K=K)
        *outputs, grad = call.on(call.arguments[0][:B]).gradients()
        assert [tuple(o.shape) for o in outputs] == [(B, 3, 3), (B, 2), (B,), (B, K)]
        assert grad.shape == (B, 6 + K)
    assert backend.operators.axis_angle_to_matrix(torch.zeros(0, 3, device=backend.device)).shape == (0, 3, 3)


@pytest.mark.parametrize("operator", OPERATORS)
def test_pose_of_many_images(backend: Backend, operator: str) -> None:
    """Several blocks of the CUDA kernels' 256 threads, and a rest."""
    call = call_of(backend, operator, B=301, K=7)
    properties.matches_reference(call, getattr(reference, operator), "pose", torch.float64)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", range(8))
def test_pose_keeps_a_bad_theta_in_its_image(backend: Backend, column: int, poison: float) -> None:
    clean = call_of(backend, "pose", torch.float32, B=3, K=2)
    theta = clean.arguments[0].clone()
    theta[1, column] = poison
    for bad, good in zip(clean.on(theta).gradients(), clean.gradients(), strict=True):
        assert torch.equal(bad[[0, 2]], good[[0, 2]])
    rotation, translation, scale, alpha = backend.operators.pose(theta)
    assert bool(rotation[1].isnan().all()) == (column < 3)
    assert bool(translation[1].isfinite().all()) == (column not in (3, 4))
    assert bool(scale[1] == clean.outputs()[2][1]) == (column != 5)
    assert bool(alpha[1].isfinite().all()) == (column < 6)


@pytest.mark.parametrize(
    ("theta", "error", "message"),
    [
        (torch.zeros(2, 5), ValueError, "pose: theta must be (B, 6 + K); got (2, 5), fewer than six columns"),
        (torch.zeros(9), ValueError,
         "pose: theta must be (B, 6 + K); got (9,). Add a batch dimension with theta[None]"),
        (torch.zeros(1, 2, 9), ValueError, "pose: theta must be (B, 6 + K); got (1, 2, 9)"),
        (torch.zeros(2, 9).half(), TypeError,
         "pose: theta must be float32 or float64; got torch.float16. Use theta.float()"),
        (torch.zeros(2, 9).long(), TypeError, "pose: theta must be floating; got torch.int64. Use theta.float()"),
        (None, TypeError, "pose: theta must be a torch.Tensor; got NoneType"),
        ([[0.0] * 9], TypeError, "pose: theta must be a torch.Tensor; got list"),
    ],
)  # fmt: skip
def test_pose_rejects_a_bad_theta(backend: Backend, theta: Any, error: type[Exception], message: str) -> None:
    theta = theta.to(backend.device) if isinstance(theta, torch.Tensor) else theta
    with pytest.raises(error, match=re.escape(message)):
        backend.operators.pose(theta)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 1)])
def test_pose_rejects_a_bad_axis_angle(backend: Backend, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"axis_angle_to_matrix: r must be \(B, 3\); got {re.escape(str(shape))}"):
        backend.operators.axis_angle_to_matrix(torch.zeros(shape, device=backend.device))
