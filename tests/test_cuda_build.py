"""The CUDA library as it was compiled and linked, on machines without a GPU too; and how its build decides."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch

import stn3dmm_cuda

PACKAGE = Path(stn3dmm_cuda.__file__).parent
ROOT = PACKAGE.parent
LIBRARY = PACKAGE / "_cuda.abi3.so"


def missing(what: str) -> None:
    """Skips aloud, or fails where the CUDA library is demanded."""
    if os.environ.get("STN3DMM_WITH_CUDA") == "1":
        pytest.fail(f"STN3DMM_WITH_CUDA=1, but {what}. Run make build.")
    pytest.skip(what)


def output_of(tool: str, *arguments: str) -> str:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} (binutils) is not installed")
    return subprocess.run([tool, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def build_cuda() -> ModuleType:
    """csrc/build_cuda.py."""
    path = ROOT / "csrc" / "build_cuda.py"
    if not path.is_file():
        pytest.skip(f"{path} is not here: the package is installed without its source")
    spec = importlib.util.spec_from_file_location("build_cuda", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_cuda"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def library() -> Path:
    if not LIBRARY.is_file():
        missing("the CUDA library is not built")
    return LIBRARY


@pytest.fixture(scope="module")
def folder(library: Path) -> Path:
    """Where this very library was built: its objects, ptxas' reports and the stub of libtorch_cuda."""
    content = library.read_bytes()
    for candidate in sorted(ROOT.glob(f"build/*/{library.name}")):
        if candidate.read_bytes() == content:
            return candidate.parent
    missing("the folder in which the CUDA library was built is not here")
    raise AssertionError


# --- What was linked ---


def test_cuda_library_needs_what_a_cuda_pytorch_has_loaded(library: Path) -> None:
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", output_of("readelf", "-d", str(library)))
    own = sorted(
        name for name in needed if not re.match(r"(libc|libm|libdl|librt|libpthread|libgcc_s|libstdc\+\+)\.", name)
    )
    assert [name for name in own if not name.startswith("ld-linux")] == ["libtorch_cpu.so", "libtorch_cuda.so"]
    assert not re.search(r"\((RPATH|RUNPATH)\)", output_of("readelf", "-d", str(library)))


def test_cuda_library_finds_its_symbols(library: Path, build_cuda: ModuleType) -> None:
    """Each is the C library's, or PyTorch's stable interface: here in libtorch_cpu, or known to be in libtorch_cuda."""
    exported = set()
    for name in ("libtorch_cpu.so", "libtorch_cuda.so"):
        path = Path(torch.__file__).parent / "lib" / name
        if path.is_file():
            exported |= set(re.findall(r" [TWV] (\S+)", output_of("nm", "-D", "--defined-only", str(path))))
    wanted = re.findall(r" U (\S+)", output_of("nm", "-D", "--undefined-only", str(library)))
    wanted = [symbol for symbol in wanted if not re.search(r"@(GLIBC|GLIBCXX|CXXABI|GCC)_[\d.]+$", symbol)]
    assert "aoti_torch_get_current_cuda_stream" in wanted
    assert [symbol for symbol in wanted if not re.match(r"(aoti_)?torch_", symbol)] == []
    assert [symbol for symbol in wanted if symbol not in exported | set(build_cuda.LIBTORCH_CUDA_SYMBOLS)] == []


def test_cuda_library_keeps_its_runtime_to_itself(library: Path) -> None:
    """Exported, the static CUDA runtime would mix with the version that PyTorch loads."""
    symbols = output_of("nm", "-D", "--defined-only", str(library))
    assert re.findall(r" (__?cuda\w+|cuda[A-Z]\w*)", symbols) == []


def architectures_in(library: Path) -> Counter[str]:
    """How many of the library's fat binaries hold machine code (sm_90) and PTX (compute_90) for what."""
    content = library.read_bytes()
    found: Counter[str] = Counter()
    for match in re.finditer(re.escape(struct.pack("<IH", 0xBA55ED50, 1)), content):
        header, size = struct.unpack_from("<HQ", content, match.start() + 6)
        position, end = match.start() + header, match.start() + header + size
        while position < end:
            kind, _, entry_header, entry_size = struct.unpack_from("<HHIQ", content, position)
            (architecture,) = struct.unpack_from("<I", content, position + 28)
            found[f"{'sm' if kind == 2 else 'compute'}_{architecture}"] += 1
            position += entry_header + entry_size
    return found


def demanded(folder: Path) -> list[str]:
    defined = re.search(r'STN_CUDA_ARCHITECTURES="([^"]+)"', (folder / "build.ninja").read_text())
    assert defined is not None
    return defined[1].split(", ")


def test_cuda_library_holds_every_architecture(library: Path, folder: Path) -> None:
    files = len(list(folder.glob("*/*.cu.o")))
    assert architectures_in(library) == dict.fromkeys(demanded(folder), files)


def test_cuda_library_registers_every_operator(library: Path, folder: Path) -> None:
    """Loaded in a process of its own: in place of libtorch_cuda, a CPU-only PyTorch gets the stub."""
    code = """
import ctypes, json, sys, torch, stn3dmm_cuda
if torch.version.cuda is None:
    ctypes.CDLL(sys.argv[1])
    torch.ops.load_library(sys.argv[2])
names = {s.name for s in torch._C._jit_get_all_schemas() if s.name.startswith("stn3dmm::")}
has = torch._C._dispatch_has_kernel_for_dispatch_key
kernels = {key: sorted(name for name in names if has(name, key)) for key in ("CPU", "CUDA")}
print(json.dumps([kernels, torch.ops.stn3dmm.cuda_build()]))
"""
    command = [sys.executable, "-c", code, str(folder / "libtorch_cuda.so"), str(library)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    kernels, (architectures, toolkit, driver) = json.loads(done.stdout)
    assert "stn3dmm::warp_backward" in kernels["CPU"]
    assert [name for name in kernels["CPU"] if name not in kernels["CUDA"]] == []
    assert architectures.split(", ") == demanded(folder)
    assert toolkit >= 13000
    assert driver >= 0


# --- What ptxas reported ---


@dataclass(frozen=True)
class Kernel:
    """One kernel of ptxas' report for sm_90."""

    file: str
    name: str
    stack: int  # bytes, as the next two
    stores: int
    loads: int
    registers: int


REPORT = re.compile(
    r"Compiling entry function '(\w+)' for 'sm_90'\n"
    r"(?:.*\n)*?\s*(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads\n"
    r".*Used (\d+) registers"
)


@pytest.fixture(scope="module")
def kernels(folder: Path) -> list[Kernel]:
    found = []
    for report in sorted(folder.glob("*/*.ptxas")):
        for mangled, *numbers in REPORT.findall(report.read_text()):
            name = output_of("c++filt", mangled).strip().removeprefix("void ").replace("(anonymous namespace)::", "")
            found.append(Kernel(report.name.removesuffix(".o.ptxas"), name.removeprefix("stn::"), *map(int, numbers)))
    if not found:
        pytest.skip("the library was not built for sm_90")
    return found


# Bytes of stack that a file's kernels may have.
STACK = {
    # sinf and cosf keep 28 bytes there, to reduce angles beyond 105615 radians.
    "pose_cuda.cu": 32,
    "warp_cuda.cu": 32,
    "warp_backward_cuda.cu": 32,
    # And sums in double, in one block an image.
    "warp_grad_theta_cuda.cu": 88,
}


def test_cuda_float32_kernels_do_not_spill(kernels: list[Kernel]) -> None:
    """Spilled registers and arrays on the stack are memory traffic that the kernels' headers do not count."""
    single = [kernel for kernel in kernels if not re.search("double|Half|BFloat16", kernel.name)]
    bad = [k for k in single if k.stores or k.loads or k.stack > STACK.get(k.file, 0)]
    assert bad == [], "\n" + "\n".join(
        f"{k.file}: {k.name}: {k.registers} registers, {k.stack} bytes of stack, {k.stores} stored and {k.loads} loaded"
        for k in bad
    )


def test_cuda_every_file_has_its_float32_kernels_in_the_report(kernels: list[Kernel], build_cuda: ModuleType) -> None:
    """None slips out of it."""
    for source in build_cuda.sources():
        if source.suffix == ".cu" and source.parent.name != "common":
            names = " ".join(kernel.name for kernel in kernels if kernel.file == source.name)
            defined = re.findall(r"__global__[^;{]*?\b(\w+_kernel)\(", (ROOT / "csrc" / source).read_text())
            assert defined != []
            assert [name for name in defined if f"{name}<" not in names] == [], source


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
