"""What the doctor finds about CUDA, from made-up facts: each fault has its line and its remedy."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
from stn3dmm.cli.doctor_cuda import CudaFacts, Gpu, examine_cuda, kernels_for, runs

H200 = Gpu("NVIDIA H200", (9, 0))
WHEEL = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120", "compute_120")
GOOD = CudaFacts(True, None, WHEEL, 13000, 13000, (H200,))


def test_doctor_cuda_of_a_good_machine():
    findings, remedies = examine_cuda(GOOD)
    assert findings == {
        "CUDA library": f"loaded; built by CUDA 13.0 for {', '.join(WHEEL)}",
        "NVIDIA driver": "serves CUDA 13.0",
        "GPU 0": "NVIDIA H200, compute capability 9.0, runs sm_90",
        "operators (CUDA)": "ready on GPU 0",
    }
    assert remedies == []


FAULTS = {
    "cpu_pytorch": (
        CudaFacts(True, ("PyTorch 2.13.0+cpu is built without CUDA", "install a CUDA build of PyTorch")),
        ("CUDA library", "built, but not loaded: PyTorch 2.13.0+cpu is built without CUDA"),
        "note: PyTorch 2.13.0+cpu is built without CUDA; everything runs on the CPU. For CUDA, install a CUDA build of "
        "PyTorch.",
    ),
    "not_built": (
        CudaFacts(False, ("stn3dmm_cuda was built without its CUDA library", "build it")),
        ("CUDA library", "not built, not loaded: stn3dmm_cuda was built without its CUDA library"),
        "note: stn3dmm_cuda was built without its CUDA library; everything runs on the CPU. For CUDA, build it.",
    ),
    "no_driver": (
        replace(GOOD, driver=0, gpus=()),
        ("NVIDIA driver", "none"),
        "note: there is no NVIDIA driver; everything runs on the CPU. Install one if there is a GPU.",
    ),
    "old_driver": (
        replace(GOOD, driver=12080),
        ("NVIDIA driver", "serves CUDA 12.8, too old"),
        "note: the NVIDIA driver serves CUDA 12.8 and the CUDA library needs 13.0; update the driver to release 580 or "
        "newer.",
    ),
    "hidden_gpu": (
        replace(GOOD, gpus=()),
        ("GPU", "none that PyTorch sees"),
        "note: there is a driver but PyTorch sees no GPU; look at CUDA_VISIBLE_DEVICES and nvidia-smi.",
    ),
    "no_kernels": (
        replace(GOOD, architectures=("sm_90", "compute_90"), gpus=(Gpu("A100", (8, 0)),)),
        ("GPU 0", "A100, compute capability 8.0, no kernels"),
        "note: the CUDA library has no kernels for GPU 0; build it again with STN3DMM_CUDA_ARCHITECTURES=80.",
    ),
    "old_gpu": (
        replace(GOOD, gpus=(Gpu("V100", (7, 0)),)),
        ("GPU 0", "V100, compute capability 7.0, no kernels"),
        "note: GPU 0 is older than compute capability 7.5, which CUDA 13 starts with; use the CPU there.",
    ),
    "ptx_too_new": (
        replace(GOOD, toolkit=13010, gpus=(Gpu("a later one", (13, 0)),)),
        ("GPU 0", "a later one, compute capability 13.0, no kernels"),
        "note: GPU 0 needs a driver that serves CUDA 13.1, to read PTX; update the driver.",
    ),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_doctor_cuda_finds(fault):
    facts, (name, finding), remedy = FAULTS[fault]
    findings, remedies = examine_cuda(facts)
    assert findings[name] == finding
    assert findings["operators (CUDA)"] == "cannot run here"
    assert remedies == [remedy]


@pytest.mark.parametrize(
    ("capability", "architectures", "kernels"),
    [
        ((9, 0), WHEEL, "sm_90"),
        ((8, 7), WHEEL, "sm_86"),  # machine code serves later minor versions of its major one
        ((8, 0), ("sm_86", "compute_86"), None),  # and no earlier ones
        ((10, 3), WHEEL, "sm_100"),
        ((11, 0), WHEEL, None),  # PTX serves everything later, and nothing earlier
        ((12, 1), WHEEL, "sm_120"),
        ((13, 0), WHEEL, "compute_120"),
        ((10, 0), ("sm_90", "compute_90"), "compute_90"),
        ((7, 5), ("sm_90", "compute_90"), None),
    ],
)
def test_doctor_cuda_knows_which_kernels_run(capability, architectures, kernels):
    assert kernels_for(capability, replace(GOOD, architectures=architectures)) == kernels


def test_doctor_cuda_tells_gpus_apart():
    facts = replace(GOOD, architectures=("sm_90", "compute_90"), gpus=(Gpu("A100", (8, 0)), H200))
    assert examine_cuda(facts)[0]["operators (CUDA)"] == "ready on GPU 1"
    assert [runs(gpu, facts) for gpu in facts.gpus] == [False, True]


@pytest.mark.parametrize(
    ("difference", "outcome", "complains"),
    [
        (1e-6, "warp differs from the reference by 1.0e-06", False),
        (0.1, "1.0e-01", True),
        (None, "RuntimeError: 700", True),
    ],
)
def test_doctor_tries_every_gpu(monkeypatch, difference, outcome, complains):
    """What the facts promise is tried; a failure is a finding with its remedy, and the CPU stays healthy."""

    def compare(torch, operators, device="cpu"):
        if device != "cpu" and difference is None:
            raise RuntimeError("700")
        return 0.0 if device == "cpu" else difference

    doctor = importlib.import_module("stn3dmm.cli.doctor")  # the package has a function of that name
    monkeypatch.setattr(doctor, "gather", lambda torch: GOOD)
    monkeypatch.setattr(doctor, "_difference_from_reference", compare)
    findings, remedies = doctor.examine()
    assert findings["GPU 0"].startswith("NVIDIA H200, compute capability 9.0, runs sm_90; ")
    assert findings["GPU 0"].endswith(outcome)
    assert remedies == ["note: the CUDA operators fail on GPU 0; use the CPU, and report this."] * complains
