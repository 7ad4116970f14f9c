"""Builds the operator libraries; everything else about the package stands in pyproject.toml.

The libraries use PyTorch's stable ABI and no Python C API, so one build serves every later PyTorch and Python.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from setuptools import setup

try:
    from torch.utils.cpp_extension import BuildExtension, CppExtension
except ImportError:
    sys.exit("setup.py: PyTorch is needed to build. Install torch first, or leave out --no-build-isolation.")

ROOT = Path(__file__).parent
ROOMS = ["pose", "vertices", "project", "grid", "sample", "visibility", "warp"]

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


def cpu_library() -> CppExtension:
    """The CPU kernels and every operator's schema."""
    sources = ["csrc/library.cpp", "csrc/common/instruction_set.cpp"]
    sources += [str(path.relative_to(ROOT)) for room in ROOMS for path in sorted(ROOT.glob(f"csrc/{room}/*_cpu.cpp"))]
    return CppExtension(
        "stn3dmm_cuda._cpu",
        sources=sources,
        include_dirs=[str(ROOT / "csrc")],
        depends=[str(header.relative_to(ROOT)) for header in sorted(ROOT.glob("csrc/**/*.h"))],
        extra_compile_args={"cxx": HOST_FLAGS},
        extra_link_args=["-Wl,--no-undefined", "-Wl,-z,defs"] if platform.system() == "Linux" else [],
        py_limited_api=True,
    )


class BuildOperators(BuildExtension):
    """Keeps objects in one place for every kind of build, so that ninja compiles only what changed."""

    def build_extensions(self) -> None:
        self.build_temp = str(ROOT / "build" / "objects")
        super().build_extensions()


if os.environ.get("STN3DMM_WITH_CUDA") == "1":
    sys.exit("setup.py: STN3DMM_WITH_CUDA=1, but this release has CPU kernels only. Unset it to build them.")
print("stn3dmm_cuda: building the CPU library; this release has no CUDA kernels.")

setup(
    ext_modules=[cpu_library()],
    cmdclass={"build_ext": BuildOperators},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
