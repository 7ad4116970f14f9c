"""STN3DMM_CPU_INSTRUCTIONS: every instruction set gives the same results to rounding, and only three are known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import stn3dmm_cuda

from .backends import cpu
from .meshes import joined, sheet
from .properties import Call
from .scenes import BLOCKS, around_the_image, photographed, points_of, random
from .test_losses_operators import LOSSES
from .test_losses_operators import call_of as loss_call_of
from .tolerances import assert_near

ORDER = ["baseline", "avx2", "avx512"]
DTYPES = [torch.float32, torch.float64]

SCRIPT = """
import sys
import torch
import stn3dmm_cuda
from tests.test_instruction_sets import results
torch.save({"set": stn3dmm_cuda.cpu_instruction_set(), "results": results()}, sys.argv[1])
"""


def under_a_triangle() -> tuple[torch.Tensor, torch.Tensor]:
    """Points (1, N, 3) and faces (F, 3): a crumpled sheet, half of it below one triangle, whose box holds long runs."""
    points, faces = sheet(-50, 50, 0.0, 150)
    points += random(*points.shape)
    corner = torch.tensor([[-80.0, -80, 1], [-80, 90, 2], [90, -80, 3]], dtype=points.dtype)
    whole, listed = joined((points, faces), (corner, torch.tensor([[0, 1, 2]])))
    return whole[None], listed


def results() -> dict[str, torch.Tensor]:
    """Values and gradients of every operator that chooses among instruction sets."""
    found = {}
    for dtype in DTYPES:
        scene = photographed(cpu(), BLOCKS, dtype)

        def warp(image: torch.Tensor, theta: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor) -> object:
            return stn3dmm_cuda.warp(image, theta, mean, basis, (BLOCKS.P, BLOCKS.Q), landmarks=torch.tensor([3, 7]))

        N = BLOCKS.P * BLOCKS.Q
        image = random(2, 3, 7, 9, dtype=torch.float32).to(dtype)
        calls = {
            "warp": Call(warp, scene.tensors(), (0, 1), ()),
            "sample": Call(stn3dmm_cuda.sample, (image, around_the_image(2, 600, (7, 9), dtype=dtype)), (0, 1), ()),
            "vertices": Call(stn3dmm_cuda.vertices, (scene.theta[:, 6:], scene.mean, scene.basis), (0, 1, 2), ()),
            "visibility": Call(
                lambda points: stn3dmm_cuda.visibility(points, grid_shape=(BLOCKS.P, BLOCKS.Q)),
                (points_of(scene, stn3dmm_cuda.reference).reshape(-1, N, 3),), (), (),
            ),
        }  # fmt: skip
        covered, listed = under_a_triangle()
        for mode, learnt in (("hard", ()), ("soft", (0,))):
            calls[f"visibility {mode}"] = Call(
                lambda points, mode=mode, listed=listed: stn3dmm_cuda.visibility(points, listed, mode=mode),
                (covered.to(dtype),), learnt, (),
            )  # fmt: skip
        faces = stn3dmm_cuda.grid_faces((BLOCKS.P, BLOCKS.Q))
        calls["rasterize"] = Call(
            lambda points, faces=faces: stn3dmm_cuda.rasterize(points, faces, (BLOCKS.H, BLOCKS.W)),
            (3 * calls["visibility"].arguments[0],), (0,), (),
        )  # fmt: skip
        for name in LOSSES:
            calls[f"losses {name}"] = loss_call_of(cpu(), name, dtype, (3, 3, 37, 113))
        for room, call in calls.items():
            for i, result in enumerate(call.gradients()):
                found[f"{room} {i} {dtype}"] = result
    for half in (torch.float16, torch.bfloat16):
        image, points = random(2, 3, 7, 9, dtype=torch.float32).to(half), around_the_image(2, 600, (7, 9)).float()
        found[f"sample half {half}"] = stn3dmm_cuda.sample(image, points)
    return found


def run(wish: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parent.parent
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"STN3DMM_CPU_INSTRUCTIONS": wish, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True, cwd=root
    )


@pytest.mark.parametrize("wish", ORDER)
def test_instruction_sets_agree(wish: str, tmp_path: Path) -> None:
    """In a process of its own, for the choice is made once."""
    path = tmp_path / "results.pt"
    done = run(wish, SCRIPT, str(path))
    assert done.returncode == 0, done.stderr
    loaded = torch.load(path)
    assert ORDER.index(loaded["set"]) <= ORDER.index(wish)
    if wish == "baseline":
        assert loaded["set"] == "baseline"
    for name, expected in results().items():
        actual = loaded["results"][name]
        room = name.split()[0]
        if room in ("visibility", "rasterize"):  # round alike everywhere: nothing is contracted, and no sum reordered
            assert torch.equal(actual, expected), name
        elif "half" in name:
            assert (actual != expected).float().mean() < 0.002, name
        else:
            dtype = expected.dtype
            assert_near(actual, expected.double(), "instructions", dtype)


def test_instruction_sets_named_in_words() -> None:
    assert stn3dmm_cuda.cpu_instruction_set() in ORDER


def test_instruction_sets_reject_another_name() -> None:
    """The variable, the names it may have, the one it has; not a crash, and not a silent default."""
    done = run("sse9", "import stn3dmm_cuda, torch; stn3dmm_cuda.sample(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2))")
    assert done.returncode == 1
    assert "STN3DMM_CPU_INSTRUCTIONS must be baseline, avx2 or avx512; got sse9" in done.stderr
