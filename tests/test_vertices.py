"""vertices."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stn3dmm_cuda import reference

from . import properties
from .backends import Backend
from .properties import Call
from .scenes import BLOCKS, SMALL, Size, random

DTYPES = [torch.float32, torch.float64]
# The CUDA kernels take 512 columns (three a vertex) a block, 16, 4 or 1 images forward, 8 or 1 images times 8 modes
# backward, 32 modes at a time, and leave large products to the library.
GROUPS = Size(B=19, P=11, Q=17, K=37)
FEW_IMAGES = Size(B=3, P=11, Q=17, K=37)
ONE_IMAGE = Size(B=1, P=11, Q=17, K=70)
MANY_COLUMNS = Size(B=2, P=60, Q=61, K=17)
LIBRARY = Size(B=64, K=70)
SIZES = [SMALL, BLOCKS, BLOCKS._replace(K=1), BLOCKS._replace(B=1, K=10), GROUPS, FEW_IMAGES, ONE_IMAGE, MANY_COLUMNS,
         LIBRARY]  # fmt: skip


def call_of(backend: Backend, size: Size = SMALL, dtype: torch.dtype = torch.float64) -> Call:
    B, N, K = size.B, size.P * size.Q, size.K
    shapes = ((B, K), (N, 3), (K, N, 3))
    arguments = tuple(
        random(*s, seed=i, dtype=torch.float32, device=backend.device).to(dtype) for i, s in enumerate(shapes)
    )
    return Call(backend.operators.vertices, arguments, learnt=(0, 1, 2), batched=(0,))


def test_vertices_by_hand(backend: Backend) -> None:
    mean = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], device=backend.device)
    basis = torch.tensor(
        [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]], device=backend.device
    )
    alpha = torch.tensor([[2.0, -1.0], [0.0, 0.0]], device=backend.device)
    expected = [[[3.0, 2.0, 2.0], [3.0, 6.0, 5.0]], mean.tolist()]
    assert backend.operators.vertices(alpha, mean, basis).tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_vertices_matches_reference(backend: Backend, size: Size, dtype: torch.dtype) -> None:
    properties.matches_reference(call_of(backend, size), reference.vertices, "vertices", dtype)


def test_vertices_gradcheck(backend: Backend) -> None:
    properties.gradcheck(call_of(backend))


def test_vertices_known_gradient(backend: Backend) -> None:
    """Of the sum of all entries: the basis' own sums, the number of images, and the coefficients' sums."""
    call = call_of(backend)
    alpha, mean, basis = call.leaves()
    grads = torch.autograd.grad(backend.operators.vertices(alpha, mean, basis).sum(), (alpha, mean, basis))
    torch.testing.assert_close(grads[0], basis.sum(dim=(1, 2)).expand(SMALL.B, -1))
    torch.testing.assert_close(grads[1], torch.full_like(mean, SMALL.B))
    torch.testing.assert_close(grads[2], alpha.sum(dim=0)[:, None, None].expand_as(basis))


@pytest.mark.parametrize("learnt", [(0,), (1,), (2,), (0, 2)])
def test_vertices_computes_the_gradients_asked_for(backend: Backend, learnt: tuple[int, ...]) -> None:
    call = call_of(backend)
    every = call.gradients()[1:]
    some = Call(call.function, call.arguments, learnt, call.batched).gradients()[1:]
    properties.assert_same(some, tuple(every[i] for i in learnt))


def test_vertices_opcheck(backend: Backend) -> None:
    call = call_of(backend, dtype=torch.float32)
    for deterministic in (False, True):
        torch.library.opcheck(backend.library.vertices.default, (*call.leaves(), deterministic))
    alpha, _, basis = call.arguments
    grad = random(*call.outputs()[0].shape, dtype=torch.float32, device=backend.device)
    for needed in ((True, True, True), (True, False, False), (False, True, False), (False, False, True)):
        torch.library.opcheck(backend.library.vertices_backward.default, (grad, alpha, basis, *needed))


def test_vertices_compiles(backend: Backend) -> None:
    properties.compiles(*(call_of(backend, SMALL._replace(B=B), torch.float32) for B in (3, 5)))


def test_vertices_exports(backend: Backend) -> None:
    properties.exports(*(call_of(backend, SMALL._replace(B=B), torch.float32) for B in (3, 5)))


def test_vertices_autocast(backend: Backend) -> None:
    properties.autocast(call_of(backend))


def test_vertices_noncontiguous(backend: Backend) -> None:
    properties.noncontiguous(call_of(backend, BLOCKS, torch.float32))


@pytest.mark.parametrize("dtype", DTYPES)
def test_vertices_deterministic(backend: Backend, dtype: torch.dtype) -> None:
    properties.deterministic(call_of(backend, BLOCKS, dtype))


def test_vertices_owns_its_outputs(backend: Backend) -> None:
    properties.owns_outputs(call_of(backend))
    properties.owns_outputs(call_of(backend, SMALL._replace(B=1, K=0)))


def test_vertices_refuses_a_second_derivative(backend: Backend) -> None:
    properties.refuses_second_derivative(call_of(backend), "vertices")


@pytest.mark.parametrize(
    "size", [SMALL._replace(B=0), SMALL._replace(P=0), SMALL._replace(K=0), LIBRARY._replace(P=0)], ids=str
)
def test_vertices_empty(backend: Backend, size: Size) -> None:
    call = call_of(backend, size)
    shape, *grads = call.gradients()
    assert shape.shape == (size.B, size.P * size.Q, 3)
    for grad, argument in zip(grads, call.arguments, strict=True):
        assert grad.shape == argument.shape
    if size.K == 0:
        assert torch.equal(shape, call.arguments[1].expand_as(shape))
    if size.B == 0:
        assert not any(bool(grad.any()) for grad in grads)


def test_vertices_keeps_a_bad_alpha_in_its_image(backend: Backend) -> None:
    call = call_of(backend, BLOCKS, torch.float32)
    alpha, mean, basis = call.arguments
    bad = alpha.clone()
    bad[4] = torch.nan
    others = [b for b in range(BLOCKS.B) if b != 4]
    shape = backend.operators.vertices(bad, mean, basis)
    assert torch.equal(shape[others], call.outputs()[0][others])
    assert shape[4].isnan().all()


def test_vertices_keeps_a_bad_gradient_in_its_image(backend: Backend) -> None:
    """Two poisoned images, one of them the last, whose rows stand in for those that a group of images lacks."""
    alpha, mean, basis = call_of(backend, BLOCKS, torch.float32).leaves()
    shape = backend.operators.vertices(alpha, mean, basis)
    weights = random(*shape.shape, dtype=torch.float32, device=backend.device)
    bad = weights.clone()
    bad[[4, 10], 7, 1] = torch.nan
    clean, poisoned = (torch.autograd.grad(shape, alpha, grad, retain_graph=True)[0] for grad in (weights, bad))
    others = [b for b in range(BLOCKS.B) if b not in (4, 10)]
    assert torch.equal(poisoned[others], clean[others])
    assert poisoned[[4, 10]].isnan().all()


def test_vertices_of_an_image_do_not_depend_on_the_others(backend: Backend) -> None:
    """However many images share a kernel's work, each is summed in the same order."""
    call = call_of(backend, GROUPS, torch.float32)
    alpha, mean, basis = call.arguments
    weights = random(GROUPS.B, len(mean), 3, dtype=torch.float32, device=backend.device)

    def results(of: slice) -> tuple[torch.Tensor, torch.Tensor]:
        leaf = alpha[of].detach().requires_grad_()
        shape = backend.operators.vertices(leaf, mean, basis)
        return shape.detach(), torch.autograd.grad(shape, leaf, weights[of])[0]

    together = results(slice(None))
    for of in (slice(0, 1), slice(3, 6), slice(18, 19), slice(5, 15)):
        properties.assert_same(results(of), tuple(result[of] for result in together))


@given(B=st.integers(0, 18), N=st.integers(0, 360), K=st.integers(0, 34))
@settings(max_examples=30)
def test_vertices_of_any_size_match_the_reference(backend: Backend, B: int, N: int, K: int) -> None:
    call = call_of(backend, Size(B=B, P=1, Q=N, K=K))
    expected = replace(call, function=reference.vertices).gradients()
    for one, other in zip(call.gradients(), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_vertices_leave_large_products_to_the_library(emulated: Backend) -> None:
    """No launch of a kernel where arithmetic outweighs memory (csrc/vertices/vertices_cuda.cpp), one elsewhere and
    under deterministic algorithms."""
    assert emulated.launches is not None
    for size, launches in ((LIBRARY, 0), (LIBRARY._replace(K=45), 1), (LIBRARY._replace(B=20), 1), (ONE_IMAGE, 1)):
        call = call_of(emulated, size, torch.float32)
        before = emulated.launches()
        call.outputs()
        assert emulated.launches() - before == launches, size
        torch.use_deterministic_algorithms(True)
        call.outputs()
        assert emulated.launches() - before == launches + 1, size
        torch.use_deterministic_algorithms(False)


def test_vertices_of_a_large_product_do_not_depend_on_the_others(backend: Backend) -> None:
    """Under deterministic algorithms; the library sums in an order of its own choice."""
    torch.use_deterministic_algorithms(True)
    call = call_of(backend, LIBRARY, torch.float32)
    alpha, mean, basis = call.arguments
    properties.assert_same((backend.operators.vertices(alpha[7:11], mean, basis),), (call.outputs()[0][7:11],))


@pytest.mark.parametrize(
    ("argument", "value", "error", "message"),
    [
        (0, torch.zeros(3), ValueError,
         "vertices: alpha must be (B, K) with K = 3 as in basis; got (3,). Add a batch dimension with alpha[None]"),
        (0, torch.zeros(2, 4), ValueError, "vertices: alpha must be (B, K) with K = 3 as in basis; got (2, 4)"),
        (1, torch.zeros(29, 3), ValueError, "vertices: mean must be (N, 3) with N = 30 as in basis; got (29, 3)"),
        (1, torch.zeros(90), ValueError, "vertices: mean must be (N, 3) with N = 30 as in basis; got (90,)"),
        (2, torch.zeros(3, 90), ValueError, "vertices: basis must be (K, N, 3); got (3, 90)"),
        (2, torch.zeros(3, 30, 2), ValueError, "vertices: basis must be (K, N, 3); got (3, 30, 2)"),
        (1, torch.zeros(30, 3).double(), TypeError,
         "vertices: mean must be torch.float32 as alpha is; got torch.float64. Use mean.to(alpha.dtype)"),
        (2, torch.zeros(3, 30, 3).int(), TypeError, "vertices: basis must be floating; got torch.int32"),
        (2, None, TypeError, "vertices: basis must be a torch.Tensor; got NoneType"),
    ],
)  # fmt: skip
def test_vertices_rejects_a_bad_argument(
    backend: Backend, argument: int, value: Any, error: type[Exception], message: str
) -> None:
    arguments = list(call_of(backend, dtype=torch.float32).arguments)
    arguments[argument] = value.to(backend.device) if isinstance(value, torch.Tensor) else value
    with pytest.raises(error, match=re.escape(message)):
        backend.operators.vertices(*arguments)


def test_vertices_rejects_another_device(backend: Backend) -> None:
    alpha, mean, basis = call_of(backend, dtype=torch.float32).arguments
    message = rf"vertices: basis must be on {backend.device}\S* as alpha is; got meta. Use basis.to\(alpha.device\)"
    with pytest.raises(ValueError, match=message):
        backend.operators.vertices(alpha, mean, basis.to("meta"))
