"""Builds the emulated operators: the real kernels and their glue, by g++, against the emulator's headers.

One library a variant, in build/emulator/<variant>/: an extension module that registers torch.ops.stn3dmm_emulated and
holds the emulator's controls. `python -m tests.emulator.build [variant]` builds without running anything.

Environment:
    STN3DMM_EMULATOR: plain (the default), race or address.
    STN3DMM_EMULATED_ROOMS: grid,pose for instance, while other rooms do not compile.
"""

from __future__ import annotations

import fcntl
import io
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]
EMULATOR = Path(__file__).parent
TORCH = Path(torch.__file__).parent
MODULE = "stn3dmm_emulator"  # as bindings.cpp calls it
PLANTED = "planted_kernels"  # as planted/bindings.cpp calls it

EVERYWHERE = ["-std=c++17", "-g1", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-Wall", "-Wextra"]
OPERATORS = [
    "-DTORCH_TARGET_VERSION=0x020a000000000000",
    "-DUSE_CUDA",  # declares what csrc/common/cuda_device.h calls
    '-DSTN_CUDA_ARCHITECTURES="emulated"',
    "-O1",
    "-ffp-contract=off",  # nvcc is told the same where it matters
    "-fno-math-errno",
    "-Wno-unused-parameter",
    "-Wno-unknown-pragmas",  # #pragma unroll
]
TORCH_LIBRARIES = [f"-L{TORCH / 'lib'}", f"-Wl,-rpath,{TORCH / 'lib'}", "-ltorch_cpu", "-ltorch", "-lc10"]


class BuildError(Exception):
    """The library does not compile or link; the message holds the compiler's words."""


@dataclass(frozen=True)
class Variant:
    """Which mistakes a build of the library looks for. The emulator's own runtime is never instrumented."""

    operators: tuple[str, ...] = ()  # compiler flags of kernels and glue
    kernels: tuple[str, ...] = ()  # compiler flags of .cu files
    link: tuple[str, ...] = ()


SANITIZERS = "-fsanitize=address,undefined"
VARIANTS = {
    "plain": Variant(),
    # The compiler announces every access; the runtime's own hooks take the place of libtsan, and watch what the
    # compiler leaves to the library.
    "race": Variant(
        kernels=(
            "-fsanitize=thread",
            *(f"-m{function}-strategy=libcall:-1:noalign" for function in ("memcpy", "memset")),
        ),
        link=("-Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset",),
    ),
    "address": Variant(
        operators=(SANITIZERS, "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"), link=(SANITIZERS,)
    ),
}


def chosen_variant() -> str:
    variant = os.environ.get("STN3DMM_EMULATOR") or "plain"
    if variant not in VARIANTS:
        raise ValueError(f"STN3DMM_EMULATOR must be one of {', '.join(VARIANTS)}; got {variant}")
    return variant


def chosen_rooms() -> list[str]:
    """Every room with CUDA kernels, or those that STN3DMM_EMULATED_ROOMS names."""
    rooms = sorted({path.parent.name for path in ROOT.glob("csrc/*/*_cuda.cu")})
    wish = [room.strip() for room in os.environ.get("STN3DMM_EMULATED_ROOMS", "").split(",") if room.strip()]
    unknown = sorted(set(wish) - set(rooms))
    if unknown:
        raise ValueError(f"STN3DMM_EMULATED_ROOMS: no csrc/*/*_cuda.cu for {', '.join(unknown)}; there are {rooms}")
    return sorted(set(wish)) or rooms


def what_is_missing() -> str | None:
    """What keeps this machine from building, in a few words."""
    if not (ROOT / "csrc").is_dir():
        return f"{ROOT / 'csrc'} is not here: the package is installed without its source"
    if platform.machine() != "x86_64":
        return f"its fibres are written for x86-64, and this is {platform.machine()}"
    if shutil.which("g++") is None:
        return "g++ is not installed"
    try:
        import ninja  # noqa: F401
    except ImportError:
        return "ninja is not installed. Use pip install ninja"
    for header, remedy in (("pybind11/pybind11.h", "pip install pybind11"), ("Python.h", "apt install python3-dev")):
        if not any((folder / header).is_file() for folder in include_folders()):
            return f"{header} is not found. Use {remedy}"
    return None


def include_folders() -> list[Path]:
    """Outside the project."""
    folders = [TORCH / "include", Path(sysconfig.get_paths()["include"])]
    try:
        import pybind11
    except ImportError:
        return folders
    return [Path(pybind11.get_include()), *folders]


def build(variant: str | None = None) -> Path:
    """The operators' library of a variant, brought up to date."""
    variant = variant or chosen_variant()
    # cuda_build.cu asks the CUDA runtime about itself.
    common = sorted(set(ROOT.glob("csrc/common/*.cu")) - {ROOT / "csrc/common/cuda_build.cu"})
    sources = [ROOT / "csrc/library.cpp", *common]
    for room in chosen_rooms():
        sources += sorted(ROOT.glob(f"csrc/{room}/*_cuda.cu")) + sorted(ROOT.glob(f"csrc/{room}/*_cuda.cpp"))
    wish = os.environ.get("STN3DMM_EMULATED_ROOMS")
    folder = f"{MODULE}-{'-'.join(chosen_rooms())}" if wish else ""  # not in the way of the whole
    return library(variant, Path(folder) / MODULE, [*sources, *sorted(EMULATOR.glob("*.cpp"))], TORCH_LIBRARIES)


def build_planted(variant: str) -> Path:
    """The library of kernels with planted mistakes; it knows no PyTorch."""
    sources = [*sorted(EMULATOR.glob("planted/*.c*")), ROOT / "csrc/common/launch.cu"]
    return library(variant, Path("planted") / PLANTED, sources, libraries=[])


def library(variant: str, name: Path, sources: list[Path], libraries: list[str]) -> Path:
    """Raises BuildError with the compiler's words."""
    folder = ROOT / "build" / "emulator" / variant
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name.with_suffix(".so")
    with alone_in(folder.parent):
        rules = folder / f"{name.name}.ninja"
        rules.write_text(
            rules_of(VARIANTS[variant], folder, target, [*sources, *sorted(EMULATOR.glob("runtime/*.cpp"))], libraries)
        )
        run_ninja(folder.parent, rules, f"{name.name} ({variant})")
    return target


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Two runs of the tests must not build in one folder at once."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def rules_of(variant: Variant, folder: Path, target: Path, sources: list[Path], libraries: list[str]) -> str:
    """What ninja does."""
    from ninja import ninja_syntax

    text = io.StringIO()
    create: Any = ninja_syntax.Writer  # its annotations ask for other types than it takes
    writer = create(text, width=10**6)
    includes = [f"-I{EMULATOR / 'include'}", f"-I{ROOT / 'csrc'}", f"-I{EMULATOR}"]
    system = [part for path in include_folders() for part in ("-isystem", str(path))]
    compiler = ["g++", *EVERYWHERE, *includes, *system]
    operators = [*compiler, *OPERATORS, *variant.operators]
    commands = {
        "runtime": [*compiler, "-O2"],
        "glue": operators,
        "kernels": [*operators, *variant.kernels, "-fdata-sections", "-x", "c++"],
    }
    for name, command in commands.items():
        line = f"{shlex.join(command)} -MMD -MF $out.d -c $in -o $out"
        writer.rule(name, line, depfile="$out.d", description="$in")
    script = EMULATOR / "runtime/shared_memory.ld"
    now = "-Wl,-z,now"  # a missing symbol shows when the library is loaded
    link = [*variant.link, *libraries, "-ldl", f"-Wl,-T,{script}", now]
    writer.rule("link", f"g++ -shared -o $out $in {shlex.join(link)}")
    objects = []
    for source in sources:
        rule = rule_of(source)
        home = folder.parent / "runtime" if rule == "runtime" else folder / "objects"  # one runtime for all variants
        place = home / source.relative_to(ROOT).with_suffix(source.suffix + ".o")
        writer.build(str(place), rule, str(source))
        objects.append(str(place))
    writer.build(str(target), "link", objects, implicit=[str(script)])
    writer.default(str(target))
    return text.getvalue()


def rule_of(source: Path) -> str:
    if source.suffix == ".cu":
        return "kernels"
    return "runtime" if source.name == "bindings.cpp" or source.parent.name == "runtime" else "glue"


def run_ninja(folder: Path, rules: Path, what: str) -> None:
    import ninja

    command = [str(Path(ninja.BIN_DIR) / "ninja"), "-f", str(rules), "-k", "0"]
    if os.environ.get("MAX_JOBS"):
        command += ["-j", os.environ["MAX_JOBS"]]
    if "no work to do" not in subprocess.run([*command, "-n"], cwd=folder, capture_output=True, text=True).stdout:
        print(f"building {what} in {rules.parent}", file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(
            f"{what} does not build:\n{done.stdout}{done.stderr}\n"
            "While a room does not compile, STN3DMM_EMULATED_ROOMS names those to build, grid,pose for instance."
        )


if __name__ == "__main__":
    print(build(*sys.argv[1:2]))
