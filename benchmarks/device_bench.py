"""The part of the suite that a device check has time for: warp and visibility, the most telling cases first.

Cases, baselines, clocks and the file are those of `stn3dmm bench`; whatever is not measured when time is up is missing
from the file, which is written after every case.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

import stn3dmm_cuda

from . import ceilings
from .cases import BACKWARD, FORWARD, OURS, Case
from .environment import environment
from .harness import Effort
from .record import Results
from .suite import Settings, chosen, run


def cases(quick: bool) -> list[Case]:
    """B = 64 before 1, 224 x 224 before 112 x 112, few modes before many; visibility beside the fewest."""
    if quick:
        return [case for case in chosen(("visibility", "warp"), True) if case.sizes["B"] < 64]
    wanted = [
        case
        for case in chosen(("visibility", "warp"), False)
        if case.sizes["B"] in (1, 64) and case.work in (FORWARD, BACKWARD) and _plain(case)
    ]
    return sorted(wanted, key=lambda case: (-case.sizes["B"], -case.sizes["P"], case.sizes.get("K", 10)))


def _plain(case: Case) -> bool:
    """Hard visibility of a grid at common poses; warp with hard visibility or without."""
    if case.room == "visibility":
        return dict(case.options) == {"mode": "hard", "mesh": "grid"}
    return case.options["visibility"] in ("none", "hard")


def line(row: dict[str, Any]) -> str:
    """The row for a person: medians and quartiles."""
    times = []
    for name, contestant in row["contestants"].items():
        t, slower = contestant["milliseconds"], contestant["times_slower"]["median"]
        than = "" if name == OURS else f", {slower:.2f} x"
        times.append(f"{name} {t['median']:.3f} ({t['lower_quartile']:.3f}-{t['upper_quartile']:.3f}) ms{than}")
    rest = [f"{name} absent: {why}" for name, why in row["absent"].items()]
    if row["difference_to_baseline"] is not None:
        rest.append(f"relative difference to the baseline's {row['difference_to_baseline']:.1e}")
    return f"{row['room']}, {row['name']}: {'; '.join([*times, *rest])}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="a few small cases")
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled baseline out")
    parser.add_argument("--json", type=Path, help="the file to write")
    given = parser.parse_args()
    if given.device == "cuda" and not stn3dmm_cuda.has_cuda():
        sys.exit("device_bench: stn3dmm_cuda.has_cuda() is False. `stn3dmm doctor` tells why; --device cpu needs none.")
    device = torch.device(given.device)
    effort = Effort(least=min(10, given.repeats), most=given.repeats, seconds=0.5)
    limits = ceilings.measured(device, effort)
    print(f"copy: {limits.copy / 1e9:.0f} GB/s; float32: {limits.float32 / 1e12:.1f} TFLOP/s", flush=True)
    results = Results(environment(device), limits, given.quick)

    def keep() -> None:
        if given.json is not None:
            results.write(given.json)
        if results.cases and not results.complete:
            print(line(results.cases[-1]), flush=True)

    run(cases(given.quick), Settings(device, effort, not given.no_compile), results, keep, lambda _: None)


if __name__ == "__main__":
    main()
