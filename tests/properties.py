"""What every operator must do, written once: the bodies of test_<room>_<property>."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

from .scenes import random, strided
from .tolerances import assert_near

Outputs = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Call:
    """One call of an operator."""

    function: Callable[..., Any]
    arguments: tuple[torch.Tensor, ...]
    learnt: tuple[int, ...]  # the arguments that get a gradient
    batched: tuple[int, ...]  # the arguments whose first dimension is B

    def on(self, *arguments: torch.Tensor) -> Call:
        return replace(self, arguments=arguments)

    def cast(self, dtype: torch.dtype) -> Call:
        return self.on(*(a.to(dtype) if a.is_floating_point() else a for a in self.arguments))

    def outputs(self) -> Outputs:
        return as_tuple(self.function(*self.arguments))

    def leaves(self) -> tuple[torch.Tensor, ...]:
        """The arguments, strides kept, the learnt ones asking for a gradient."""
        return tuple(
            a.detach().requires_grad_() if i in self.learnt else a.detach() for i, a in enumerate(self.arguments)
        )

    def gradients(self) -> Outputs:
        """Outputs, then the gradient of a fixed random weighting of them to each learnt argument."""
        leaves = self.leaves()
        outputs = as_tuple(self.function(*leaves))
        grads = torch.autograd.grad(weighting(outputs), [leaves[i] for i in self.learnt]) if self.learnt else ()
        return tuple(output.detach() for output in outputs) + grads


def as_tuple(outputs: Any) -> Outputs:
    return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)


def weighting(outputs: Outputs) -> torch.Tensor:
    """A scalar in which every differentiable entry has a weight of its own."""
    parts = [
        (random(*output.shape, seed=seed, device=output.device) * output.double()).sum()
        for seed, output in enumerate(outputs)
        if output.requires_grad
    ]
    return torch.stack(parts).sum()


def assert_same(actual: Outputs, expected: Outputs) -> None:
    """Bitwise, NaN counting as equal to NaN."""
    assert len(actual) == len(expected)
    for i, (one, other) in enumerate(zip(actual, expected, strict=True)):
        assert one.dtype == other.dtype
        assert torch.equal(one.nan_to_num(nan=1e30), other.nan_to_num(nan=1e30)), f"result {i} differs"


def matches_reference(call: Call, reference: Callable[..., Any], room: str, dtype: torch.dtype) -> None:
    """Values and gradients, against the reference in float64 on the same numbers."""
    call = call.cast(dtype)
    expected = replace(call.cast(torch.float64), function=reference).gradients()
    actual = call.gradients()
    assert all(bool((e != 0).any()) for e in expected), "a result of zeros alone would prove nothing"
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == dtype
        assert_near(one, other, room, dtype)


def gradcheck(call: Call) -> None:
    assert all(bool((g != 0).any()) for g in call.gradients()), "a gradient of zeros alone would prove nothing"
    # Sums in any order differ by their rounding from one evaluation to the next.
    assert torch.autograd.gradcheck(call.function, call.leaves(), atol=1e-6, rtol=1e-5, nondet_tol=1e-10)


def deterministic(call: Call) -> None:
    """Bitwise repeatable, gradients included, with any number of threads."""
    torch.set_num_threads(1)
    expected = call.gradients()
    for threads in (1, 2, 2, 3):
        torch.set_num_threads(threads)
        assert_same(call.gradients(), expected)


def noncontiguous(call: Call) -> None:
    """Strided, channels-last and expanded arguments, and expanded gradients, change nothing."""
    expected = call.gradients()
    for i, argument in enumerate(call.arguments):
        variants = [strided(argument)]
        if argument.ndim == 4 and argument.shape[1] > 1:
            variants.append(argument.contiguous(memory_format=torch.channels_last))
        for variant in variants:
            assert not variant.is_contiguous()
            others = (*call.arguments[:i], variant, *call.arguments[i + 1 :])
            assert_same(call.on(*others).gradients(), expected)
    alike = [a[:1].expand_as(a) if i in call.batched else a for i, a in enumerate(call.arguments)]
    assert_same(call.on(*alike).gradients(), call.on(*(a.contiguous() for a in alike)).gradients())
    if call.learnt:
        sums = [torch.autograd.grad(total(call.function(*leaves), like), [leaves[i] for i in call.learnt])
                for leaves, like in ((call.leaves(), False), (call.leaves(), True))]  # fmt: skip
        assert_same(sums[0], sums[1])


def total(outputs: Any, by_product: bool) -> torch.Tensor:
    """The sum of all entries; its gradient is expanded from one number, or dense if taken by a product with ones."""
    parts = [o for o in as_tuple(outputs) if o.requires_grad]
    return torch.stack([((o * torch.ones_like(o)).sum() if by_product else o.sum()).double() for o in parts]).sum()


def owns_outputs(call: Call) -> None:
    """No output shares memory with an argument or another output, and writing to it changes no argument."""
    before = [argument.clone() for argument in call.arguments]
    outputs = call.outputs()
    places = [t.untyped_storage().data_ptr() for t in (*call.arguments, *outputs) if t.numel()]
    assert len(set(places)) == len(places)
    for output in outputs:
        output.zero_()
    for argument, copy in zip(call.arguments, before, strict=True):
        assert torch.equal(argument, copy)


def refuses_second_derivative(call: Call, name: str) -> None:
    leaves = call.leaves()
    learnt = [leaves[i] for i in call.learnt]
    grads = torch.autograd.grad(weighting(as_tuple(call.function(*leaves))), learnt, create_graph=True)
    sentence = f"{name}: the second derivative is not implemented. Use stn3dmm_cuda.reference.{name} where it is needed"
    with pytest.raises(NotImplementedError, match=re.escape(sentence)):
        torch.autograd.grad(torch.stack([grad.double().square().sum() for grad in grads]).sum(), learnt)


def autocast(call: Call) -> None:
    """Results in float32 whatever comes in; gradients in their argument's dtype."""
    device = call.arguments[0].device.type
    call = call.cast(torch.float32)
    expected = call.gradients()
    with torch.autocast(device, dtype=torch.bfloat16):
        assert_same(call.gradients(), expected)
    half = call.cast(torch.bfloat16)
    expected = half.cast(torch.float32).gradients()
    with torch.autocast(device, dtype=torch.bfloat16):
        actual = half.gradients()
    count = len(actual) - len(call.learnt)
    assert_same(actual[:count], expected[:count])
    for grad, full in zip(actual[count:], expected[count:], strict=True):
        assert grad.dtype == torch.bfloat16
        assert torch.equal(grad, full.bfloat16())


def compiles(call: Call, larger: Call, same: Callable[[Outputs, Outputs], None] = assert_same) -> None:
    """One graph, forward and backward, that serves another batch size without another compilation."""
    torch._dynamo.reset()
    compiled = torch.compile(call.function, fullgraph=True)
    for i, case in enumerate((call, larger)):
        leaves = case.leaves()
        for b in case.batched:
            torch._dynamo.mark_dynamic(leaves[b], 0)
        with torch._dynamo.config.patch(error_on_recompile=i > 0):
            outputs = as_tuple(compiled(*leaves))
        grads = torch.autograd.grad(weighting(outputs), [leaves[k] for k in case.learnt]) if case.learnt else ()
        same(tuple(o.detach() for o in outputs) + grads, case.gradients())


class Layer(nn.Module):
    """torch.export takes modules."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *arguments: torch.Tensor) -> Outputs:
        return as_tuple(self.function(*arguments))


def exports(call: Call, larger: Call) -> None:
    """The exported program runs with another batch size."""
    B = torch.export.Dim("B", min=1)
    shapes = tuple({0: B} if i in call.batched else None for i in range(len(call.arguments)))
    program = torch.export.export(Layer(call.function), call.arguments, dynamic_shapes={"arguments": shapes})
    assert any("stn3dmm" in str(node.target) for node in program.graph.nodes)
    for case in (call, larger):
        assert_same(program.module()(*case.arguments), case.outputs())
