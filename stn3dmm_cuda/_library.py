"""Loads the operator libraries: the CPU's always, the CUDA one where PyTorch has CUDA and the library was built."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

__all__ = [
    "CUDA_ERROR",
    "CUDA_LOADED",
    "NAMESPACE",
    "CudaBuild",
    "cpu_instruction_set",
    "cuda_build",
    "cuda_built",
    "has_cuda",
    "operators",
    "why_no_cuda",
]

NAMESPACE = "stn3dmm"
_FOLDER = Path(__file__).parent


_REMEDY = "Install the package with `pip install .`, or build it in place with `python setup.py build_ext --inplace`."


def _load(name: str) -> bool:
    """Whether the library is there. Raises OSError if it is and cannot be loaded."""
    paths = sorted(_FOLDER.glob(f"{name}.*so"))
    if not paths:
        return False
    torch.ops.load_library(str(paths[0]))  # type: ignore[no-untyped-call]
    return True


def _load_cpu() -> None:
    try:
        found = _load("_cpu")
    except OSError as error:
        raise ImportError(
            f"stn3dmm_cuda: the operator library in {_FOLDER} cannot be loaded ({error}). {_REMEDY}"
        ) from error
    if not found:
        raise ImportError(f"stn3dmm_cuda: the operator library is not built: no _cpu.*.so in {_FOLDER}. {_REMEDY}")


def _load_cuda() -> tuple[bool, str | None]:
    """Whether the CUDA library is loaded, and what went wrong if it is there and cannot be."""
    if torch.version.cuda is None:
        return False, None
    try:
        return _load("_cuda"), None
    except (OSError, RuntimeError) as error:
        return False, " ".join(str(error).split())


_load_cpu()
# The registered operators, beneath the Python functions: operators.pose_backward.
operators = getattr(torch.ops, NAMESPACE)
CUDA_LOADED, CUDA_ERROR = _load_cuda()


class CudaBuild(NamedTuple):
    """What the CUDA library was built for, and what the driver can run."""

    architectures: tuple[str, ...]  # sm_90: machine code; compute_90: PTX
    toolkit: int  # 1000 major + 10 minor
    driver: int  # the newest CUDA version that it serves, in the same form; 0 without a driver


def has_cuda() -> bool:
    """Whether the operators run on CUDA here: their CUDA library is loaded and a device is present."""
    return CUDA_LOADED and torch.cuda.is_available()


def cuda_built() -> bool:
    """Whether the CUDA library lies in the package, be it loaded or not."""
    return any(_FOLDER.glob("_cuda.*so"))


def why_no_cuda() -> tuple[str, str]:
    """Why CUDA tensors find no kernels where CUDA_LOADED is False, and the remedy."""
    if torch.version.cuda is None:
        return f"PyTorch {torch.__version__} is built without CUDA", "install a CUDA build of PyTorch"
    if CUDA_ERROR is not None:
        return f"the CUDA library of stn3dmm_cuda cannot be loaded ({CUDA_ERROR})", "build it again for this PyTorch"
    return (
        "stn3dmm_cuda was built without its CUDA library",
        "build it with CUDA 13 or newer and STN3DMM_WITH_CUDA=1",
    )


def cuda_build() -> CudaBuild | None:
    """What the CUDA library was built for; None if it is not loaded."""
    if not CUDA_LOADED:
        return None
    architectures, toolkit, driver = operators.cuda_build()
    return CudaBuild(tuple(architectures.split(", ")), toolkit, driver)


def cpu_instruction_set() -> str:
    """The instruction set that the CPU kernels chose: "baseline", "avx2" or "avx512".

    The environment variable STN3DMM_CPU_INSTRUCTIONS lowers it, for tests and measurements.
    """
    return str(operators.cpu_instruction_set())
