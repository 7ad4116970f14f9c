"""The operators beneath the losses of textures: what every operator must do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from stn3dmm_cuda import reference

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import random

DTYPES = [torch.float32, torch.float64]
LOSSES = ["symmetry_loss", "siamese_loss", "mirrored siamese_loss"]
# (B, C, P, Q): more than a chunk of texels and several tasks; rows of more than a stretch; columns that have no middle.
SHAPES = [(3, 3, 37, 113), (2, 1, 3, 700), (1, 5, 4, 6), (2, 2, 5, 1)]


def loss_of(operators: Any, name: str) -> Callable[..., torch.Tensor]:
    function: Callable[..., torch.Tensor] = getattr(operators, name.removeprefix("mirrored "))
    return (lambda *arguments: function(*arguments, mirror=True)) if name.startswith("mirrored") else function


def call_of(
    backend: Backend, name: str, dtype: torch.dtype = torch.float64, shape: tuple[int, int, int, int] = (3, 2, 4, 5)
) -> Call:
    """Textures and soft masks, a quarter of whose texels are 0, all learnt."""
    B, _, P, Q = shape
    count = 1 if name == "symmetry_loss" else 2
    arguments: list[torch.Tensor] = []
    for seed in range(count):
        mask = random(B, 1, P, Q, seed=10 + seed).add(0.7).clamp(0, 1)
        arguments += [random(*shape, seed=seed), mask]
    moved = tuple(argument.to(backend.device, dtype) for argument in arguments)
    every = tuple(range(2 * count))
    return Call(loss_of(backend.operators, name), moved, learnt=every, batched=every)


def hard(call: Call) -> Call:
    """Masks of 0 and 1, which are given, as `warp` makes them: the way of most training."""
    arguments = tuple((a > 0).to(a) if i % 2 else a for i, a in enumerate(call.arguments))
    return Call(call.function, arguments, learnt=call.learnt[::2], batched=call.batched)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_match_reference(
    backend: Backend, name: str, shape: tuple[int, int, int, int], dtype: torch.dtype
) -> None:
    call = call_of(backend, name, dtype, shape)
    if name == "symmetry_loss" and shape[3] == 1:
        call = Call(call.function, call.arguments, learnt=(), batched=call.batched)  # no difference, no gradient
        assert not call.outputs()[0].any()
        return
    properties.matches_reference(call, loss_of(reference, name), "losses", dtype)
    properties.matches_reference(hard(call), loss_of(reference, name), "losses", dtype)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_compute_the_gradients_asked_for(backend: Backend, name: str) -> None:
    call = call_of(backend, name)
    every = call.gradients()[1:]
    for learnt in [(i,) for i in call.learnt] + [call.learnt[::2], call.learnt[1::2]]:
        some = Call(call.function, call.arguments, learnt, call.batched).gradients()[1:]
        properties.assert_same(some, tuple(every[i] for i in learnt))


@pytest.mark.parametrize("mirror", [False, True])
def test_texture_difference_opcheck(backend: Backend, mirror: bool) -> None:
    call = call_of(backend, "siamese_loss", torch.float32)
    sums = [random(3, seed=i, dtype=torch.float32, device=backend.device) for i in range(2)]
    torch.library.opcheck(backend.library.texture_difference.default, (*call.leaves(), mirror))
    for needed in ((True,) * 4, (True, False, True, False), (False, False, True, True), (False, True, False, False)):
        arguments = (*sums, *call.arguments, mirror, *needed)
        torch.library.opcheck(backend.library.texture_difference_backward.default, arguments)


def test_texture_asymmetry_opcheck(backend: Backend) -> None:
    call = call_of(backend, "symmetry_loss", torch.float32)
    sums = [random(3, seed=i, dtype=torch.float32, device=backend.device) for i in range(2)]
    torch.library.opcheck(backend.library.texture_asymmetry.default, call.leaves())
    for needed in ((True, True), (True, False), (False, True)):
        arguments = (*sums, *call.arguments, *needed)
        torch.library.opcheck(backend.library.texture_asymmetry_backward.default, arguments)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_compile(backend: Backend, name: str) -> None:
    """The mean over the images is compiled too, and may round otherwise."""
    calls = (hard(call_of(backend, name, torch.float32, (B, 2, 4, 5))) for B in (3, 5))
    properties.compiles(*calls, same=torch.testing.assert_close)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_export(backend: Backend, name: str) -> None:
    properties.exports(*(call_of(backend, name, torch.float32, (B, 2, 4, 5)) for B in (3, 5)))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_autocast(backend: Backend, name: str) -> None:
    properties.autocast(call_of(backend, name))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_noncontiguous(backend: Backend, name: str) -> None:
    properties.noncontiguous(call_of(backend, name, torch.float32, (3, 2, 9, 40)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_deterministic(backend: Backend, name: str, dtype: torch.dtype) -> None:
    properties.deterministic(call_of(backend, name, dtype, SHAPES[0]))


def test_texture_sums_own_their_memory(backend: Backend) -> None:
    for name, operator, more in (
        ("symmetry_loss", backend.library.texture_asymmetry, ()),
        ("siamese_loss", backend.library.texture_difference, (False,)),
    ):
        call = call_of(backend, name)
        properties.owns_outputs(
            Call(lambda *a, operator=operator, more=more: operator(*a, *more), call.arguments, (), call.batched)
        )


@pytest.mark.parametrize("name", ["symmetry_loss", "siamese_loss"])
def test_losses_refuse_a_second_derivative(backend: Backend, name: str) -> None:
    properties.refuses_second_derivative(call_of(backend, name), name)


def test_texture_sums_of_many_texels_are_accurate_in_float32(backend: Backend) -> None:
    """Sums of a million texels are no worse than PyTorch's own; in one float32 they would lose three digits."""
    texture, mask = (random(1, 1, 1000, 1024, seed=seed).to(backend.device) for seed in range(2))
    mask = (mask > 0).double()
    exact = reference.siamese_loss(texture, mask, torch.zeros_like(texture), mask)
    narrow = [tensor.float() for tensor in (texture, mask, torch.zeros_like(texture), mask)]
    assert float(backend.operators.siamese_loss(*narrow).double() / exact - 1) == pytest.approx(0, abs=5e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: (2, 3, 4)}, "texture_difference: textures must be (B, C, P, Q)"),
        ({2: (2, 3, 4, 6)}, "texture_difference: both textures must have one shape"),
        ({1: (2, 1, 4, 6)}, "texture_difference: masks must be (B, 1, P, Q)"),
        ({3: (2, 3, 4, 5)}, "texture_difference: masks must be (B, 1, P, Q)"),
    ],
)
def test_texture_difference_guards_memory(backend: Backend, change: dict[int, tuple[int, ...]], message: str) -> None:
    shapes = dict(enumerate(((2, 3, 4, 5), (2, 1, 4, 5)) * 2)) | change
    with pytest.raises(RuntimeError, match=re.escape(message)):
        backend.library.texture_difference(*(torch.zeros(s, device=backend.device) for s in shapes.values()), False)


def test_texture_asymmetry_guards_memory(backend: Backend) -> None:
    texture, mask = (torch.zeros(shape, device=backend.device) for shape in ((2, 3, 4, 5), (2, 1, 4, 5)))
    asymmetry, backward = backend.library.texture_asymmetry, backend.library.texture_asymmetry_backward
    with pytest.raises(RuntimeError, match="all arguments must have one dtype"):
        asymmetry(texture, mask.double())
    with pytest.raises(RuntimeError, match="the dtype must be float32 or float64"):
        asymmetry(texture.half(), mask.half())
    sums = torch.zeros(2, device=backend.device)
    with pytest.raises(RuntimeError, match=r"gradients to the sums must be \(B,\)"):
        backward(sums, sums[:1], texture, mask, True, True)
    with pytest.raises(RuntimeError, match="all arguments must have one dtype"):
        backward(sums.double(), sums, texture, mask, True, True)


def test_texture_difference_guards_plane_sizes(backend: Backend) -> None:
    """Texel indices are 32-bit; nothing is allocated."""
    shapes = ((0, 1, 2**16, 2**16),) * 4
    with pytest.raises(RuntimeError, match=r"fewer than 2\^31 texels"):
        backend.library.texture_difference(*(torch.zeros(s, device=backend.device) for s in shapes), False)
