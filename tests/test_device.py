"""What only a real GPU can show: streams, CUDA graphs, repetition, a second device, sizes that fill it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import stn3dmm_cuda

from .backends import BACKENDS, Backend
from .cases import CASES, SUMS_TO_THE_IMAGE
from .properties import Call, Outputs, as_tuple, assert_same
from .scenes import Size, crumpled, photographed, random

DTYPES = [torch.float32, torch.float64]


@pytest.fixture(scope="module")
def gpu() -> Backend:
    lacking = BACKENDS["cuda"].missing()
    if lacking is not None:
        pytest.skip(lacking)
    return BACKENDS["cuda"].create()


def step(call: Call, leaves: Outputs, weights: Outputs) -> Outputs:
    """Outputs and gradients, with nothing but the operators between them."""
    outputs = as_tuple(call.function(*leaves))
    weighed = [output for output in outputs if output.requires_grad]
    learnt = [leaves[i] for i in call.learnt]
    grads = torch.autograd.grad(weighed, learnt, list(weights)) if weighed else ()
    return tuple(output.detach() for output in outputs) + grads


def weights_of(call: Call) -> Outputs:
    outputs = as_tuple(call.function(*call.leaves()))
    return tuple(random(*o.shape, seed=i).to(o) for i, o in enumerate(outputs) if o.requires_grad)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(CASES))
def test_device_repeats_bitwise(gpu: Backend, name: str, dtype: torch.dtype) -> None:
    torch.use_deterministic_algorithms(name in SUMS_TO_THE_IMAGE)
    call = CASES[name](gpu, dtype)
    expected = call.gradients()
    for _ in range(20):
        assert_same(call.gradients(), expected)


@pytest.mark.parametrize("name", list(CASES))
def test_device_captures_a_graph(gpu: Backend, name: str) -> None:
    """Forward and backward are captured once; the replay answers to other numbers in the same memory."""
    torch.use_deterministic_algorithms(name in SUMS_TO_THE_IMAGE)
    call = CASES[name](gpu, torch.float32)
    leaves, weights = call.leaves(), weights_of(call)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step(call, leaves, weights)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = step(call, leaves, weights)
    with torch.no_grad():
        for leaf in leaves:
            if leaf.is_floating_point():
                leaf.mul_(0.75)
    graph.replay()
    assert_same(results, step(call, leaves, weights))


FIRST_CALLS = """
import torch, stn3dmm_cuda
points = torch.rand(2, 12, 3, device="cuda")
faces = stn3dmm_cuda.grid_faces((3, 4), "cuda")
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    grid = stn3dmm_cuda.grid(points, (3, 4), (5, 6))
    visible = stn3dmm_cuda.visibility(points, grid_shape=(3, 4))
    depth = stn3dmm_cuda.rasterize(points, faces, (5, 6)).depth
graph.replay()
assert torch.equal(grid, stn3dmm_cuda.grid(points, (3, 4), (5, 6)))
assert torch.equal(visible, stn3dmm_cuda.visibility(points, grid_shape=(3, 4)))
assert torch.equal(depth, stn3dmm_cuda.rasterize(points, faces, (5, 6)).depth)
"""


def test_device_captures_the_first_calls_of_a_process(gpu: Backend) -> None:
    """Nothing is loaded, asked or allocated at a first launch that a capture forbids."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_CALLS], cwd=Path(__file__).parent.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_device_refuses_tensors_on_two_devices(gpu: Backend) -> None:
    """Whichever comes first: no kernel may follow a pointer into the other memory."""
    alpha, mean, basis = CASES["vertices"](gpu, torch.float32).arguments
    for mixed in ((alpha.cpu(), mean, basis), (alpha, mean.cpu(), basis)):
        with pytest.raises(RuntimeError, match="vertices: all tensors must be on one device"):
            gpu.library.vertices(*mixed, False)


@pytest.mark.parametrize("name", list(CASES))
def test_device_uses_the_current_stream(gpu: Backend, name: str) -> None:
    """Inputs that arrive late on a side stream: a launch on another stream would read what was there before."""
    torch.use_deterministic_algorithms(name in SUMS_TO_THE_IMAGE)
    call = CASES[name](gpu, torch.float32)
    weights = weights_of(call)
    expected = step(call, call.leaves(), weights)
    late = tuple(torch.zeros_like(argument) for argument in call.arguments)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(50_000_000)  # some 25 ms
        for target, source in zip(late, call.arguments, strict=True):
            target.copy_(source)
        actual = step(call, call.on(*late).leaves(), weights)
    torch.cuda.synchronize()
    assert_same(actual, expected)


@pytest.mark.parametrize("name", list(CASES))
def test_device_of_the_tensors_counts(gpu: Backend, name: str) -> None:
    """Not the current device, which stays what it was."""
    if torch.cuda.device_count() < 2:
        pytest.skip("one GPU only")
    torch.use_deterministic_algorithms(name in SUMS_TO_THE_IMAGE)
    call = CASES[name](gpu, torch.float32)
    weights = weights_of(call)
    expected = step(call, call.leaves(), weights)
    there = call.on(*(argument.to("cuda:1") for argument in call.arguments))
    actual = step(there, there.leaves(), tuple(weight.to("cuda:1") for weight in weights))
    assert torch.cuda.current_device() == 0
    assert all(result.device == torch.device("cuda:1") for result in actual)
    assert_same(tuple(result.to("cuda:0") for result in actual), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_device_masks_equal_the_cpu(gpu: Backend, dtype: torch.dtype) -> None:
    """Bit by bit, on sheets of 224 x 224 vertices folded over themselves."""
    points = crumpled(8, 224, 224, dtype=dtype)
    expected = stn3dmm_cuda.visibility(points, grid_shape=(224, 224))
    assert 0 < expected.sum() < expected.numel()
    assert torch.equal(stn3dmm_cuda.visibility(points.to(gpu.device), grid_shape=(224, 224)).cpu(), expected)


def test_device_fills_up(gpu: Backend) -> None:
    """64 images and 224 x 224 vertices, against the CPU in float64."""
    size = Size(B=64, C=3, H=224, W=224, P=224, Q=224, K=10)
    scene = photographed(gpu, size, torch.float32)
    wide = [tensor.cpu().double() for tensor in scene.tensors()]
    flattened = stn3dmm_cuda.warp(*scene.tensors(), scene.grid_shape)
    expected = stn3dmm_cuda.warp(*wide, scene.grid_shape)
    torch.testing.assert_close(flattened.texture.cpu().double(), expected.texture, rtol=0, atol=2e-3)
    assert (flattened.mask.cpu() != expected.mask).double().mean() < 1e-3
