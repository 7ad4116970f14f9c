"""Loads the operator libraries: the CPU's always, the CUDA one where PyTorch has CUDA and the library was built."""

from __future__ import annotations

from pathlib import Path

import torch

NAMESPACE = "stn3dmm"
_FOLDER = Path(__file__).parent


_REMEDY = "Install the package with `pip install .`, or build it in place with `python setup.py build_ext --inplace`."


def _load(name: str) -> bool:
    paths = sorted(_FOLDER.glob(f"{name}.*so"))
    if not paths:
        return False
    try:
        torch.ops.load_library(str(paths[0]))  # type: ignore[no-untyped-call]
    except OSError as error:
        raise ImportError(
            f"stn3dmm_cuda: the operator library {paths[0]} cannot be loaded ({error}). {_REMEDY}"
        ) from error
    return True


if not _load("_cpu"):
    raise ImportError(f"stn3dmm_cuda: the operator library is not built: no _cpu.*.so in {_FOLDER}. {_REMEDY}")

# The registered operators, beneath the Python functions: operators.pose_backward.
operators = getattr(torch.ops, NAMESPACE)
CUDA_LOADED = torch.version.cuda is not None and _load("_cuda")


def has_cuda() -> bool:
    """Whether the operators run on CUDA here: their CUDA library is loaded and a device is present."""
    return CUDA_LOADED and torch.cuda.is_available()


def cpu_instruction_set() -> str:
    """The instruction set that the CPU kernels chose: "baseline", "avx2" or "avx512".

    The environment variable STN3DMM_CPU_INSTRUCTIONS lowers it, for tests and measurements.
    """
    return str(operators.cpu_instruction_set())
