"""Direct calls of the operators: the C++ guards memory whatever arrives, and says what is wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from stn3dmm_cuda import visibility

OPS = torch.ops.stn3dmm
ROOT = Path(__file__).parent.parent


def test_guards_refuse_mixed_dtypes_in_backward() -> None:
    theta, B, K = torch.zeros(4, 8, dtype=torch.float64), 4, 2
    grads = [torch.zeros(B, 3, 3), torch.zeros(B, 2), torch.zeros(B), torch.zeros(B, K)]
    with pytest.raises(RuntimeError, match="pose_backward: all arguments must have one dtype"):
        OPS.pose_backward(theta, *grads)
    with pytest.raises(RuntimeError, match="axis_angle_to_matrix_backward: both arguments must have one dtype"):
        OPS.axis_angle_to_matrix_backward(torch.zeros(B, 3, 3), torch.zeros(B, 3, dtype=torch.float64))


@pytest.mark.parametrize(("P", "Q"), [(2**32, 2**32), (-1, -1), (0, 3), (2**62, 4)])
def test_guards_refuse_grids_that_do_not_fit(P: int, Q: int) -> None:
    """2^32 x 2^32 is 0 in 64 bits."""
    N = 0 if P > 1 else 1
    points = torch.zeros(1, N, 3)
    for call in (
        lambda: OPS.visibility(points, None, P, Q, 0.01),
        lambda: OPS.grid(points, P, Q, 4, 4),
        lambda: OPS.warp(
            torch.zeros(1, 1, 4, 4), torch.zeros(1, 6), torch.zeros(N, 3), torch.zeros(0, N, 3),
            None, None, P, Q, "hard", 0.01,
        ),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="P Q must be N"):
            call()


@pytest.mark.parametrize(("dtype", "tiny"), [(torch.float32, 1e-40), (torch.float64, 1e-310)])
@pytest.mark.parametrize("axis", [0, 1])
def test_visibility_of_a_subnormal_extent(dtype: torch.dtype, tiny: float, axis: int) -> None:
    """An extent too small to divide by: everything lies in one cell, and nothing outside the cells."""
    corners = torch.tensor([[0.0, 0, 0], [0, 1, 0], [tiny, 0, 0]], dtype=torch.float64)
    corners = corners[:, [1, 0, 2]] if axis else corners
    points = corners.to(dtype)[None]
    faces = torch.tensor([[0, 1, 2], [2, 1, 0]])
    for index in faces:
        assert set(visibility(points, index[None]).flatten().tolist()) <= {0.0, 1.0}


def test_visibility_is_compiled_without_contraction(tmp_path: Path) -> None:
    """Fused multiply-adds would part the CPU's masks from CUDA's; even a build for one processor must have none."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    assembly = tmp_path / "visibility.s"
    include = Path(torch.__file__).parent / "include"
    flags = ["-DTORCH_TARGET_VERSION=0x020a000000000000", "-std=c++17", "-O3", "-mavx2", "-mfma", "-Icsrc"]
    source = "csrc/visibility/visibility_cpu.cpp"
    subprocess.run([compiler, *flags, f"-I{include}", "-S", source, "-o", str(assembly)], cwd=ROOT, check=True)
    code = assembly.read_text()
    assert "vmulss" in code
    assert re.findall(r"\bvfn?m(?:add|sub)\w+", code) == []
