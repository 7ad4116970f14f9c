"""Builds the operator libraries; everything else about the package stands in pyproject.toml.

The libraries use PyTorch's stable ABI and no Python C API, so one build serves every later PyTorch and Python.
"""

from __future__ import annotations

import fnmatch
import os
import platform
import shutil
import sys
from pathlib import Path

from setuptools import Extension, find_namespace_packages, setup
from setuptools.command.build_py import build_py

try:
    import torch
    from torch.utils.cpp_extension import BuildExtension, CppExtension
except ImportError:
    sys.exit("setup.py: PyTorch is needed to build. Install torch first, or leave out --no-build-isolation.")

ROOT = Path(__file__).parent.resolve()
sys.path.insert(0, str(ROOT / "csrc"))  # pip runs this file without its folder on the path
import build_cuda  # noqa: E402

os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # pip puts ninja there

# The oldest PyTorch that the libraries run on: 2.10.0, in the encoding of torch/headeronly/version.h.
TORCH_TARGET_VERSION = "0x020a000000000000"

HOST_FLAGS = [
    f"-DTORCH_TARGET_VERSION={TORCH_TARGET_VERSION}",
    "-std=c++17",
    "-O3",
    "-g0",
    "-fopenmp-simd",  # vectorised reductions in a fixed order; needs no OpenMP at run time
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-fvisibility-inlines-hidden",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",  # in PyTorch's headers
]

LINK_FLAGS = ["-Wl,--no-undefined", "-Wl,-z,defs"] if platform.system() == "Linux" else []

# What STN3DMM_SANITIZE adds to the compiler's and the linker's flags of the CPU library.
SANITIZERS = {
    "": [],
    "address": [
        "-fsanitize=address,undefined,float-cast-overflow",  # the last is in no group: NaN to an integer, for instance
        "-fno-sanitize-recover=all",
        "-fno-omit-frame-pointer",
        "-g1",
    ],
}
SANITIZER = os.environ.get("STN3DMM_SANITIZE", "")
if SANITIZER not in SANITIZERS:
    sys.exit(f"setup.py: STN3DMM_SANITIZE must be address or unset; got {SANITIZER}")
BUILD = Path("build", "sanitized") if SANITIZER else Path("build")


# The folder benchmarks/ is installed under a name that is the project's own. Left out is what needs the checkout: the
# evidence behind docs/ and what runs the tests.
BENCHMARKS = "stn3dmm_benchmarks"
LEFT_OUT = (
    "ablation",
    "bench_synthetic",
    "demo",
    "device_*",
    "document",
    "fit_accuracy",
    "meshes",
    "overfit*",
    "pose_recovery*",
    "visibility_*",
)
PACKAGES = [
    *find_namespace_packages(str(ROOT), include=["stn3dmm_cuda*"]),
    *find_namespace_packages(str(ROOT / "python"), include=["stn3dmm", "stn3dmm.*"]),
    BENCHMARKS,
]


class BuildPython(build_py):
    """Leaves out what only a checkout can run."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        modules: list[tuple[str, str, str]] = super().find_package_modules(package, package_dir)
        if package != BENCHMARKS:
            return modules
        return [module for module in modules if not any(fnmatch.fnmatch(module[1], name) for name in LEFT_OUT)]


def cpu_library() -> CppExtension:
    """The CPU kernels and every operator's schema."""
    sources = ["csrc/library.cpp", "csrc/common/instruction_set.cpp"]
    for room in build_cuda.ROOMS:
        sources += [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob(f"csrc/{room}/*_cpu.cpp"))]
    return CppExtension(
        "stn3dmm_cuda._cpu",
        sources=sources,
        include_dirs=[str(ROOT / "csrc")],
        depends=[str(header.relative_to(ROOT)) for header in sorted(ROOT.glob("csrc/**/*.h"))],
        extra_compile_args={"cxx": HOST_FLAGS + SANITIZERS[SANITIZER]},
        extra_link_args=LINK_FLAGS + SANITIZERS[SANITIZER],
        py_limited_api=True,
    )


def cuda_library() -> Extension:
    """The CUDA kernels; csrc/build_cuda.py decides whether they are built, and builds them."""
    return Extension("stn3dmm_cuda._cuda", sources=[], py_limited_api=True)


class BuildOperators(BuildExtension):
    """Keeps objects in one place for every kind of build, so that ninja compiles only what changed."""

    def run(self) -> None:
        if SANITIZER and self.inplace:
            sys.exit(
                "setup.py: with STN3DMM_SANITIZE nothing is built in place, for no ordinary process could load it. "
                "Use make sanitize-cpu, or unset STN3DMM_SANITIZE."
            )
        try:
            toolkit = build_cuda.find_toolkit(os.environ)
            local = build_cuda.find_local_architectures()
            self.plan = build_cuda.decide(os.environ, platform.system(), toolkit, local)
        except build_cuda.CudaBuildError as error:
            sys.exit(f"setup.py: {error}")
        print(self.plan.line, flush=True)
        if self.plan.toolkit is None:
            self._leave_out_cuda()
        super().run()

    def build_extensions(self) -> None:
        self.build_temp = str(ROOT / BUILD / "objects")
        super().build_extensions()

    def build_extension(self, extension: Extension) -> None:
        if extension.name == "stn3dmm_cuda._cuda":
            self._build_cuda(Path(self.get_ext_fullpath(extension.name)))
        else:
            super().build_extension(extension)

    def _build_cuda(self, target: Path) -> None:
        quiet = self.distribution.verbose < 1
        torch_folder = Path(torch.__file__).parent
        try:
            library = build_cuda.build(self.plan, torch_folder, TORCH_TARGET_VERSION, ROOT / "build", quiet)
        except build_cuda.CudaBuildError as error:
            sys.exit(f"setup.py: {error}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)

    def _leave_out_cuda(self) -> None:
        """Also the library of an earlier build, which would be installed or loaded in place."""
        for extension in [e for e in self.extensions if e.name == "stn3dmm_cuda._cuda"]:
            Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
            Path(self.build_lib, self.get_ext_filename(extension.name)).unlink(missing_ok=True)
            self.extensions.remove(extension)


# Otherwise setuptools chooses the folders.
sanitized_folders = {"build": {"build_base": str(BUILD), "build_lib": str(BUILD / "lib")}} if SANITIZER else {}

setup(
    ext_modules=[cpu_library(), cuda_library()],
    packages=PACKAGES,
    cmdclass={"build_ext": BuildOperators, "build_py": BuildPython},
    options={"bdist_wheel": {"py_limited_api": "cp310"}, **sanitized_folders},
)
