"""The losses: values by hand, true gradients, and nothing hidden that leaks; on every backend and in the reference."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stn3dmm_cuda import reference

from .backends import BACKENDS, Backend, available

LOSSES = ["landmark_loss", "prior_loss", "symmetry_loss", "siamese_loss"]
MASKED_LOSSES = ["landmark_loss", "symmetry_loss", "siamese_loss"]
OPERATORS = ["symmetry_loss", "siamese_loss"]
Values = tuple[torch.Tensor, ...]


@pytest.fixture(params=[*available(), "reference"], scope="session")
def home(request: pytest.FixtureRequest) -> Backend:
    """Where the losses come from: a backend or the reference."""
    if request.param == "reference":
        return Backend("reference", torch.device("cpu"), reference)
    return BACKENDS[request.param].create()


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def soft_mask(*shape: int, seed: int = 0) -> torch.Tensor:
    """0 to 1, a quarter of it exactly 0."""
    mask = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.where(mask < 0.25, 0.0, mask)


def inputs(name: str, B: int = 3, device: torch.device | str = "cpu") -> Values:
    """Float64 arguments of each loss, whose weights sum to more than 1 in every image."""
    textures = random(B, 2, 4, 5, seed=1), soft_mask(B, 1, 4, 5, seed=2)
    arguments: dict[str, Values] = {
        "landmark_loss": (random(B, 6, 2), random(B, 6, 2, seed=1), soft_mask(B, 6)),
        "prior_loss": (random(B, 4),),
        "symmetry_loss": textures,
        "siamese_loss": (*textures, random(B, 2, 4, 5, seed=3), soft_mask(B, 1, 4, 5, seed=4)),
        "masked": textures,
    }
    return tuple(argument.to(device) for argument in arguments[name])


def on(home: Backend, *tensors: torch.Tensor) -> Values:
    return tuple(tensor.to(home.device) for tensor in tensors)


def test_landmark_loss_by_hand(home: Backend) -> None:
    """Image 0: (25 + 1) / 2; image 1: nothing visible, 0; the mean of the two."""
    points = torch.tensor([[[3.0, 4.0], [0.0, 1.0], [9.0, 9.0]], [[5.0, 5.0], [6.0, 6.0], [7.0, 7.0]]])
    visible = torch.tensor([[True, True, False], [False, False, False]])
    assert home.operators.landmark_loss(*on(home, points, torch.zeros(2, 3, 2), visible)).item() == 6.5


def test_landmark_loss_of_little_weight_is_not_blown_up(home: Backend) -> None:
    """max(1, sum v): a weight of 0.5 in all stays a weight of 0.5."""
    arguments = on(home, torch.ones(1, 2, 2), torch.zeros(1, 2, 2), torch.tensor([[0.5, 0.0]]))
    assert home.operators.landmark_loss(*arguments).item() == 1.0


def test_prior_loss_by_hand(home: Backend) -> None:
    (alpha,) = on(home, torch.tensor([[1.0, -2.0, 3.0], [0.0, 0.0, 2.0]]))
    assert home.operators.prior_loss(alpha).item() == 9.0


def test_symmetry_loss_by_hand(home: Backend) -> None:
    """Columns 1 2 | 3 7 with column 3 hidden: only the middle pair counts, twice, above and below; channels add."""
    texture = torch.tensor([[[[1.0, 2.0, 3.0, 7.0]], [[0.0, 5.0, 1.0, 0.0]]]])
    mask = torch.tensor([[[[1.0, 1.0, 1.0, 0.0]]]])
    assert home.operators.symmetry_loss(*on(home, texture, mask)).item() == 17.0


def test_symmetry_loss_by_hand_of_an_odd_number_of_columns(home: Backend) -> None:
    """The middle column is its own mirror: it weighs 0.25 and differs by nothing; (0.5 4 + 0.5 4) / (0.5 2 + 0.25)."""
    arguments = on(home, torch.tensor([[[[1.0, 8.0, 3.0]]]]), torch.tensor([[[[0.5, 0.5, 1.0]]]]))
    assert home.operators.symmetry_loss(*arguments).item() == pytest.approx(3.2)


def test_siamese_loss_by_hand(home: Backend) -> None:
    first = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    second = torch.tensor([[[[3.0, 4.0, 9.0]]]])
    everywhere = torch.ones(1, 1, 1, 3)
    two = torch.tensor([[[[1.0, 1.0, 0.0]]]])
    arguments = on(home, first, everywhere, second, two)
    assert home.operators.siamese_loss(*arguments).item() == 4.0
    # Mirrored, the second is 9 4 3 under the mask 0 1 1: (2 - 4)^2 and (3 - 3)^2.
    assert home.operators.siamese_loss(*arguments, mirror=True).item() == 2.0


def test_masked_by_hand(home: Backend) -> None:
    texture = torch.tensor([[[[1.0, 2.0, math.nan]], [[4.0, math.inf, 6.0]]]])
    texture, mask = on(home, texture, torch.tensor([[[[0.5, 0.0, 0.0]]]]))
    assert home.operators.masked(texture, mask).tolist() == [[[[0.5, 0.0, 0.0]], [[2.0, 0.0, 0.0]]]]
    assert home.operators.masked(texture.half(), mask).dtype == torch.float16


@pytest.mark.parametrize("name", [*LOSSES, "masked"])
def test_losses_gradcheck(home: Backend, name: str) -> None:
    """With respect to everything, soft masks and their zeros included."""
    loss = getattr(home.operators, name)
    arguments = tuple(argument.requires_grad_() for argument in inputs(name, device=home.device))
    assert torch.autograd.gradcheck(loss, arguments)
    if name not in OPERATORS or home.operators is reference:
        assert torch.autograd.gradgradcheck(loss, arguments)


def test_siamese_loss_gradcheck_mirrored(home: Backend) -> None:
    arguments = tuple(argument.requires_grad_() for argument in inputs("siamese_loss", device=home.device))
    assert torch.autograd.gradcheck(lambda *given: home.operators.siamese_loss(*given, mirror=True), arguments)


def test_siamese_loss_pulls_the_textures_together(home: Backend) -> None:
    """Opposite signs on the two textures, divided by the weights and the images."""
    ones = torch.ones(2, 1, 3, 3, dtype=torch.float64)
    first, second, ones = on(home, random(2, 1, 3, 3), random(2, 1, 3, 3, seed=1), ones)
    home.operators.siamese_loss(first.requires_grad_(), ones, second.requires_grad_(), ones).backward()
    expected = 2 * (first - second).detach() / (9 * 2)
    torch.testing.assert_close(first.grad, expected)
    torch.testing.assert_close(second.grad, -expected)


def test_symmetry_loss_known_gradient(home: Backend) -> None:
    """Every texel meets its mirror twice: 4 (T - T') / (P Q)."""
    texture, ones = on(home, random(1, 1, 2, 4), torch.ones(1, 1, 2, 4, dtype=torch.float64))
    home.operators.symmetry_loss(texture.requires_grad_(), ones).backward()
    torch.testing.assert_close(texture.grad, 4 * (texture - texture.flip(-1)).detach() / 8)


@pytest.mark.parametrize("columns", [4, 5])
def test_symmetry_loss_of_a_symmetric_texture_is_zero(home: Backend, columns: int) -> None:
    texture, mask = on(home, random(1, 3, 4, columns), torch.ones(1, 1, 4, columns))
    assert home.operators.symmetry_loss(texture, mask).item() > 0
    assert home.operators.symmetry_loss(texture + texture.flip(-1), mask).item() == 0


@pytest.mark.parametrize("poison", [math.nan, math.inf, 1e200, 1e154])
@pytest.mark.parametrize("name", [*MASKED_LOSSES, "masked"])
def test_losses_hide_what_has_no_weight(home: Backend, name: str, poison: float) -> None:
    """A hidden NaN changes neither the value nor any gradient but its own, which is 0.

    The square of 1e200 overflows; that of 1e154 does only when channels are added up.
    """
    hidden = (0, 1) if name == "landmark_loss" else (0, slice(None), slice(None), 1)
    values, weights = (1, 2) if name == "landmark_loss" else (0, 1)
    results = []
    for bad in (False, True):
        arguments = [argument.clone() for argument in inputs(name, device=home.device)]
        arguments[weights][hidden] = 0
        if bad:
            arguments[values][hidden] = poison
        for argument in arguments:
            argument.requires_grad_()
        value = getattr(home.operators, name)(*arguments).square().sum()
        results.append((value, *torch.autograd.grad(value, arguments)))
    assert torch.equal(results[0][0], results[1][0])
    for clean, poisoned in zip(results[0][1:], results[1][1:], strict=True):
        assert poisoned.isfinite().all()
        assert torch.equal(clean[1:], poisoned[1:])


@pytest.mark.parametrize("name", MASKED_LOSSES)
def test_losses_show_what_has_weight(home: Backend, name: str) -> None:
    """A NaN that counts is not swept under the carpet."""
    arguments = [argument.clone() for argument in inputs(name, device=home.device)]
    arguments[0].fill_(math.nan)
    assert getattr(home.operators, name)(*arguments).isnan()


def test_symmetry_loss_shows_a_middle_column_that_has_weight(home: Backend) -> None:
    """It differs from itself by nothing, unless it is no number."""
    texture, mask = inputs("symmetry_loss", device=home.device)
    texture[0, 0, 1, 2] = math.nan
    mask[0, 0, 1, 2] = 1
    assert home.operators.symmetry_loss(texture, mask).isnan()


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_an_empty_batch(home: Backend, name: str) -> None:
    arguments = [argument.requires_grad_() for argument in inputs(name, B=0, device=home.device)]
    value = getattr(home.operators, name)(*arguments)
    assert value.shape == ()
    assert value.item() == 0
    value.backward()


@pytest.mark.parametrize("shape", [(2, 3, 0, 4), (2, 3, 4, 0), (2, 0, 3, 4), (0, 0, 0, 0)], ids=str)
def test_losses_of_no_elements(home: Backend, shape: tuple[int, int, int, int]) -> None:
    B, _, P, Q = shape
    points, visible, alpha, texture, mask = on(
        home, torch.zeros(B, 0, 2), torch.zeros(B, 0), torch.zeros(B, 0), torch.zeros(shape), torch.ones(B, 1, P, Q)
    )
    assert home.operators.landmark_loss(points, points, visible).item() == 0
    assert home.operators.prior_loss(alpha).item() == 0
    leaves = texture.requires_grad_(), mask.requires_grad_()
    for value in (home.operators.symmetry_loss(*leaves), home.operators.siamese_loss(*leaves, *leaves)):
        assert value.item() == 0
        grads = torch.autograd.grad(value, leaves)
        assert [grad.shape for grad in grads] == [leaf.shape for leaf in leaves]
        assert not any(bool(grad.any()) for grad in grads)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_means_over_the_images(home: Backend, name: str) -> None:
    """So that the mean over equal shares of a batch is the loss of the whole."""
    loss, arguments = getattr(home.operators, name), inputs(name, B=4, device=home.device)
    shares = [loss(*(argument[share] for argument in arguments)) for share in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close((shares[0] + shares[1]) / 2, loss(*arguments))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_losses_widen_half_inputs(home: Backend, name: str, dtype: torch.dtype) -> None:
    loss = getattr(home.operators, name)
    arguments = tuple(argument.to(dtype) for argument in inputs(name, device=home.device))
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    value = loss(*arguments)
    assert value.dtype == wide
    torch.testing.assert_close(value, loss(*(argument.to(wide) for argument in arguments)))
    with torch.autocast(home.device.type, dtype=torch.bfloat16):
        assert torch.equal(loss(*arguments), value)


@pytest.mark.parametrize("name", OPERATORS)
def test_losses_meet_in_float64(home: Backend, name: str) -> None:
    """A mask in float64 takes a float32 texture along; each gets a gradient in its own dtype."""
    arguments = inputs(name, device=home.device)
    mixed = tuple(argument.float() if i % 2 == 0 else argument for i, argument in enumerate(arguments))
    leaves = tuple(argument.detach().requires_grad_() for argument in mixed)
    value = getattr(home.operators, name)(*leaves)
    assert value.dtype == torch.float64
    torch.testing.assert_close(value, getattr(home.operators, name)(*(argument.double() for argument in mixed)))
    grads = torch.autograd.grad(value, leaves)
    assert [grad.dtype for grad in grads] == [argument.dtype for argument in mixed]
    assert all(bool((grad != 0).any()) for grad in grads)


@pytest.mark.parametrize("name", MASKED_LOSSES)
def test_losses_take_bool_masks(home: Backend, name: str) -> None:
    loss, arguments = getattr(home.operators, name), list(inputs(name, device=home.device))
    hard = list(arguments)
    for place in (2,) if name == "landmark_loss" else range(1, len(arguments), 2):
        hard[place] = arguments[place] > 0.3
        arguments[place] = hard[place].double()
    assert loss(*hard).item() == loss(*arguments).item() > 0


@pytest.mark.parametrize("name", [*LOSSES, "masked"])
def test_losses_compile_once_for_every_batch(home: Backend, name: str) -> None:
    torch.compiler.reset()
    loss, count = getattr(home.operators, name), 0

    def backend(graph: torch.fx.GraphModule, _: object) -> Callable[..., object]:
        nonlocal count
        count += 1
        return graph.forward

    compiled = torch.compile(loss, fullgraph=True, dynamic=True, backend=backend)
    for B in (3, 5, 7):
        arguments = inputs(name, B, home.device)
        torch.testing.assert_close(compiled(*arguments), loss(*arguments))
    assert count == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**16))
def test_symmetry_loss_is_siamese_with_itself_mirrored(
    home: Backend, B: int, C: int, P: int, Q: int, seed: int
) -> None:
    texture, mask = on(home, random(B, C, P, Q, seed=seed), soft_mask(B, 1, P, Q, seed=seed))
    value = home.operators.symmetry_loss(texture, mask)
    torch.testing.assert_close(value, home.operators.siamese_loss(texture, mask, texture, mask, mirror=True))
    torch.testing.assert_close(value, home.operators.symmetry_loss(texture.flip(-1), mask.flip(-1)))


def test_losses_reject_bad_arguments(home: Backend) -> None:
    operators = home.operators
    texture, mask = on(home, torch.zeros(2, 3, 4, 5), torch.zeros(2, 1, 4, 5))
    points, visible = on(home, torch.zeros(2, 6, 2), torch.ones(2, 6))
    with pytest.raises(ValueError, match=r"landmark_loss: points must be \(B, L, 2\); got \(2, 6, 3\)"):
        operators.landmark_loss(torch.zeros(2, 6, 3, device=home.device), points, visible)
    with pytest.raises(ValueError, match=r"landmark_loss: target .* B = 2, L = 6 as in points; got \(1, 6, 2\)"):
        operators.landmark_loss(points, points[:1], visible)
    with pytest.raises(ValueError, match=r"landmark_loss: visible .* B = 2, L = 6 as in points; got \(6,\)"):
        operators.landmark_loss(points, points, visible[0])
    with pytest.raises(TypeError, match=r"landmark_loss: target must be a floating tensor; got torch.int64"):
        operators.landmark_loss(points, points.long(), visible)
    with pytest.raises(ValueError, match=r"prior_loss: alpha must be \(B, K\); got \(4,\)"):
        operators.prior_loss(torch.zeros(4, device=home.device))
    with pytest.raises(
        ValueError, match=r"symmetry_loss: mask must be \(B, 1, P, Q\) .* as in texture; got \(2, 3, 4, 5\)"
    ):
        operators.symmetry_loss(texture, texture)
    with pytest.raises(ValueError, match=r"masked: mask .* got \(2, 4, 5\)\. Use mask\[:, None\]"):
        operators.masked(texture, mask[:, 0])
    with pytest.raises(ValueError, match=r"siamese_loss: texture_b .* C = 3, P = 4, Q = 5 as in texture_a"):
        operators.siamese_loss(texture, mask, texture[:, :1], mask)
    with pytest.raises(TypeError, match="masked: texture must be a floating tensor"):
        operators.masked(texture.int(), mask)
