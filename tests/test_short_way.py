"""The short way to an operator: taken where plain tensors meet autograd alone, and then the same in all but time."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import stn3dmm_cuda
from stn3dmm_cuda import _short_way

from . import properties
from .backends import cpu
from .cases import CASES
from .scenes import random


class Subclass(torch.Tensor):
    """It may do what it likes with operators."""


class DispatchMode(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class FunctionMode(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def arguments() -> list[torch.Tensor]:
    given = [random(2, 5, 3), random(2, 3, 3, seed=1), random(2, 2, seed=2), random(2, seed=3)]
    return [tensor.requires_grad_() for tensor in given]


def way(points: torch.Tensor) -> str:
    assert points.grad_fn is not None
    return "short" if points.grad_fn.name().startswith("ShortWay") else "whole"


def test_way_is_open() -> None:
    """This PyTorch has what the short way needs."""
    assert _short_way.OPEN


def test_plain_tensors_go_the_short_way() -> None:
    assert way(stn3dmm_cuda.project(*arguments())) == "short"
    assert way(stn3dmm_cuda.project(*map(torch.nn.Parameter, arguments()))) == "short"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", list(CASES))
def test_both_ways_give_the_same(monkeypatch: pytest.MonkeyPatch, name: str, dtype: torch.dtype) -> None:
    call = CASES[name](cpu(), dtype)
    torch.use_deterministic_algorithms(True)
    short = call.gradients()
    monkeypatch.setattr(_short_way, "OPEN", False)
    properties.assert_same(short, call.gradients())


def test_saved_tensors_can_be_packed() -> None:
    given = arguments()
    packed: list[torch.Size] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        packed.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        points = stn3dmm_cuda.project(*given)
    assert way(points) == "short"
    assert torch.Size([2, 5, 3]) in packed


def test_checkpoints_recompute() -> None:
    given = arguments()
    plain = torch.autograd.grad(stn3dmm_cuda.project(*given).square().sum(), given)
    again = checkpoint(stn3dmm_cuda.project, *given, use_reentrant=False)
    for one, other in zip(plain, torch.autograd.grad(again.square().sum(), given), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "surroundings",
    [
        DispatchMode(),  # type: ignore[no-untyped-call]
        FunctionMode(),
        torch.autocast("cpu", torch.bfloat16),
        torch.device("cpu"),
    ],
    ids=["dispatch mode", "function mode", "autocast", "default device"],
)
def test_surroundings_get_the_whole_way(surroundings: AbstractContextManager[Any]) -> None:
    given = arguments()
    with surroundings:
        assert way(stn3dmm_cuda.project(*given)) == "whole"


def test_subclasses_get_the_whole_way() -> None:
    vertices, *others = arguments()
    assert way(stn3dmm_cuda.project(vertices.as_subclass(Subclass), *others)) == "whole"


def test_compilers_get_the_whole_way() -> None:
    given = [tensor.detach() for tensor in arguments()]

    def total(vertices: torch.Tensor) -> torch.Tensor:
        return stn3dmm_cuda.project(vertices, *given[1:]).square().sum()

    leaf = given[0].clone().requires_grad_()
    (expected,) = torch.autograd.grad(total(leaf), leaf)
    compiled = torch.compile(total, backend="aot_eager", fullgraph=True)
    (found,) = torch.autograd.grad(compiled(leaf), leaf)
    torch.testing.assert_close(found, expected)


def test_a_pytorch_without_the_short_way_goes_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_short_way, "OPEN", False)
    assert way(stn3dmm_cuda.project(*arguments())) == "whole"


def test_second_derivatives_are_refused_on_both_ways() -> None:
    for project in (stn3dmm_cuda.project, torch.ops.stn3dmm.project):
        given = arguments()
        (first,) = torch.autograd.grad(project(*given).square().sum(), given[:1], create_graph=True)
        with pytest.raises(NotImplementedError, match="project: the second derivative is not implemented"):
            torch.autograd.grad(first.sum(), given[:1])


def test_no_gradient_is_recorded_without_need() -> None:
    given = arguments()
    with torch.no_grad():
        assert not stn3dmm_cuda.project(*given).requires_grad
    assert not stn3dmm_cuda.project(*(tensor.detach() for tensor in given)).requires_grad
    with torch.inference_mode():
        assert stn3dmm_cuda.project(*given).is_inference()
