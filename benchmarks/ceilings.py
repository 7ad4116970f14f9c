"""What the machine can do at best, measured in the same run: bytes copied and float32 operations a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from .clocks import clock_of
from .harness import Effort, rounds
from .limits import Pass

LARGEST = 2**30  # bytes that are rotated or copied at the most, for machines that share a huge cache
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNKNOWN_CACHE = 2**25  # bytes, where the system does not tell


@dataclasses.dataclass(frozen=True)
class Ceilings:
    """Of one machine with as many threads as the run has."""

    copy: float  # bytes a second, read and written
    float32: float  # additions and multiplications a second
    cache: int  # bytes of the last-level cache

    def best(self, other: Ceilings) -> Ceilings:
        """What the same machine was seen to do at two times."""
        return Ceilings(max(self.copy, other.copy), max(self.float32, other.float32), self.cache)

    def limit(self, passes: Sequence[Pass]) -> float:
        """Seconds: each pass takes the longer of its memory time and its arithmetic time."""
        return sum(max(each.bytes / self.copy, each.operations / self.float32) for each in passes)

    def bound(self, passes: Sequence[Pass]) -> str:
        """Which of the two it is, over all passes."""
        memory = sum(each.bytes for each in passes) / self.copy
        return "memory" if memory >= sum(each.operations for each in passes) / self.float32 else "arithmetic"


def last_level_cache(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    sizes = [file.read_text().strip() for file in CACHES.glob("index*/size")]
    units = {"K": 2**10, "M": 2**20}
    return max((int(size[:-1]) * units[size[-1]] for size in sizes if size[-1:] in units), default=UNKNOWN_CACHE)


def beyond_cache(device: torch.device) -> int:
    """Bytes that no cache holds, as far as `LARGEST` allows."""
    return min(LARGEST, last_level_cache(device) * 3 // 2)


def measured(device: torch.device, effort: Effort) -> Ceilings:
    """A copy that no cache holds, and a product of square matrices by PyTorch's library.

    The fastest round of each counts: what others take of the machine meanwhile lowers no ceiling.
    """
    count = (LARGEST if device.type == "cuda" else beyond_cache(device)) // 8  # a GPU's launch should not count
    source = torch.zeros(count, device=device)
    target = torch.empty_like(source)
    side = 8192 if device.type == "cuda" else 1024
    left, right = (torch.rand(side, side, device=device) for _ in range(2))
    product = torch.empty_like(left)
    calls = {"copy": lambda _: target.copy_(source), "product": lambda _: torch.mm(left, right, out=product)}
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        fastest = {name: min(seconds) for name, seconds in rounds(calls, effort, clock_of(device)).items()}
    finally:
        torch.set_float32_matmul_precision(precision)
    return Ceilings(
        copy=8 * count / fastest["copy"],
        float32=2 * side**3 / fastest["product"],
        cache=last_level_cache(device),
    )
