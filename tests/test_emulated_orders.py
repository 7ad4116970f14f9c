"""The emulated kernels in any order of blocks and threads: bitwise the same, as they must be on a GPU.

Only the gradient to an image, and to the points of a picture, may differ, by its rounding, and not under deterministic
algorithms.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from .backends import Backend
from .cases import CASES, SUMS_TO_THE_IMAGE
from .emulator.operators import controls
from .properties import Call, Outputs, assert_same

ORDERS = [("reverse", 0), ("shuffled", 1), ("shuffled", 2), ("shuffled", 3)]


@pytest.fixture(autouse=True)
def usual_order(emulated: Backend) -> Iterator[None]:
    yield
    controls().set_order("shuffled")


def results_by_order(backend: Backend, call: Call) -> tuple[Outputs, list[Outputs]]:
    """Values and gradients in the usual order, and in others."""
    launches = controls().launches()
    expected = call.gradients()
    assert controls().launches() > launches
    others = []
    for order, seed in ORDERS:
        controls().set_order(order, seed)
        others.append(call.gradients())
    return expected, others


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", list(CASES))
def test_emulated_results_do_not_depend_on_the_order(emulated: Backend, name: str, dtype: torch.dtype) -> None:
    torch.use_deterministic_algorithms(True)
    expected, others = results_by_order(emulated, CASES[name](emulated, dtype))
    for other in others:
        assert_same(other, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SUMS_TO_THE_IMAGE)
def test_emulated_sums_to_an_image_depend_on_the_order_by_rounding_alone(
    emulated: Backend, name: str, dtype: torch.dtype
) -> None:
    call = CASES[name](emulated, dtype)
    expected, others = results_by_order(emulated, call)
    image = len(expected) - len(call.learnt)
    for other in others:
        torch.testing.assert_close(other[image], expected[image])
        assert_same(other[:image] + other[image + 1 :], expected[:image] + expected[image + 1 :])
