"""The least work of an operator, against counts by hand."""

from __future__ import annotations

import pytest
import torch

from benchmarks import ceilings, limits
from benchmarks.ceilings import Ceilings
from benchmarks.harness import Effort
from benchmarks.limits import Pass

# Megabytes of a forward pass by hand, B = 64, image 3 x 224 x 224: image, texture, a mask of one byte, mean and basis.
WARP = [(112, 10, 50.6), (112, 60, 58.2), (112, 199, 79.1), (224, 10, 86.9), (224, 60, 117), (224, 199, 201)]


def sizes(side: int, K: int) -> dict[str, int]:
    return {"B": 64, "P": side, "Q": side, "K": K, "C": 3, "H": 224, "W": 224}


@pytest.mark.parametrize(("side", "K", "megabytes"), WARP)
def test_limits_of_warp_by_hand(side: int, K: int, megabytes: float) -> None:
    (forward,) = limits.warp(sizes(side, K), False, False, "none")
    mask = 64 * side * side  # ours has four bytes a vertex, not one
    assert (forward.bytes - 3 * mask) / 1e6 == pytest.approx(megabytes, rel=0.005)


def test_limits_of_the_backward_of_warp_by_hand() -> None:
    """N = 4, K = 3, B = 2, 1 x 5 x 5: texels, gradient, model and theta read, its gradient written; one product."""
    sizes = {"B": 2, "P": 2, "Q": 2, "K": 3, "C": 1, "H": 5, "W": 5}
    forward, backward = limits.warp(sizes, True, False, "none")
    assert backward.bytes == 4 * (2 * 16 + 2 * 4 + 12 * 4 + 18 + 18)
    assert forward.bytes == 4 * (2 * 16 + 2 * 4 + 12 * 4 + 18 + 8)
    product = 2 * 2 * 12 * 3
    assert backward.operations - product == 2 * (forward.operations - product)


def test_limits_of_the_gradient_to_the_image() -> None:
    """It is written once: 38.5 MB more."""
    plain, to_image = (limits.warp(sizes(112, 10), True, image, "none")[1].bytes for image in (False, True))
    assert to_image - plain == 64 * 3 * 224 * 224 * 4


def test_limits_of_vertices_count_the_products() -> None:
    """N = 4, K = 3, B = 2: 2 x 12 x 3 multiplications and as many additions; 36 + 12 + 6 read, 24 written."""
    forward, backward = limits.vertices({"B": 2, "P": 2, "Q": 2, "K": 3}, True)
    assert forward == Pass(4 * (36 + 12 + 6 + 24), 144)
    assert backward == Pass(4 * (24 + 36 + 6), 144)


def test_limits_of_a_small_grid_read_few_texels() -> None:
    """Two by two vertices see at most 16 texels of a channel."""
    (forward,) = limits.sample({"B": 1, "P": 2, "Q": 2, "C": 1, "H": 100, "W": 100}, False, False)
    assert forward.bytes == 4 * (16 + 12 + 4)


def test_ceilings_take_the_longer_of_each_pass() -> None:
    machine = Ceilings(copy=100.0, float32=10.0, cache=0)
    passes = (Pass(bytes=200, operations=1), Pass(bytes=100, operations=30))
    assert machine.limit(passes) == pytest.approx(2 + 3)
    assert machine.bound(passes) == "arithmetic"
    assert machine.bound(passes[:1]) == "memory"


def test_ceilings_are_those_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte or an operation in less than a picosecond, or in more than a microsecond, would be a wrong unit."""
    monkeypatch.setattr(ceilings, "LARGEST", 2**22)
    precision = torch.get_float32_matmul_precision()
    found = ceilings.measured(torch.device("cpu"), Effort(least=3, most=3, seconds=0))
    assert 1e6 < found.copy < 1e12
    assert 1e6 < found.float32 < 1e14
    assert torch.get_float32_matmul_precision() == precision
