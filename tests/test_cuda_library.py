"""The CUDA library as it was linked, and its kernels as ptxas reported them, on machines without a GPU too."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch

from .cuda_builds import PACKAGE, ROOT, missing

LIBRARY = PACKAGE / "_cuda.abi3.so"


def output_of(tool: str, *arguments: str) -> str:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} (binutils) is not installed")
    return subprocess.run([tool, *arguments], check=True, capture_output=True, text=True).stdout


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
