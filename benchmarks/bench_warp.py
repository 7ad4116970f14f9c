"""Does `warp` beat the chain that a good PyTorch user would write, eager and compiled?

Forward and backward to theta, without visibility, images 3 x 224 x 224 in float32. The baseline makes the same texture
and mask. Ratios are of medians over interleaved calls in one run; extra memory is the allocator's peak beyond the
results of the call.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from stn3dmm.embedded import embedded_model

import stn3dmm_cuda
from benchmarks import baseline, harness

CHANNELS, HEIGHT, WIDTH = 3, 224, 224


@dataclasses.dataclass(frozen=True)
class Setting:
    """One row of the table."""

    B: int
    P: int
    Q: int
    K: int


SETTINGS = [
    Setting(8, 112, 112, 10),
    Setting(1, 112, 112, 10),
    Setting(8, 224, 224, 10),
    Setting(8, 112, 112, 60),
    Setting(8, 112, 112, 199),
]


def inputs(setting: Setting, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(image, theta, mean, basis): faces of the embedded model at common poses, filling most of the image."""
    torch.manual_seed(seed)
    model = embedded_model((setting.P, setting.Q))
    mean, modes = model.tensors()
    basis = modes[torch.arange(setting.K) % modes.shape[0]].contiguous()
    image = torch.rand(setting.B, CHANNELS, HEIGHT, WIDTH)
    theta = torch.zeros(setting.B, 6 + setting.K)
    theta[:, :3] = 0.2 * torch.randn(setting.B, 3)
    theta[:, 3:5] = torch.tensor([WIDTH / 2, HEIGHT / 2]) + 4 * torch.randn(setting.B, 2)
    theta[:, 5] = -0.2 + 0.05 * torch.randn(setting.B)
    theta[:, 6:] = 0.3 * torch.randn(setting.B, setting.K)
    return image, theta.requires_grad_(), mean, basis


Warp = Callable[..., Any]


def step(function: Warp, setting: Setting, grad: torch.Tensor, data: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """Forward, and backward to theta: what the forward returned, and the gradient."""
    outputs = function(*data, (setting.P, setting.Q))
    return [*outputs, *torch.autograd.grad(outputs[0], data[1], grad)]


def fused(*arguments: Any) -> stn3dmm_cuda.Warp:
    return stn3dmm_cuda.warp(*arguments, visibility="none")


def measure(setting: Setting, repeats: int) -> dict[str, Any]:
    """Times and memory of one setting."""
    data = inputs(setting)
    grad = torch.randn(setting.B, CHANNELS, setting.P, setting.Q)
    functions: dict[str, Warp] = {"warp": fused, "baseline": baseline.warp, "compiled": torch.compile(baseline.warp)}
    cases = {name: (lambda f=f: step(f, setting, grad, data)) for name, f in functions.items()}
    ours, theirs = cases["warp"]()[-1], cases["baseline"]()[-1]
    difference = float((ours - theirs).norm() / theirs.norm())
    timings = harness.interleave(cases, repeats)
    extra = {name: harness.extra_bytes(case) for name, case in cases.items()}
    return {
        **dataclasses.asdict(setting),
        "milliseconds": {name: dataclasses.asdict(timing) for name, timing in timings.items()},
        "times_faster_than_baseline": harness.ratio(timings, "baseline", "warp"),
        "times_faster_than_compiled": harness.ratio(timings, "compiled", "warp"),
        "extra_bytes": extra,
        "gradient_difference": difference,
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """The rows for a person."""
    result = Table(title="warp, forward + backward to theta, visibility none (ms: median, quartiles)")
    for heading in ("B", "P x Q", "K", "warp", "baseline", "compiled", "x baseline", "x compiled", "extra memory"):
        result.add_column(heading, justify="right")
    for row in rows:
        times = [
            f"{t['median']:.2f} ({t['lower_quartile']:.2f}-{t['upper_quartile']:.2f})"
            for t in (row["milliseconds"][name] for name in ("warp", "baseline", "compiled"))
        ]
        memory = " / ".join(f"{row['extra_bytes'][name] / 1e6:.2f}" for name in ("warp", "baseline", "compiled"))
        result.add_row(
            str(row["B"]),
            f"{row['P']} x {row['Q']}",
            str(row["K"]),
            *times,
            f"{row['times_faster_than_baseline']:.2f}",
            f"{row['times_faster_than_compiled']:.2f}",
            f"{memory} MB",
        )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/warp_cpu.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    console = Console(width=140)
    rows = [measure(setting, options.repeats) for setting in SETTINGS]
    console.print(table(rows))
    if options.save:
        console.print(f"wrote {harness.save('warp_cpu', rows)}")


if __name__ == "__main__":
    main()
