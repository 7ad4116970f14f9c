"""The planted kernels (planted/), of a library for each variant of the emulator."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy.typing as npt

from . import build
from .operators import module_from

Array = npt.NDArray[Any]


@functools.cache
def planted(variant: str = "plain") -> ModuleType:
    """Has the emulator's controls, and run(kernel, data, blocks), which changes the array."""
    name = f"{variant}.{build.PLANTED}"  # pybind11 knows a module by its name
    return module_from(name, build.build_planted(variant))


def run(kernel: str, data: Array, blocks: int = 1, variant: str = "plain") -> Array:
    """The array that the kernel leaves behind."""
    data = data.copy()
    planted(variant).set_order("shuffled", 0)
    planted(variant).run(kernel, data, blocks)
    return data


def run_under_address_sanitizer(kernel: str, data: list[int]) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since a finding ends it. Prints the array that the kernel leaves behind."""
    library = build.build_planted("address")
    program = (
        "import importlib.util, numpy\n"
        f"spec = importlib.util.spec_from_file_location({build.PLANTED!r}, {str(library)!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "assert module.variant() == 'address'\n"
        f"data = numpy.array({data!r}, 'int32')\n"
        f"module.run({kernel!r}, data)\n"
        "print(data.tolist())\n"
    )
    # AddressSanitizer looks for what throws when it starts, so libstdc++ comes with it.
    preloaded = [
        subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    settings = {
        "LD_PRELOAD": " ".join(preloaded),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "halt_on_error=1",
    }
    return subprocess.run([sys.executable, "-c", program], env=os.environ | settings, capture_output=True, text=True)
