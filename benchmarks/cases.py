"""What a benchmark declares: its cases as data, and for each the calls that are compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch

from .limits import Pass

FORWARD, BACKWARD, IMAGE, STEP = "forward", "forward + backward", "forward + backward, image too", "training step"

OURS, BASELINE = "stn3dmm", "baseline"  # what every case has and what most have

Tensors = tuple[torch.Tensor, ...]
Function = Callable[..., Tensors]


@dataclasses.dataclass(frozen=True)
class Case:
    """One line of the table."""

    room: str
    work: str  # FORWARD, BACKWARD, IMAGE or STEP
    sizes: Mapping[str, int]  # by the letters of docs/conventions.md: B, P, Q, K, ...
    options: Mapping[str, str | int] = dataclasses.field(default_factory=dict)
    quick: bool = False  # part of a quick run
    compiled: bool = False  # compared with the compiled baseline too, which takes long to compile

    @property
    def name(self) -> str:
        """The same in every run: what results are matched by."""
        parts = [self.work, *described(self.sizes)]
        parts += [value if isinstance(value, str) else f"{name} {value}" for name, value in self.options.items()]
        return ", ".join(parts)


def described(sizes: Mapping[str, int]) -> list[str]:
    """B 8, 112 x 112, K 10; the image's size only where there is no grid."""
    parts = [f"B {sizes['B']}"] if "B" in sizes else []
    parts += [f"{sizes['P']} x {sizes['Q']}"] if "P" in sizes else []
    parts += [f"{name} {sizes[name]}" for name in ("K", "F") if name in sizes]
    parts += [f"image {sizes['W']} x {sizes['H']}"] if "W" in sizes and "P" not in sizes else []
    return parts


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a call is given: the arguments, and the gradients of its outputs (None: no gradient from this one)."""

    arguments: Tensors
    gradients: tuple[torch.Tensor | None, ...] = ()

    def copied(self) -> Inputs:
        """The same numbers elsewhere in memory."""
        arguments = tuple(t.detach().clone().requires_grad_(t.requires_grad) for t in self.arguments)
        return Inputs(arguments, tuple(None if g is None else g.clone() for g in self.gradients))

    @property
    def bytes(self) -> int:
        tensors = [*self.arguments, *(g for g in self.gradients if g is not None)]
        return sum(t.numel() * t.element_size() for t in tensors)


@dataclasses.dataclass(frozen=True)
class Contest:
    """What a case measures."""

    inputs: Inputs
    functions: Mapping[str, Function]  # OURS, BASELINE and others by name; each takes the arguments of the inputs
    passes: tuple[Pass, ...] = ()  # the least that any implementation must do; none if nobody counted it
    same_results: bool = False  # OURS and BASELINE compute the same, which is then measured as well
    samples: bool = False  # the baseline samples images, for which cuDNN is tried and left out
    graphs: tuple[str, ...] = (OURS, BASELINE)  # what is captured as CUDA graphs too, if it is there
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)  # name -> why it is not compared

    def limits(self, name: str) -> bool:
        """Whether the passes are the least that this contestant must do: it may answer less than ours."""
        return bool(self.passes) and (self.same_results or name.startswith(OURS))


class Room(Protocol):
    """A module bench_<room>.py; its docstring says what is asked and what the baseline is."""

    @property
    def CASES(self) -> tuple[Case, ...]: ...

    def prepare(self, case: Case, device: torch.device) -> Contest: ...


Call = Callable[[Inputs], Tensors]


def as_call(function: Function, work: str) -> Call:
    """The function as a case's work: alone, or with the gradients of its outputs to arguments that want one."""

    def forward(inputs: Inputs) -> Tensors:
        with torch.no_grad():
            return function(*inputs.arguments)

    def backward(inputs: Inputs) -> Tensors:
        outputs = function(*inputs.arguments)
        given = zip(outputs, inputs.gradients, strict=False)
        pairs = [(o, g) for o, g in given if g is not None and o.requires_grad]
        leaves = [t for t in inputs.arguments if t.requires_grad]
        gradients = torch.autograd.grad([o for o, _ in pairs], leaves, [g for _, g in pairs])
        return (*outputs, *gradients)

    def step(inputs: Inputs) -> Tensors:
        return function(*inputs.arguments)

    return {FORWARD: forward, STEP: step}.get(work, backward)


def tensors_of(result: Any) -> Tensors:
    """What an operator returns, as a tuple."""
    return (result,) if isinstance(result, torch.Tensor) else tuple(result)
