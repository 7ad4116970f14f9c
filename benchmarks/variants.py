"""The same call in another way: compiled, without cuDNN, as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from .cases import Call, Function, Inputs, Tensors


def compiled(function: Function) -> Function:
    """For these very shapes. The first call compiles, and raises if that fails."""
    torch._dynamo.reset()  # each case gets code of its own, and the limit of recompilations is never met
    made: Function = torch.compile(lambda *arguments: function(*arguments), dynamic=False)
    return made


def without_cudnn(call: Call) -> Call:
    def plain(inputs: Inputs) -> Tensors:
        with torch.backends.cudnn.flags(enabled=False):
            return call(inputs)

    return plain


class Graphed:
    """A call captured once for each set of inputs, so that the processor launches one graph instead of many kernels."""

    WARMUP = 3  # calls before the capture, as PyTorch's documentation asks for

    def __init__(self, call: Call, sets: Sequence[Inputs]) -> None:
        pool = torch.cuda.graph_pool_handle()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self.WARMUP):
                call(sets[0])
        torch.cuda.current_stream().wait_stream(side)
        self._graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensors]] = {}
        for inputs in sets:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool):
                outputs = call(inputs)
            self._graphs[id(inputs)] = graph, outputs

    def __call__(self, inputs: Inputs) -> Tensors:
        graph, outputs = self._graphs[id(inputs)]
        graph.replay()
        return outputs


def reason(error: BaseException) -> str:
    """The first line of what an exception says, and its type."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def tried(make: Callable[[], Call], inputs: Inputs) -> tuple[Call | None, str]:
    """The call, and "", once it has worked; else None and why it does not."""
    try:
        call = make()
        call(inputs)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    except Exception as error:  # whatever a compiler, a capture or a library without memory raises
        return None, reason(error)
    return call, ""
