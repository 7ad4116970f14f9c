"""How the build of the CUDA library decides, and what it tells nvcc."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
import torch

from .cuda_builds import ROOT, missing

# --- What nvcc is told ---


def included(source: Path) -> set[Path]:
    """Every header of the project that a file includes, relative to csrc."""
    found: set[Path] = set()
    waiting = [source]
    while waiting:
        text = (ROOT / "csrc" / waiting.pop()).read_text()
        new = {Path(name) for name in re.findall(r'^#include "([^"]+)"', text, re.MULTILINE)} - found
        found |= new
        waiting += new
    return found


def exact(build_cuda: ModuleType) -> list[Path]:
    """The kernel files that decide which point lies in which triangle."""
    headers = {Path("visibility/visibility_math.h"), Path("rasterize/rasterize_math.h")}
    return [s for s in build_cuda.sources() if s.suffix == ".cu" and headers & included(s)]


def test_cuda_exact_files_are_compiled_without_contraction(build_cuda: ModuleType) -> None:
    """All of them, whatever their room."""
    assert {source.parent.name for source in exact(build_cuda)} >= {"visibility", "rasterize"}
    for source in exact(build_cuda):
        assert "-fmad=false" in build_cuda.FLAGS_OF_ROOM.get(source.parent.name, []), source


# The exponential of soft visibility is CUDA's own: 4 of them in float32 and 15 in float64, which no flag undoes.
WITH_EXPONENTIALS = {Path("visibility/soften_cuda.cu"), Path("visibility/visibility_backward_cuda.cu")}


def test_cuda_exact_files_hold_no_fused_multiply_add(build_cuda: ModuleType, tmp_path: Path) -> None:
    """In the PTX that nvcc makes of them with the build's own flags, less the warnings."""
    found = build_cuda.find_toolkit(os.environ)
    if found is None or found.version < build_cuda.OLDEST_TOOLKIT:
        missing("nvcc of CUDA 13 is not found")
    flags = [flag for flag in build_cuda.NVCC_FLAGS if not flag.startswith(("-Xptxas", "-Werror"))]
    flags += [f"-I{ROOT / 'csrc'}", "-isystem", str(Path(torch.__file__).parent / "include"), "-arch=compute_90"]

    def fused(source: Path, *more: str) -> int:
        """How many the file has, with more flags than its room's own."""
        target = tmp_path / f"{source.stem}{'-'.join(more)}.ptx"
        own = build_cuda.FLAGS_OF_ROOM.get(source.parent.name, [])
        command = [found.nvcc, *flags, *own, *more, "-ptx", str(ROOT / "csrc" / source), "-o", str(target)]
        subprocess.run(command, check=True)
        text = target.read_text()
        assert ".entry" in text
        return len(re.findall(r"\bfma\.\w+\.f\d+", text))

    sources = exact(build_cuda)
    contracted = [*sorted(WITH_EXPONENTIALS & {*sources}), Path("visibility/hide_cuda.cu")]
    with ThreadPoolExecutor(2) as pool:
        counts = dict(zip(sources, pool.map(fused, sources), strict=True))
        others = dict(zip(contracted, pool.map(lambda source: fused(source, "-fmad=true"), contracted), strict=True))
    assert {source: count for source, count in counts.items() if count and source not in WITH_EXPONENTIALS} == {}
    assert [source for source, count in others.items() if count <= counts[source]] == [], "contracted all the same"


# --- How the build decides ---


def toolkit(build_cuda: ModuleType, version: tuple[int, int] = (13, 0)) -> object:
    return build_cuda.Toolkit("/cuda/bin/nvcc", version, (75, 80, 86, 87, 89, 90, 100, 103, 120, 121))


@pytest.mark.parametrize(
    ("environment", "local", "names"),
    [
        ({}, (), ["sm_90", "compute_90"]),
        ({"STN3DMM_WITH_CUDA": ""}, (86,), ["sm_86", "compute_86"]),
        (
            {"STN3DMM_WITH_CUDA": "1", "STN3DMM_CUDA_ARCHITECTURES": "120;80;80"},
            (86,),
            ["sm_80", "sm_120", "compute_120"],
        ),
        (
            {"STN3DMM_CUDA_ARCHITECTURES": "wheel"},
            (86,),
            ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120", "compute_120"],
        ),
    ],
)
def test_cuda_build_is_planned(
    build_cuda: ModuleType, environment: dict[str, str], local: tuple[int, ...], names: list[str]
) -> None:
    plan = build_cuda.decide(environment, "Linux", toolkit(build_cuda), local)
    assert build_cuda.names_of(plan.architectures) == names
    assert f"the CUDA library for {', '.join(names)} with /cuda/bin/nvcc of CUDA 13.0" in plan.line
    assert "\n" not in plan.line


@pytest.mark.parametrize(
    ("environment", "system", "version", "reason"),
    [
        ({"STN3DMM_WITH_CUDA": "0"}, "Linux", (13, 0), "STN3DMM_WITH_CUDA=0"),
        ({}, "Linux", None, "nvcc is not found in CUDA_HOME, CUDA_PATH or PATH"),
        ({}, "Linux", (12, 8), "/cuda/bin/nvcc is of CUDA 12.8, older than 13.0"),
        ({}, "Darwin", (13, 0), "the CUDA library is built on Linux alone and this is Darwin"),
    ],
)
def test_cuda_build_is_left_out(
    build_cuda: ModuleType,
    environment: dict[str, str],
    system: str,
    version: tuple[int, int] | None,
    reason: str,
) -> None:
    """And a demand for it, where nobody forbids it, fails with the same reason and the remedy."""
    found = version and toolkit(build_cuda, version)
    plan = build_cuda.decide(environment, system, found)
    assert plan.toolkit is None
    assert plan.line == f"stn3dmm_cuda: building the CPU library alone ({reason})."
    if not environment:
        with pytest.raises(build_cuda.CudaBuildError, match=rf"^STN3DMM_WITH_CUDA=1, but {reason}\. Install the CUDA"):
            build_cuda.decide({"STN3DMM_WITH_CUDA": "1"}, system, found)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"STN3DMM_WITH_CUDA": "yes"}, "STN3DMM_WITH_CUDA must be 1, 0 or unset; got 'yes'"),
        ({"STN3DMM_CUDA_ARCHITECTURES": "8.6"}, "compute capabilities without their point, as in 80;90.*got '8.6'"),
        ({"STN3DMM_CUDA_ARCHITECTURES": "80;"}, "got '80;'"),
        ({"STN3DMM_CUDA_ARCHITECTURES": "all"}, "got 'all'"),
        (
            {"STN3DMM_CUDA_ARCHITECTURES": "70;90"},
            "cannot compile for sm_70. Set STN3DMM_CUDA_ARCHITECTURES to some of 75",
        ),
    ],
)
def test_cuda_build_rejects_wrong_settings(build_cuda: ModuleType, environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(build_cuda.CudaBuildError, match=sentence):
        build_cuda.decide(environment, "Linux", toolkit(build_cuda))


def test_cuda_build_finds_nvcc(build_cuda: ModuleType, tmp_path: Path) -> None:
    """CUDA_HOME, then CUDA_PATH, then PATH; a folder without nvcc is passed over."""
    for name in ("home", "path", "plain"):
        (tmp_path / name / "bin").mkdir(parents=True)
        nvcc = tmp_path / name / "bin" / "nvcc"
        nvcc.write_text("#!/bin/sh\necho 'Cuda compilation tools, release 13.1, V13.1.2'\necho sm_90\n")
        nvcc.chmod(0o755)
    environment = {
        "CUDA_HOME": str(tmp_path / "home"),
        "CUDA_PATH": str(tmp_path / "path"),
        "PATH": str(tmp_path / "plain/bin"),
    }
    assert build_cuda.find_nvcc(environment) == str(tmp_path / "home/bin/nvcc")
    (tmp_path / "home/bin/nvcc").unlink()
    assert build_cuda.find_nvcc(environment) == str(tmp_path / "path/bin/nvcc")
    del environment["CUDA_PATH"]
    assert build_cuda.find_toolkit(environment) == build_cuda.Toolkit(str(tmp_path / "plain/bin/nvcc"), (13, 1), (90,))
    assert build_cuda.find_nvcc({"PATH": str(tmp_path)}) is None


def test_cuda_build_objects_have_names_of_their_own(build_cuda: ModuleType) -> None:
    """pose_cuda.cpp and pose_cuda.cu; and the rooms keep their order."""
    found = [str(source) for source in build_cuda.sources()]
    assert len(set(found)) == len(found)
    assert found.index("grid/grid_cuda.cu") + 1 == found.index("grid/grid_cuda.cpp")
