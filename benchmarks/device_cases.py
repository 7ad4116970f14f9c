"""Every case of tests/cases.py once, forward and backward, in float32 and float64: what compute-sanitizer watches.

A case whose sums have two ways runs both: atomics, and the fixed order of deterministic algorithms.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

import torch

from tests.backends import BACKENDS, Backend
from tests.cases import CASES, SUMS_TO_THE_IMAGE

QUICK = ("grid", "warp of few")


def run(backend: Backend, name: str, dtype: torch.dtype, deterministic: bool) -> bool:
    """Whether the case ran to its end; prints one line."""
    what = f"{name}, {str(dtype).removeprefix('torch.')}{', deterministic' if deterministic else ''}"
    start = time.perf_counter()
    torch.use_deterministic_algorithms(deterministic)
    try:
        CASES[name](backend, dtype).gradients()
        if backend.device.type == "cuda":
            torch.cuda.synchronize()
    except Exception:
        traceback.print_exc()
        print(f"FAILED {what}", flush=True)
        return False
    finally:
        torch.use_deterministic_algorithms(False)
    print(f"ran {what}: {time.perf_counter() - start:.2f} s", flush=True)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=list(BACKENDS), default="cuda", help="a backend of the tests")
    parser.add_argument("--quick", action="store_true", help=f"only {' and '.join(QUICK)}")
    options = parser.parse_args()
    lacking = BACKENDS[options.device].missing()
    if lacking is not None:
        sys.exit(f"device_cases: no backend {options.device}: {lacking}")
    backend = BACKENDS[options.device].create()
    outcomes = [
        run(backend, name, dtype, deterministic)
        for name in (QUICK if options.quick else CASES)
        for dtype in (torch.float32, torch.float64)
        for deterministic in ((False, True) if name in SUMS_TO_THE_IMAGE else (False,))
    ]
    print(f"{sum(outcomes)} of {len(outcomes)} ran", flush=True)
    sys.exit(0 if all(outcomes) else 1)


if __name__ == "__main__":
    main()
