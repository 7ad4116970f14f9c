"""The Python package stn3dmm_cuda once more, over the emulated operators: `stn3dmm_emulated`."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import torch

import stn3dmm_cuda
from stn3dmm_cuda import _library

from . import build

PACKAGE = "stn3dmm_emulated"


@functools.cache
def controls() -> ModuleType:
    """The emulator's controls (bindings.cpp); their import registers the operators. Builds them first."""
    variant = build.chosen_variant()
    if variant == "address" and "libasan" not in Path("/proc/self/maps").read_text():
        raise RuntimeError(
            "STN3DMM_EMULATOR=address needs AddressSanitizer's runtime in LD_PRELOAD. Use make sanitize."
        )
    return module_from(build.MODULE, build.build(variant))


@functools.cache
def operators() -> ModuleType:
    """The package, whose modules take namespace and operators from its `_library`."""
    controls()
    folder = Path(stn3dmm_cuda.__file__).parent
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    sys.modules[f"{PACKAGE}._library"] = package._library = library()  # type: ignore[attr-defined]
    spec.loader.exec_module(package)
    return package


def library() -> ModuleType:
    """stn3dmm_cuda/_library.py, but for the operators."""
    module = ModuleType(f"{PACKAGE}._library", "The emulated operators.")
    vars(module).update({name: value for name, value in vars(_library).items() if not name.startswith("__")})
    vars(module).update(NAMESPACE=PACKAGE, operators=getattr(torch.ops, PACKAGE))
    return module


def module_from(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
