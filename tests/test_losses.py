"""The losses: values by hand, true gradients, and nothing hidden that leaks."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stn3dmm_cuda.losses import landmark_loss, masked, prior_loss, siamese_loss, symmetry_loss

Loss = Callable[..., torch.Tensor]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def soft_mask(*shape: int, seed: int = 0) -> torch.Tensor:
    """0 to 1, a quarter of it exactly 0."""
    mask = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.where(mask < 0.25, 0.0, mask)


def inputs(loss: Loss, B: int = 3) -> tuple[torch.Tensor, ...]:
    """Float64 arguments of each loss, whose weights sum to more than 1 in every image."""
    textures = random(B, 2, 4, 5, seed=1), soft_mask(B, 1, 4, 5, seed=2)
    return {
        landmark_loss: (random(B, 6, 2), random(B, 6, 2, seed=1), soft_mask(B, 6)),
        prior_loss: (random(B, 4),),
        symmetry_loss: textures,
        siamese_loss: (*textures, random(B, 2, 4, 5, seed=3), soft_mask(B, 1, 4, 5, seed=4)),
        masked: textures,
    }[loss]


LOSSES = [landmark_loss, prior_loss, symmetry_loss, siamese_loss]
MASKED_LOSSES = [landmark_loss, symmetry_loss, siamese_loss]


def test_landmark_loss_by_hand() -> None:
    """Image 0: (25 + 1) / 2; image 1: nothing visible, 0; the mean of the two."""
    points = torch.tensor([[[3.0, 4.0], [0.0, 1.0], [9.0, 9.0]], [[5.0, 5.0], [6.0, 6.0], [7.0, 7.0]]])
    visible = torch.tensor([[True, True, False], [False, False, False]])
    assert landmark_loss(points, torch.zeros(2, 3, 2), visible).item() == 6.5


def test_landmark_loss_of_little_weight_is_not_blown_up() -> None:
    """max(1, sum v): a weight of 0.5 in all stays a weight of 0.5."""
    assert landmark_loss(torch.ones(1, 2, 2), torch.zeros(1, 2, 2), torch.tensor([[0.5, 0.0]])).item() == 1.0


def test_prior_loss_by_hand() -> None:
    assert prior_loss(torch.tensor([[1.0, -2.0, 3.0], [0.0, 0.0, 2.0]])).item() == 9.0


def test_symmetry_loss_by_hand() -> None:
    """Columns 1 2 | 3 7 with column 3 hidden: only the middle pair counts, twice, above and below; channels add."""
    texture = torch.tensor([[[[1.0, 2.0, 3.0, 7.0]], [[0.0, 5.0, 1.0, 0.0]]]])
    mask = torch.tensor([[[[1.0, 1.0, 1.0, 0.0]]]])
    assert symmetry_loss(texture, mask).item() == 17.0


def test_siamese_loss_by_hand() -> None:
    first = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    second = torch.tensor([[[[3.0, 4.0, 9.0]]]])
    everywhere = torch.ones(1, 1, 1, 3)
    two = torch.tensor([[[[1.0, 1.0, 0.0]]]])
    assert siamese_loss(first, everywhere, second, two).item() == 4.0
    # Mirrored, the second is 9 4 3 under the mask 0 1 1: (2 - 4)^2 and (3 - 3)^2.
    assert siamese_loss(first, everywhere, second, two, mirror=True).item() == 2.0


def test_masked_by_hand() -> None:
    texture = torch.tensor([[[[1.0, 2.0, math.nan]], [[4.0, math.inf, 6.0]]]])
    mask = torch.tensor([[[[0.5, 0.0, 0.0]]]])
    assert masked(texture, mask).tolist() == [[[[0.5, 0.0, 0.0]], [[2.0, 0.0, 0.0]]]]
    assert masked(texture.half(), mask).dtype == torch.float16


@pytest.mark.parametrize("loss", [*LOSSES, masked])
def test_losses_gradcheck(loss: Loss) -> None:
    """With respect to everything, soft masks and their zeros included."""
    arguments = tuple(argument.requires_grad_() for argument in inputs(loss))
    assert torch.autograd.gradcheck(loss, arguments)
    assert torch.autograd.gradgradcheck(loss, arguments)


def test_siamese_loss_gradcheck_mirrored() -> None:
    arguments = tuple(argument.requires_grad_() for argument in inputs(siamese_loss))
    assert torch.autograd.gradcheck(lambda *given: siamese_loss(*given, mirror=True), arguments)


def test_siamese_loss_pulls_the_textures_together() -> None:
    """Opposite signs on the two textures, divided by the weights and the images."""
    first, second = random(2, 1, 3, 3).requires_grad_(), random(2, 1, 3, 3, seed=1).requires_grad_()
    ones = torch.ones(2, 1, 3, 3, dtype=torch.float64)
    siamese_loss(first, ones, second, ones).backward()
    expected = 2 * (first - second).detach() / (9 * 2)
    torch.testing.assert_close(first.grad, expected)
    torch.testing.assert_close(second.grad, -expected)


def test_symmetry_loss_known_gradient() -> None:
    """Every texel meets its mirror twice: 4 (T - T') / (P Q)."""
    texture = random(1, 1, 2, 4).requires_grad_()
    symmetry_loss(texture, torch.ones(1, 1, 2, 4, dtype=torch.float64)).backward()
    torch.testing.assert_close(texture.grad, 4 * (texture - texture.flip(-1)).detach() / 8)


@pytest.mark.parametrize("columns", [4, 5])
def test_symmetry_loss_of_a_symmetric_texture_is_zero(columns: int) -> None:
    texture = random(1, 3, 4, columns)
    mask = torch.ones(1, 1, 4, columns)
    assert symmetry_loss(texture, mask).item() > 0
    assert symmetry_loss(texture + texture.flip(-1), mask).item() == 0


@pytest.mark.parametrize("poison", [math.nan, math.inf, 1e200])
@pytest.mark.parametrize("loss", [*MASKED_LOSSES, masked])
def test_losses_hide_what_has_no_weight(loss: Loss, poison: float) -> None:
    """A hidden NaN changes neither the value nor any gradient but its own, which is 0; 1e200 squared overflows."""
    hidden = (0, 1) if loss is landmark_loss else (0, slice(None), slice(None), 1)
    values, weights = (1, 2) if loss is landmark_loss else (0, 1)
    results = []
    for bad in (False, True):
        arguments = [argument.clone() for argument in inputs(loss)]
        arguments[weights][hidden] = 0
        if bad:
            arguments[values][hidden] = poison
        for argument in arguments:
            argument.requires_grad_()
        value = loss(*arguments).square().sum()
        results.append((value, *torch.autograd.grad(value, arguments)))
    assert torch.equal(results[0][0], results[1][0])
    for clean, poisoned in zip(results[0][1:], results[1][1:], strict=True):
        assert poisoned.isfinite().all()
        assert torch.equal(clean[1:], poisoned[1:])


@pytest.mark.parametrize("loss", MASKED_LOSSES)
def test_losses_show_what_has_weight(loss: Loss) -> None:
    """A NaN that counts is not swept under the carpet."""
    arguments = [argument.clone() for argument in inputs(loss)]
    arguments[0].fill_(math.nan)
    assert loss(*arguments).isnan()


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_of_an_empty_batch(loss: Loss) -> None:
    arguments = [argument.requires_grad_() for argument in inputs(loss, B=0)]
    value = loss(*arguments)
    assert value.shape == ()
    assert value.item() == 0
    value.backward()


def test_losses_of_no_elements() -> None:
    assert landmark_loss(torch.zeros(2, 0, 2), torch.zeros(2, 0, 2), torch.zeros(2, 0)).item() == 0
    assert prior_loss(torch.zeros(2, 0)).item() == 0
    assert symmetry_loss(torch.zeros(2, 3, 0, 4), torch.zeros(2, 1, 0, 4)).item() == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_means_over_the_images(loss: Loss) -> None:
    """So that the mean over equal shares of a batch is the loss of the whole."""
    arguments = inputs(loss, B=4)
    shares = [loss(*(argument[share] for argument in arguments)) for share in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close((shares[0] + shares[1]) / 2, loss(*arguments))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_losses_widen_half_inputs(loss: Loss, dtype: torch.dtype) -> None:
    arguments = tuple(argument.to(dtype) for argument in inputs(loss))
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    value = loss(*arguments)
    assert value.dtype == wide
    torch.testing.assert_close(value, loss(*(argument.to(wide) for argument in arguments)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(*arguments), value)


@pytest.mark.parametrize("loss", MASKED_LOSSES)
def test_losses_take_bool_masks(loss: Loss) -> None:
    arguments = list(inputs(loss))
    hard = list(arguments)
    for place in (2,) if loss is landmark_loss else range(1, len(arguments), 2):
        hard[place] = arguments[place] > 0.3
        arguments[place] = hard[place].double()
    assert loss(*hard).item() == loss(*arguments).item() > 0


@pytest.mark.parametrize("loss", [*LOSSES, masked])
def test_losses_compile_once_for_every_batch(loss: Loss) -> None:
    torch.compiler.reset()
    count = 0

    def backend(graph: torch.fx.GraphModule, _: object) -> Callable[..., object]:
        nonlocal count
        count += 1
        return graph.forward

    compiled = torch.compile(loss, fullgraph=True, dynamic=True, backend=backend)
    for B in (3, 5, 7):
        arguments = inputs(loss, B)
        torch.testing.assert_close(compiled(*arguments), loss(*arguments))
    assert count == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**16))
def test_symmetry_loss_is_siamese_with_itself_mirrored(B: int, C: int, P: int, Q: int, seed: int) -> None:
    texture, mask = random(B, C, P, Q, seed=seed), soft_mask(B, 1, P, Q, seed=seed)
    value = symmetry_loss(texture, mask)
    torch.testing.assert_close(value, siamese_loss(texture, mask, texture, mask, mirror=True))
    torch.testing.assert_close(value, symmetry_loss(texture.flip(-1), mask.flip(-1)))


def test_losses_reject_bad_arguments() -> None:
    texture, mask = torch.zeros(2, 3, 4, 5), torch.zeros(2, 1, 4, 5)
    with pytest.raises(ValueError, match=r"landmark_loss: points must be \(B, L, 2\); got \(2, 6, 3\)"):
        landmark_loss(torch.zeros(2, 6, 3), torch.zeros(2, 6, 2), torch.ones(2, 6))
    with pytest.raises(ValueError, match=r"landmark_loss: target .* B = 2, L = 6 as in points; got \(1, 6, 2\)"):
        landmark_loss(torch.zeros(2, 6, 2), torch.zeros(1, 6, 2), torch.ones(2, 6))
    with pytest.raises(ValueError, match=r"landmark_loss: visible .* B = 2, L = 6 as in points; got \(6,\)"):
        landmark_loss(torch.zeros(2, 6, 2), torch.zeros(2, 6, 2), torch.ones(6))
    with pytest.raises(TypeError, match=r"landmark_loss: target must be a floating tensor; got torch.int64"):
        landmark_loss(torch.zeros(2, 6, 2), torch.zeros(2, 6, 2, dtype=torch.int64), torch.ones(2, 6))
    with pytest.raises(ValueError, match=r"prior_loss: alpha must be \(B, K\); got \(4,\)"):
        prior_loss(torch.zeros(4))
    with pytest.raises(
        ValueError, match=r"symmetry_loss: mask must be \(B, 1, P, Q\) .* as in texture; got \(2, 3, 4, 5\)"
    ):
        symmetry_loss(texture, texture)
    with pytest.raises(ValueError, match=r"masked: mask .* got \(2, 4, 5\)\. Use mask\[:, None\]"):
        masked(texture, mask[:, 0])
    with pytest.raises(ValueError, match=r"siamese_loss: texture_b .* C = 3, P = 4, Q = 5 as in texture_a"):
        siamese_loss(texture, mask, texture[:, :1], mask)
    with pytest.raises(TypeError, match="masked: texture must be a floating tensor"):
        masked(texture.int(), mask)
