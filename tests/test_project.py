"""project."""

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
from .scenes import BLOCKS, SMALL, Size, random

DTYPES = [torch.float32, torch.float64]
MANY = Size(B=3, P=45, Q=47)  # more than two tasks of 1024 vertices
CHUNKS = Size(B=1, P=100, Q=103)  # more of them than threads of one sum in the CUDA kernel's second stage


def call_of(backend: Backend, size: Size = SMALL, dtype: torch.dtype = torch.float64) -> Call:
    B, N = size.B, size.P * size.Q
    shapes = ((B, N, 3), (B, 3, 3), (B, 2), (B,))
    arguments = tuple(
        random(*s, seed=i, dtype=torch.float32, device=backend.device).to(dtype) for i, s in enumerate(shapes)
    )
    return Call(backend.operators.project, arguments, learnt=(0, 1, 2, 3), batched=(0, 1, 2, 3))


def test_project_by_hand(backend: Backend) -> None:
    """A quarter turn about z takes (1, 2, 3) to (-2, 1, 3): x = 10 - 2 2, y = 20 - 2 1, depth = 2 3."""
    turn = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    arguments = ([[[1.0, 2.0, 3.0]]], [turn], [[10.0, 20.0]], [2.0])
    points = backend.operators.project(*(torch.tensor(a, device=backend.device) for a in arguments))
    assert points.tolist() == [[[6.0, 18.0, 6.0]]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [SMALL, BLOCKS, MANY, CHUNKS], ids=str)
def test_project_matches_reference(backend: Backend, size: Size, dtype: torch.dtype) -> None:
    properties.matches_reference(call_of(backend, size), reference.project, "project", dtype)


def test_project_gradcheck(backend: Backend) -> None:
    properties.gradcheck(call_of(backend, SMALL._replace(P=2)))


def test_project_known_gradient(backend: Backend) -> None:
    """docs/math.md#points: dL/dX = s R^T h, dL/dR = s sum h X^T, dL/ds = sum h . R X, dL/dt = (sum g_x, sum g_y)."""
    X, R, t, s = call_of(backend, SMALL._replace(B=1)).leaves()
    g = random(1, 30, 3, seed=7, device=backend.device)
    grads = torch.autograd.grad((backend.operators.project(X, R, t, s) * g).sum(), (X, R, t, s))
    h = g[0] * torch.tensor([1.0, -1.0, 1.0], device=backend.device)
    torch.testing.assert_close(grads[0][0], s * h @ R[0])
    torch.testing.assert_close(grads[1][0], s * h.T @ X[0])
    torch.testing.assert_close(grads[2][0], g[0, :, :2].sum(dim=0))
    torch.testing.assert_close(grads[3][0], (h * (X[0] @ R[0].T)).sum())


def test_project_opcheck(backend: Backend) -> None:
    call = call_of(backend, dtype=torch.float32)
    torch.library.opcheck(backend.library.project.default, call.leaves())
    vertices, rotation, _, scale = call.arguments
    grad = random(*vertices.shape, seed=7, dtype=torch.float32, device=backend.device)
    torch.library.opcheck(backend.library.project_backward.default, (grad, vertices, rotation, scale))


def test_project_compiles(backend: Backend) -> None:
    properties.compiles(*(call_of(backend, SMALL._replace(B=B), torch.float32) for B in (3, 5)))


def test_project_exports(backend: Backend) -> None:
    properties.exports(*(call_of(backend, SMALL._replace(B=B), torch.float32) for B in (3, 5)))


def test_project_autocast(backend: Backend) -> None:
    properties.autocast(call_of(backend))


def test_project_noncontiguous(backend: Backend) -> None:
    properties.noncontiguous(call_of(backend, dtype=torch.float32))


@pytest.mark.parametrize("dtype", DTYPES)
def test_project_deterministic(backend: Backend, dtype: torch.dtype) -> None:
    properties.deterministic(call_of(backend, MANY, dtype))


def test_project_owns_its_outputs(backend: Backend) -> None:
    properties.owns_outputs(call_of(backend))


def test_project_refuses_a_second_derivative(backend: Backend) -> None:
    properties.refuses_second_derivative(call_of(backend), "project")


@pytest.mark.parametrize("size", [SMALL._replace(B=0), SMALL._replace(P=0)], ids=str)
def test_project_empty(backend: Backend, size: Size) -> None:
    call = call_of(backend, size)
    points, *grads = call.gradients()
    assert points.shape == (size.B, size.P * size.Q, 3)
    for grad, argument in zip(grads, call.arguments, strict=True):
        assert grad.shape == argument.shape
        assert not grad.any()


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_project_keeps_a_bad_pose_in_its_image(backend: Backend, poison: float) -> None:
    clean = call_of(backend, SMALL._replace(B=3), torch.float32)
    vertices, rotation, translation, scale = (argument.clone() for argument in clean.arguments)
    rotation[1, 0, 0] = translation[1, 1] = scale[1] = poison
    bad = clean.on(vertices, rotation, translation, scale)
    for one, other in zip(bad.gradients(), clean.gradients(), strict=True):
        assert torch.equal(one[[0, 2]], other[[0, 2]])
    assert not bad.outputs()[0][1, :, :2].isfinite().any()


def test_project_of_an_image_does_not_depend_on_the_others(backend: Backend) -> None:
    call = call_of(backend, MANY, torch.float32)
    weights = random(MANY.B, MANY.P * MANY.Q, 3, dtype=torch.float32, device=backend.device)

    def gradients(of: slice) -> tuple[torch.Tensor, ...]:
        leaves = [argument[of].detach().requires_grad_() for argument in call.arguments]
        return torch.autograd.grad(backend.operators.project(*leaves), leaves, weights[of])

    together = gradients(slice(None))
    for b in range(MANY.B):
        properties.assert_same(gradients(slice(b, b + 1)), tuple(grad[b : b + 1] for grad in together))


@pytest.mark.parametrize(
    ("argument", "value", "error", "message"),
    [
        (0, torch.zeros(30, 3), ValueError,
         "project: vertices must be (B, N, 3); got (30, 3). Add a batch dimension with vertices[None]"),
        (0, torch.zeros(2, 30, 2), ValueError, "project: vertices must be (B, N, 3); got (2, 30, 2)"),
        (1, torch.zeros(3, 3), ValueError,
         "project: rotation must be (B, 3, 3) with B = 2 as in vertices; got (3, 3). Add a batch dimension "
         "with rotation[None]"),
        (1, torch.zeros(1, 3, 3), ValueError,
         "project: rotation must be (B, 3, 3) with B = 2 as in vertices; got (1, 3, 3)"),
        (2, torch.zeros(2, 3), ValueError, "project: translation must be (B, 2) with B = 2 as in vertices; got (2, 3)"),
        (3, torch.zeros(()), ValueError, "project: scale must be (B,) with B = 2 as in vertices; got ()"),
        (3, torch.zeros(2, 1), ValueError, "project: scale must be (B,) with B = 2 as in vertices; got (2, 1)"),
        (3, torch.zeros(2).double(), TypeError,
         "project: scale must be torch.float32 as vertices is; got torch.float64"),
        (1, torch.zeros(2, 3, 3).bfloat16(), TypeError,
         "project: rotation must be float32 or float64; got torch.bfloat16"),
        (2, torch.zeros(2, 2).bool(), TypeError, "project: translation must be floating; got torch.bool"),
        (2, None, TypeError, "project: translation must be a torch.Tensor; got NoneType"),
    ],
)  # fmt: skip
def test_project_rejects_a_bad_argument(
    backend: Backend, argument: int, value: Any, error: type[Exception], message: str
) -> None:
    arguments = list(call_of(backend, dtype=torch.float32).arguments)
    arguments[argument] = value.to(backend.device) if isinstance(value, torch.Tensor) else value
    with pytest.raises(error, match=re.escape(message)):
        backend.operators.project(*arguments)


def test_project_rejects_another_device(backend: Backend) -> None:
    *others, scale = call_of(backend, dtype=torch.float32).arguments
    with pytest.raises(ValueError, match=r"project: scale must be on \S+ as vertices is; got meta"):
        backend.operators.project(*others, scale.to("meta"))
