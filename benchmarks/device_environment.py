"""Where a device check runs, as JSON: python -m benchmarks.device_environment FILE. Needs PyTorch alone."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch


def output_of(*command: str) -> str | None:
    """What a command prints; None where it is not installed or fails."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout.strip() if done.returncode == 0 else None


def gpus() -> list[dict[str, str]]:
    names = ("name", "driver_version", "memory.total")
    found = output_of("nvidia-smi", f"--query-gpu={','.join(names)}", "--format=csv,noheader") or ""
    return [dict(zip(names, line.split(", "), strict=False)) for line in found.splitlines()]


def environment() -> dict[str, Any]:
    release = re.search(r"release (\S+),", output_of("nvcc", "--version") or "")
    changed = output_of("git", "status", "--porcelain", "-uno")
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": output_of("git", "rev-parse", "HEAD"),
        "changed_since": None if changed is None else bool(changed),
        "gpus": gpus(),
        "nvcc": release and release[1],
        "torch": torch.__version__,
        "torch_cuda": torch.version.cuda,
        "python": platform.python_version(),
    }


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.device_environment FILE")
    text = json.dumps(environment(), indent=2)
    Path(sys.argv[1]).write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
