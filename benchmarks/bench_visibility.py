"""What does exact visibility cost for a 112 x 112 face on one core?

Hard visibility of the embedded model at several yaw angles, float32, one image, one thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from stn3dmm.embedded import embedded_model

import stn3dmm_cuda
from benchmarks import harness

YAWS = (0, 30, 60, 90)  # degrees


def points(yaw: float, grid_shape: tuple[int, int]) -> torch.Tensor:
    """(1, N, 3) pixels: the mean face, turned."""
    mean, _ = embedded_model(grid_shape).tensors()
    rotation = stn3dmm_cuda.axis_angle_to_matrix(torch.tensor([[0.0, math.radians(yaw), 0.0]]))
    return stn3dmm_cuda.project(mean[None], rotation, torch.tensor([[112.0, 112.0]]), torch.tensor([0.8]))


def measure(grid_shape: tuple[int, int], repeats: int) -> list[dict[str, Any]]:
    """One row a yaw angle."""
    turned = {yaw: points(yaw, grid_shape) for yaw in YAWS}
    cases = {str(yaw): (lambda p=p: stn3dmm_cuda.visibility(p, grid_shape=grid_shape)) for yaw, p in turned.items()}
    timings = harness.interleave(cases, repeats)
    return [
        {
            "P": grid_shape[0],
            "Q": grid_shape[1],
            "yaw_degrees": yaw,
            "visible_share": float(stn3dmm_cuda.visibility(turned[yaw], grid_shape=grid_shape).mean()),
            "milliseconds": dataclasses.asdict(timings[str(yaw)]),
        }
        for yaw in YAWS
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/visibility_cpu.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure((112, 112), options.repeats) + measure((224, 224), options.repeats // 4)
    result = Table(title="hard visibility, one face, one thread (ms: median, quartiles)")
    for heading in ("P x Q", "yaw", "visible", "ms"):
        result.add_column(heading, justify="right")
    for row in rows:
        t = row["milliseconds"]
        spread = f"{t['median']:.2f} ({t['lower_quartile']:.2f}-{t['upper_quartile']:.2f})"
        result.add_row(f"{row['P']} x {row['Q']}", str(row["yaw_degrees"]), f"{row['visible_share']:.0%}", spread)
    console = Console()
    console.print(result)
    if options.save:
        console.print(f"wrote {harness.save('visibility_cpu', rows)}")


if __name__ == "__main__":
    main()
