"""Where and with what numbers were taken."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import stn3dmm_cuda

CPU = torch.device("cpu")


def environment(device: torch.device = CPU) -> dict[str, Any]:
    """The device, the versions, the libraries, the commit (`+changes` if sources differ from it), the date."""
    facts = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "stn3dmm": _version(),
        "commit": _commit(),
        "libraries": _libraries(),
        "device": device.type,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "instruction_set": stn3dmm_cuda.cpu_instruction_set(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    if device.type == "cuda":
        facts |= {"device": torch.cuda.get_device_name(device), "cuda": torch.version.cuda, "driver": _driver()}
    return facts


def _version() -> str:
    try:
        return importlib.metadata.version("stn3dmm-cuda")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    sources = ["--", ":/", ":!results"]  # a result that was just saved is no change of what is measured
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)  # not of a repository that an installation lies in
        name = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "-uno", *sources)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+changes" if changed else "")


def _libraries() -> dict[str, str]:
    """What was measured: the operator libraries' beginnings of SHA-256, whatever their sources are by now."""
    files = sorted(Path(stn3dmm_cuda.__file__).parent.glob("_c*.so"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in files}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, check=True, text=True)
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _driver() -> str:
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"
