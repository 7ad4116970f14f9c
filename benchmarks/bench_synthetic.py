"""How many synthetic training images of 224 x 224 are made in a second?

The default configuration, every image of another person: by a data loader with as many workers as processors, one
thread each, as in training, and by `SyntheticFaces.batch` in one process, which draws in one thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
from typing import Any

from rich.console import Console
from rich.table import Table
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces
from torch.utils.data import DataLoader

from . import harness

BATCH = 32
PULLED = 4  # batches timed at once: the loader makes some ahead
GOAL = 100  # images a second on two processors


def loaded(workers: int, repeats: int) -> harness.Timing:
    """Time of BATCH x PULLED images from a data loader that runs all the while."""
    faces = SyntheticFaces(SyntheticConfig(length=10**9), seed=0)
    batches = iter(DataLoader(faces, batch_size=BATCH, num_workers=workers, sampler=itertools.count()))

    def pull() -> None:
        for _ in range(PULLED):
            next(batches)

    return harness.interleave({"pull": pull}, repeats, warmup=2)["pull"]


def alone(repeats: int) -> harness.Timing:
    """Time of BATCH x PULLED images in this process."""
    faces = SyntheticFaces(SyntheticConfig(), seed=0)
    first = itertools.count(step=BATCH * PULLED)

    def make() -> None:
        start = next(first)
        for k in range(PULLED):
            faces.batch(range(start + k * BATCH, start + (k + 1) * BATCH))

    return harness.interleave({"make": make}, repeats, warmup=1)["make"]


def row(how: str, timing: harness.Timing) -> dict[str, Any]:
    """Images a second, and the time of one."""
    each = {name: value / (BATCH * PULLED) for name, value in dataclasses.asdict(timing).items() if name != "repeats"}
    rate = {
        "median": 1e3 / each["median"],
        "lower_quartile": 1e3 / each["upper_quartile"],
        "upper_quartile": 1e3 / each["lower_quartile"],
    }
    return {"how": how, "goal": GOAL, "images_per_second": rate, "milliseconds": each, "repeats": timing.repeats}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/synthetic_cpu.json")
    options = parser.parse_args()
    rows = [
        row(f"data loader, {options.workers} workers", loaded(options.workers, options.repeats)),
        row(f"batch of {BATCH}", alone(options.repeats)),
    ]
    table = Table(title="synthetic faces, 224 x 224 (images a second: median, quartiles)")
    table.add_column("how")
    table.add_column("images/s", justify="right")
    for entry in rows:
        rate = entry["images_per_second"]
        spread = f"{rate['median']:.0f} ({rate['lower_quartile']:.0f}-{rate['upper_quartile']:.0f})"
        table.add_row(entry["how"], spread)
    console = Console()
    console.print(table)
    if options.save:
        console.print(f"wrote {harness.save('synthetic_cpu', rows)}")


if __name__ == "__main__":
    main()
