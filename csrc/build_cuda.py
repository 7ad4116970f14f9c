"""Decides about the CUDA library and compiles it; setup.py calls this.

torch.utils.cpp_extension builds no CUDA against a CPU-only PyTorch, so ninja's rules are written here.

Environment:
    STN3DMM_WITH_CUDA: 1 demands the library, 0 forbids it; unset or empty, it is built if nvcc is found.
    STN3DMM_CUDA_ARCHITECTURES: compute capabilities without their point, as in 80;90, or the word wheel.
    CUDA_HOME, CUDA_PATH, CXX, MAX_JOBS: as for other builds.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent
ROOMS = ["pose", "vertices", "project", "grid", "sample", "visibility", "rasterize", "warp", "losses"]
LIBRARY = "_cuda.abi3.so"

WHEEL_ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
FALLBACK_ARCHITECTURE = 90
OLDEST_TOOLKIT = (13, 0)

# What a CUDA build of PyTorch has in libtorch_cuda.so alone. The library is linked with a stub of that name, so that
# it builds against a CPU-only PyTorch and the loader finds the real one where it runs.
LIBTORCH_CUDA_SYMBOLS = ["aoti_torch_get_current_cuda_stream"]

WARNINGS = ["-Wall", "-Wextra", "-Werror"]
HIDDEN = ["-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden"]
HOST_FLAGS = ["-std=c++17", "-O3", "-g0", "-DUSE_CUDA", *HIDDEN, *WARNINGS]
NVCC_FLAGS = [
    "-std=c++17",
    "-O3",
    "-Werror=all-warnings",
    "-Xptxas=-v",  # the report that tests/test_cuda_library.py reads
    f"-Xcompiler={','.join([*HIDDEN, *WARNINGS])}",
]
# CPU and CUDA agree in every bit on which point lies in which triangle: an edge evaluated with a fused multiply-add,
# which rounds once where the CPU rounds twice, would have some points on its other side.
FLAGS_OF_ROOM = {"visibility": ["-fmad=false"], "rasterize": ["-fmad=false"]}


class CudaBuildError(Exception):
    """The CUDA library cannot be built; the message is one sentence with the remedy, or follows the compiler's."""


@dataclass(frozen=True)
class Toolkit:
    """An nvcc and what it can do."""

    nvcc: str
    version: tuple[int, int]
    architectures: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What is built: the CUDA library with a toolkit for some architectures, or the CPU library alone."""

    toolkit: Toolkit | None
    architectures: tuple[int, ...]
    line: str  # for the user

    @property
    def folder(self) -> str:
        """Below the build folder; one for each list, so that a wheel does not undo the development build."""
        return f"cuda-{'-'.join(map(str, self.architectures))}"


def find_nvcc(environment: Mapping[str, str]) -> str | None:
    """nvcc of CUDA_HOME or CUDA_PATH, else the one on PATH."""
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if environment.get(name):
            nvcc = Path(environment[name]) / "bin" / "nvcc"
            if os.access(nvcc, os.X_OK):
                return str(nvcc)
    return shutil.which("nvcc", path=environment.get("PATH", ""))


def find_toolkit(environment: Mapping[str, str]) -> Toolkit | None:
    nvcc = find_nvcc(environment)
    if nvcc is None:
        return None
    version = re.search(r"release (\d+)\.(\d+)", output_of(nvcc, "--version"))
    codes = re.findall(r"sm_(\d+)\b", output_of(nvcc, "--list-gpu-code"))
    if version is None or not codes:
        raise CudaBuildError(f"{nvcc} does not tell its version. Repair the CUDA toolkit, or set STN3DMM_WITH_CUDA=0.")
    return Toolkit(nvcc, (int(version[1]), int(version[2])), tuple(sorted(map(int, codes))))


def find_local_architectures() -> tuple[int, ...]:
    """Of the GPUs that the driver's own tool sees."""
    if shutil.which("nvidia-smi") is None:
        return ()
    found = output_of("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader")
    return tuple(sorted({int(major + minor) for major, minor in re.findall(r"^(\d+)\.(\d)$", found, re.MULTILINE)}))


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def decide(environment: Mapping[str, str], system: str, toolkit: Toolkit | None, local: tuple[int, ...] = ()) -> Plan:
    """The plan that the environment asks for and this machine allows. Raises CudaBuildError if there is none."""
    wish = environment.get("STN3DMM_WITH_CUDA", "")
    if wish not in ("", "0", "1"):
        raise CudaBuildError(f"STN3DMM_WITH_CUDA must be 1, 0 or unset; got {wish!r}.")
    if wish == "0":
        return cpu_alone("STN3DMM_WITH_CUDA=0")
    fault = fault_of(system, toolkit)
    if fault is not None and wish == "1":
        raise CudaBuildError(f"STN3DMM_WITH_CUDA=1, but {fault}. {REMEDY}")
    if fault is not None or toolkit is None:
        return cpu_alone(f"{fault}")
    architectures = chosen_architectures(environment.get("STN3DMM_CUDA_ARCHITECTURES", ""), toolkit, local)
    line = (
        f"stn3dmm_cuda: building the CPU library, and the CUDA library for {', '.join(names_of(architectures))} "
        f"with {toolkit.nvcc} of CUDA {dotted(toolkit.version)}."
    )
    return Plan(toolkit, architectures, line)


def names_of(architectures: tuple[int, ...]) -> list[str]:
    """Machine code for each, and the last one's PTX for those to come."""
    return [*(f"sm_{a}" for a in architectures), f"compute_{architectures[-1]}"]


REMEDY = "Install the CUDA toolkit and set CUDA_HOME to its folder, or set STN3DMM_WITH_CUDA=0 for the CPU alone."


def cpu_alone(reason: str) -> Plan:
    return Plan(None, (), f"stn3dmm_cuda: building the CPU library alone ({reason}).")


def fault_of(system: str, toolkit: Toolkit | None) -> str | None:
    """What keeps this machine from building the CUDA library."""
    if system != "Linux":
        return f"the CUDA library is built on Linux alone and this is {system}"
    if toolkit is None:
        return "nvcc is not found in CUDA_HOME, CUDA_PATH or PATH"
    if toolkit.version < OLDEST_TOOLKIT:
        return f"{toolkit.nvcc} is of CUDA {dotted(toolkit.version)}, older than {dotted(OLDEST_TOOLKIT)}"
    return None


def chosen_architectures(wish: str, toolkit: Toolkit, local: tuple[int, ...]) -> tuple[int, ...]:
    if wish == "wheel":
        chosen = WHEEL_ARCHITECTURES
    elif wish:
        if not re.fullmatch(r"\d{2,3}(;\d{2,3})*", wish):
            raise CudaBuildError(
                f"STN3DMM_CUDA_ARCHITECTURES must be compute capabilities without their point, as in 80;90, or the "
                f"word wheel; got {wish!r}."
            )
        chosen = tuple(sorted({int(part) for part in wish.split(";")}))
    else:
        chosen = local or (FALLBACK_ARCHITECTURE,)
    unknown = [a for a in chosen if a not in toolkit.architectures]
    if unknown:
        names = ", ".join(f"sm_{architecture}" for architecture in unknown)
        raise CudaBuildError(
            f"{toolkit.nvcc} of CUDA {dotted(toolkit.version)} cannot compile for {names}. "
            f"Set STN3DMM_CUDA_ARCHITECTURES to some of {';'.join(map(str, toolkit.architectures))}, or "
            "STN3DMM_WITH_CUDA=0 for the CPU alone."
        )
    return chosen


def dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def sources() -> list[Path]:
    """Kernels and their operators, relative to this folder."""
    found = sorted(SOURCE.glob("common/*.cu")) + sorted(SOURCE.glob("common/cuda_*.cpp"))
    for room in ROOMS:
        found += sorted(SOURCE.glob(f"{room}/*_cuda.cu")) + sorted(SOURCE.glob(f"{room}/*_cuda.cpp"))
    return [path.relative_to(SOURCE) for path in found]


def build(plan: Plan, torch_folder: Path, torch_target: str, build_folder: Path, quiet: bool) -> Path:
    """The library, up to date. Beside each kernel file's object lies ptxas' report, NAME.cu.o.ptxas."""
    folder = build_folder / plan.folder
    folder.mkdir(parents=True, exist_ok=True)
    stub = "".join(f'extern "C" void {name}() {{}}\n' for name in LIBTORCH_CUDA_SYMBOLS)
    write_if_changed(folder / "libtorch_cuda.cpp", stub)
    write_if_changed(folder / "build.ninja", rules(plan, torch_folder, torch_target))
    command = [find_ninja(), "-C", str(folder), *(["--quiet"] if quiet else [])]
    if os.environ.get("MAX_JOBS"):
        command += ["-j", os.environ["MAX_JOBS"]]
    if subprocess.run(command).returncode != 0:
        raise CudaBuildError("the CUDA library does not compile; the compiler's words are above.")
    return folder / LIBRARY


def find_ninja() -> str:
    try:
        import ninja
    except ModuleNotFoundError:
        raise CudaBuildError("ninja is needed to build. Install it with pip install ninja.") from None
    return str(Path(ninja.BIN_DIR) / "ninja")


def write_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def rules(plan: Plan, torch_folder: Path, torch_target: str) -> str:
    """build.ninja. An object is named after its whole source: pose_cuda.cpp.o beside pose_cuda.cu.o."""
    from ninja import ninja_syntax

    assert plan.toolkit is not None
    text = io.StringIO()
    writer = ninja_syntax.Writer(text, width=10**6)
    compiler = os.environ.get("CXX") or "c++"
    nvcc = [plan.toolkit.nvcc, *(["-ccbin", compiler] if os.environ.get("CXX") else [])]
    common = [
        f"-DTORCH_TARGET_VERSION={torch_target}",
        f'-DSTN_CUDA_ARCHITECTURES="{", ".join(names_of(plan.architectures))}"',
        *(f"-I{SOURCE}", "-isystem", str(torch_folder / "include")),
    ]
    codes = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in plan.architectures]
    codes += [f"-gencode=arch=compute_{a},code=compute_{a}" for a in plan.architectures[-1:]]
    kernels = f"{shlex.join([*nvcc, *NVCC_FLAGS, *codes, *common])} $flags"
    # The static CUDA runtime's symbols stay inside: PyTorch may have loaded another version of them for everyone.
    link = shlex.join([*nvcc, "-shared", "--no-device-link", "--cudart=static", "-Xlinker=--exclude-libs,ALL,-z,defs"])
    libraries = shlex.join([f"-L{torch_folder / 'lib'}", "-ltorch_cpu", "libtorch_cuda.so"])

    compile_to = "-MD -MF $out.d -c $in -o $out"
    keep_report = ">$out.ptxas 2>&1 || { cat $out.ptxas; false; }"
    host = shlex.join([compiler, *HOST_FLAGS, *common])
    depends = {"depfile": "$out.d", "deps": "gcc", "description": "$out"}
    writer.rule("operators", f"{host} {compile_to}", **depends)
    writer.rule("kernels", f"{kernels} {compile_to} {keep_report}", **depends)
    writer.rule("stub", f"{shlex.quote(compiler)} -shared -fPIC -Wl,-soname,libtorch_cuda.so $in -o $out")
    writer.rule("link", f"{link} $in {libraries} -o $out")
    objects = []
    for source in sources():
        objects.append(f"{source}.o")
        if source.suffix == ".cu":
            flags = {"flags": FLAGS_OF_ROOM.get(source.parent.name, [])}
            writer.build(objects[-1], "kernels", str(SOURCE / source), None, None, flags, [f"{source}.o.ptxas"])
        else:
            writer.build(objects[-1], "operators", str(SOURCE / source))
    writer.build("libtorch_cuda.so", "stub", "libtorch_cuda.cpp")
    writer.build(LIBRARY, "link", objects, implicit=["libtorch_cuda.so"])
    writer.default(LIBRARY)
    return text.getvalue()
