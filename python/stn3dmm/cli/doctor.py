"""`stn3dmm doctor`: what is installed, which backends work, and what to do about the rest."""

from __future__ import annotations

import importlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from stn3dmm.cli.console import say, say_json
from stn3dmm.cli.doctor_cuda import examine_cuda, gather, runs

LIBRARIES = ("numpy", "scipy", "pillow", "scikit-image", "rich", "typer", "jinja2")
TOLERANCE = 1e-4  # texture values 0..1 in float32, against the reference in the same precision


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Show what is built, which backends work, all versions, and what to do if something is missing.

    Ends with exit code 0 if faces can be fitted and flattened on this machine, else 1.

    Example: stn3dmm doctor
    """
    findings, remedies = examine()
    healthy = not any(remedy.startswith("broken") for remedy in remedies)
    if as_json:
        say_json({"healthy": healthy, "findings": findings, "remedies": remedies})
    else:
        width = max(len(name) for name in findings)
        for name, value in findings.items():
            say(f"{name:<{width}}  {value}")
        say()
        for remedy in remedies:
            say(remedy)
        say("All is well." if healthy else "Faces cannot be fitted here before that is mended.")
    if not healthy:
        raise typer.Exit(1)


def examine() -> tuple[dict[str, str], list[str]]:
    """Findings by name, and remedies: "broken: ..." for what stops everything, "note: ..." for the rest."""
    own = _version("stn3dmm-cuda").replace("missing", "source tree, not installed")
    findings: dict[str, str] = {"stn3dmm-cuda": own, "Python": platform.python_version()}
    remedies: list[str] = []
    findings["machine"] = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    for name in LIBRARIES:
        findings[name] = _version(name)
        if findings[name] == "missing":
            remedies.append(f"broken: {name} is missing; run 'pip install {name}'.")
    torch = _import("torch")
    if torch is None:
        findings["PyTorch"] = "missing"
        remedies.append("broken: PyTorch is missing; run 'pip install torch' (2.10 or newer).")
        return findings, remedies
    cuda = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    findings["PyTorch"] = f"{torch.__version__}, built {cuda}"
    findings["processor"] = f"{torch.backends.cpu.get_cpu_capability()} as PyTorch sees it"
    findings["threads"] = str(torch.get_num_threads())
    _examine_operators(torch, findings, remedies)
    return findings, remedies


def _examine_operators(torch: Any, findings: dict[str, str], remedies: list[str]) -> None:
    try:
        operators = importlib.import_module("stn3dmm_cuda")
        difference = _difference_from_reference(torch, operators)
    except Exception as error:  # a doctor must survive whatever a broken library raises
        findings["operators (CPU)"] = f"broken: {type(error).__name__}: {' '.join(str(error).split())}"
        remedies.append(
            "broken: the compiled operators do not work; build them with 'pip install .' in the source folder "
            "(needs a C++ compiler), or install the wheel again."
        )
        return
    sound = difference <= TOLERANCE
    findings["operators (CPU)"] = f"warp agrees with the reference to {difference:.1e}"
    findings["instruction set"] = operators.cpu_instruction_set()
    if not sound:
        remedies.append("broken: the CPU operators disagree with the reference; build them again and report this.")
    _examine_cuda(torch, operators, findings, remedies)


def _examine_cuda(torch: Any, operators: Any, findings: dict[str, str], remedies: list[str]) -> None:
    facts = gather(torch)
    found, notes = examine_cuda(facts)
    findings.update(found)
    remedies.extend(notes)
    for index, gpu in enumerate(facts.gpus):
        if not runs(gpu, facts):
            continue
        try:
            difference = _difference_from_reference(torch, operators, f"cuda:{index}")
            sound, outcome = difference <= TOLERANCE, f"warp differs from the reference by {difference:.1e}"
        except Exception as error:
            sound, outcome = False, f"{type(error).__name__}: {' '.join(str(error).split())}"
        findings[f"GPU {index}"] += f"; {outcome}"
        if not sound:
            remedies.append(f"note: the CUDA operators fail on GPU {index}; use the CPU, and report this.")


def _difference_from_reference(torch: Any, operators: Any, device: str = "cpu") -> float:
    """Largest difference of warp's textures from the pure PyTorch reference, on the embedded model."""
    from stn3dmm import embedded_model

    reference = importlib.import_module("stn3dmm_cuda.reference")
    model = embedded_model()
    mean, basis = model.tensors()
    theta = torch.zeros(1, 6 + model.mode_count)
    theta[0, :6] = torch.tensor([0.1, 0.4, -0.1, 31.5, 31.5, -1.2])
    image = torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)
    arguments = [tensor.to(device) for tensor in (image, theta, mean, basis)]
    ours = operators.warp(*arguments, model.grid_shape, visibility="none")
    theirs = reference.warp(*arguments, model.grid_shape, visibility="none")
    return float((ours.texture - theirs.texture).abs().max())


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception:  # a library that is there but broken counts as missing
        return None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
