"""Direct calls of the operators: the C++ guards memory whatever arrives, and says what is wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from .backends import Backend

ROOT = Path(__file__).parent.parent


def test_guards_refuse_mixed_dtypes_in_backward(backend: Backend) -> None:
    ops, B, K = backend.library, 4, 2
    theta = torch.zeros(B, 6 + K, dtype=torch.float64, device=backend.device)
    grads = [torch.zeros(shape, device=backend.device) for shape in ((B, 3, 3), (B, 2), (B,), (B, K))]
    with pytest.raises(RuntimeError, match="pose_backward: all arguments must have one dtype"):
        ops.pose_backward(theta, *grads)
    with pytest.raises(RuntimeError, match="axis_angle_to_matrix_backward: both arguments must have one dtype"):
        ops.axis_angle_to_matrix_backward(grads[0], theta[:, :3])


@pytest.mark.parametrize(("P", "Q"), [(2**32, 2**32), (-1, -1), (0, 3), (2**62, 4)])
def test_guards_refuse_grids_that_do_not_fit(backend: Backend, P: int, Q: int) -> None:
    """2^32 x 2^32 is 0 in 64 bits."""
    ops, N = backend.library, 0 if P > 1 else 1
    shapes = ((1, N, 3), (1, 1, 4, 4), (1, 6), (N, 3), (0, N, 3))
    points, *warped = (torch.zeros(shape, device=backend.device) for shape in shapes)
    for call in (
        lambda: ops.visibility(points, None, P, Q, "hard", 0.01, 1.0),
        lambda: ops.grid(points, P, Q, 4, 4),
        lambda: ops.warp(*warped, None, None, P, Q, "hard", 0.01, 1.0),
    ):
        with pytest.raises(RuntimeError, match="P Q must be N"):
            call()


def huge_copy(backend: Backend) -> None:
    backend.operators.axis_angle_to_matrix(torch.zeros(1, 3, device=backend.device).expand(2**50, 3))


def huge_result(backend: Backend) -> None:
    backend.operators.vertices(
        *(torch.zeros(shape, device=backend.device) for shape in ((2**35, 0), (2**18, 3), (0, 2**18, 3)))
    )


# More than a processor can address: refused at once on every machine.
@pytest.mark.parametrize(("call", "memory"), [
    (huge_copy, "12582912.0 GiB for (1125899906842624, 3)"),
    (huge_result, "100663296.0 GiB for (34359738368, 262144, 3)"),
])  # fmt: skip
def test_guards_explain_memory_that_is_not_there(
    backend: Backend, call: Callable[[Backend], None], memory: str
) -> None:
    """In the words that callers who retry with less look for."""
    place = "CUDA " if backend.device.type == "cuda" else ""
    sentence = f"stn3dmm_cuda: {place}out of memory: cannot allocate {memory}. Split the batch"
    with pytest.raises(RuntimeError, match=re.escape(sentence)):
        call(backend)


@pytest.mark.parametrize(("dtype", "tiny"), [(torch.float32, 1e-40), (torch.float64, 1e-310)])
@pytest.mark.parametrize("axis", [0, 1])
def test_visibility_of_a_subnormal_extent(backend: Backend, dtype: torch.dtype, tiny: float, axis: int) -> None:
    """An extent too small to divide by: everything lies in one cell, and nothing outside the cells."""
    corners = torch.tensor([[0.0, 0, 0], [0, 1, 0], [tiny, 0, 0]], dtype=torch.float64)
    corners = corners[:, [1, 0, 2]] if axis else corners
    points = corners.to(backend.device, dtype)[None]
    faces = torch.tensor([[0, 1, 2], [2, 1, 0]], device=backend.device)
    for index in faces:
        assert set(backend.operators.visibility(points, index[None]).flatten().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("room", ["visibility", "rasterize"])
def test_pictures_are_compiled_without_contraction(room: str, tmp_path: Path) -> None:
    """Fused multiply-adds would part the CPU's results from CUDA's; even a build for one processor must have none."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    assembly = tmp_path / f"{room}.s"
    include = Path(torch.__file__).parent / "include"
    flags = ["-DTORCH_TARGET_VERSION=0x020a000000000000", "-std=c++17", "-O3", "-mavx2", "-mfma", "-Icsrc"]
    source = f"csrc/{room}/{room}_cpu.cpp"
    subprocess.run([compiler, *flags, f"-I{include}", "-S", source, "-o", str(assembly)], cwd=ROOT, check=True)
    code = assembly.read_text()
    assert "vmulss" in code
    assert re.findall(r"\bvfn?m(?:add|sub)\w+", code) == []
