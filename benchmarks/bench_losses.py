"""What do the losses of textures cost on one core, and what did they cost in plain PyTorch?

Random textures of 3 x 112 x 112, float32, masks that show 70 % of the texels: a loss forward and backward to the
textures, and with soft masks to these too, in milliseconds of the thread's processor time. The baseline is the
reference, which was the implementation before. It passes over a batch's textures a dozen times and more; the operators
read them twice and write their gradients once.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import stn3dmm_cuda
from benchmarks import harness
from stn3dmm_cuda import reference

CHANNELS, SIDE = 3, 112
BATCHES = (32, 1)
LOSSES = ("symmetry_loss", "siamese_loss")


def inputs(loss: str, B: int, soft: bool) -> list[torch.Tensor]:
    """Textures and masks by turns; what gets a gradient asks for it."""
    generator = torch.Generator().manual_seed(0)
    tensors = []
    for _ in range(1 if loss == "symmetry_loss" else 2):
        texture = torch.rand(B, CHANNELS, SIDE, SIDE, generator=generator)
        noise = torch.rand(B, 1, SIDE, SIDE, generator=generator)
        mask = (noise / 0.7 if soft else noise < 0.7).float().clamp(max=1)
        tensors += [texture.requires_grad_(), mask.requires_grad_(soft)]
    return tensors


def measure(loss: str, B: int, soft: bool, repeats: int) -> dict[str, Any]:
    """One row of the table."""
    tensors = inputs(loss, B, soft)
    leaves = [tensor for tensor in tensors if tensor.requires_grad]

    def step(operators: Any) -> Callable[[], tuple[torch.Tensor, ...]]:
        return lambda: torch.autograd.grad(getattr(operators, loss)(*tensors), leaves)

    cases = {"operator": step(stn3dmm_cuda), "baseline": step(reference)}
    for ours, theirs in zip(*(case() for case in cases.values()), strict=True):
        torch.testing.assert_close(ours, theirs)
    timings = harness.interleave(cases, repeats, clock=harness.ThreadClock())
    return {
        "loss": loss,
        "B": B,
        "masks": "soft" if soft else "hard",
        "milliseconds": {name: dataclasses.asdict(timing) for name, timing in timings.items()},
        "speed_up": harness.ratio(timings, "baseline", "operator"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/losses_cpu.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(loss, B, soft, options.repeats) for loss in LOSSES for soft in (False, True) for B in BATCHES]
    result = Table(title="a loss forward and backward by one thread (ms of its processor time: median, quartiles)")
    for heading in ("loss", "masks", "B", "operator", "baseline", "x baseline"):
        result.add_column(heading, justify="right")
    for row in rows:
        times = [row["milliseconds"][name] for name in ("operator", "baseline")]
        spreads = [f"{t['median']:.2f} ({t['lower_quartile']:.2f}-{t['upper_quartile']:.2f})" for t in times]
        result.add_row(row["loss"], row["masks"], str(row["B"]), *spreads, f"{row['speed_up']:.1f}")
    console = Console(width=110)
    console.print(result)
    if options.save:
        console.print(f"wrote {harness.save('losses_cpu', rows)}")


if __name__ == "__main__":
    main()
