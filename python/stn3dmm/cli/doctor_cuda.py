"""What `stn3dmm doctor` says about CUDA: PyTorch, the library, the driver, the GPUs, each with its remedy."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

# The oldest driver release for a toolkit's major version, where the project builds with it.
DRIVER_RELEASES = {13: "580"}
OLDEST_CAPABILITY = (7, 5)  # that a CUDA 13 toolkit compiles for


@dataclass(frozen=True)
class Gpu:
    """A device that PyTorch sees."""

    name: str
    capability: tuple[int, int]


@dataclass(frozen=True)
class CudaFacts:
    """What this machine and this installation are; versions as 1000 major + 10 minor."""

    built: bool  # the CUDA library lies in the package
    reason: tuple[str, str] | None  # why it is not loaded, and the remedy
    architectures: tuple[str, ...] = ()  # of the loaded library: sm_90, compute_90
    toolkit: int = 0
    driver: int = 0
    gpus: tuple[Gpu, ...] = ()


def gather(torch: Any) -> CudaFacts:
    """The facts of this process. PyTorch and stn3dmm_cuda are imported."""
    library = importlib.import_module("stn3dmm_cuda._library")
    gpus: tuple[Gpu, ...] = ()
    if torch.cuda.is_available():
        indices = range(torch.cuda.device_count())
        gpus = tuple(Gpu(torch.cuda.get_device_name(i), torch.cuda.get_device_capability(i)) for i in indices)
    if not library.CUDA_LOADED:
        return CudaFacts(library.cuda_built(), library.why_no_cuda(), gpus=gpus)
    architectures, toolkit, driver = library.cuda_build()
    return CudaFacts(True, None, architectures, toolkit, driver, gpus)


def examine_cuda(facts: CudaFacts) -> tuple[dict[str, str], list[str]]:
    """Findings by name, and remedies."""
    findings: dict[str, str] = {}
    remedies: list[str] = []
    if facts.reason is not None:
        reason, remedy = facts.reason
        findings["CUDA library"] = f"{'built, but not' if facts.built else 'not built, not'} loaded: {reason}"
        remedies.append(f"note: {reason}; everything runs on the CPU. For CUDA, {remedy}.")
    else:
        findings["CUDA library"] = f"loaded; built by CUDA {dotted(facts.toolkit)} for {', '.join(facts.architectures)}"
        _examine_driver(facts, findings, remedies)
    if not facts.gpus:
        findings["GPU"] = "none that PyTorch sees"
    for index, gpu in enumerate(facts.gpus):
        findings[f"GPU {index}"] = f"{gpu.name}, compute capability {gpu.capability[0]}.{gpu.capability[1]}"
        if facts.reason is None:
            kernels = kernels_for(gpu.capability, facts)
            findings[f"GPU {index}"] += f", {f'runs {kernels}' if kernels else 'no kernels'}"
            if kernels is None:
                remedies.append(f"note: {_remedy(index, gpu, facts)}")
    usable = [str(index) for index, gpu in enumerate(facts.gpus) if runs(gpu, facts)]
    findings["operators (CUDA)"] = f"ready on GPU {', '.join(usable)}" if usable else "cannot run here"
    return findings, remedies


def runs(gpu: Gpu, facts: CudaFacts) -> bool:
    """Whether the operators run on this GPU."""
    return facts.reason is None and driver_suffices(facts) and kernels_for(gpu.capability, facts) is not None


def driver_suffices(facts: CudaFacts) -> bool:
    """Machine code needs a driver of the toolkit's major version, whatever the minor one."""
    return facts.driver // 1000 >= facts.toolkit // 1000


def kernels_for(capability: tuple[int, int], facts: CudaFacts) -> str | None:
    """The architecture of the library that a GPU runs: the nearest machine code, else PTX if the driver reads it."""
    major, minor = capability
    codes = [int(name[3:]) for name in facts.architectures if name.startswith("sm_")]
    codes = [code for code in codes if code // 10 == major and code % 10 <= minor]
    if codes:
        return f"sm_{max(codes)}"
    ptx = ptx_for(capability, facts)
    return ptx if facts.driver >= facts.toolkit else None


def ptx_for(capability: tuple[int, int], facts: CudaFacts) -> str | None:
    codes = [int(name[8:]) for name in facts.architectures if name.startswith("compute_")]
    codes = [code for code in codes if code <= 10 * capability[0] + capability[1]]
    return f"compute_{max(codes)}" if codes else None


def _examine_driver(facts: CudaFacts, findings: dict[str, str], remedies: list[str]) -> None:
    if facts.driver == 0:
        findings["NVIDIA driver"] = "none"
        remedies.append("note: there is no NVIDIA driver; everything runs on the CPU. Install one if there is a GPU.")
        return
    findings["NVIDIA driver"] = f"serves CUDA {dotted(facts.driver)}"
    if not driver_suffices(facts):
        findings["NVIDIA driver"] += ", too old"
        remedies.append(
            f"note: the NVIDIA driver serves CUDA {dotted(facts.driver)} and the CUDA library needs "
            f"{facts.toolkit // 1000}.0; {_newer_driver(facts)}."
        )
    elif not facts.gpus:
        remedies.append("note: there is a driver but PyTorch sees no GPU; look at CUDA_VISIBLE_DEVICES and nvidia-smi.")


def _newer_driver(facts: CudaFacts) -> str:
    release = DRIVER_RELEASES.get(facts.toolkit // 1000)
    return f"update the driver to release {release} or newer" if release else "update the driver"


def _remedy(index: int, gpu: Gpu, facts: CudaFacts) -> str:
    """For a GPU without kernels."""
    if ptx_for(gpu.capability, facts) is not None:
        return f"GPU {index} needs a driver that serves CUDA {dotted(facts.toolkit)}, to read PTX; update the driver."
    if gpu.capability < OLDEST_CAPABILITY:
        return f"GPU {index} is older than compute capability 7.5, which CUDA 13 starts with; use the CPU there."
    architecture = f"{gpu.capability[0]}{gpu.capability[1]}"
    return (
        f"the CUDA library has no kernels for GPU {index}; build it again with "
        f"STN3DMM_CUDA_ARCHITECTURES={architecture}."
    )


def dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"
