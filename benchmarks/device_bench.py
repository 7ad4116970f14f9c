"""What do warp and visibility cost on a GPU, beside the chain that a good PyTorch user would write?

float32, images 3 x 224 x 224, smooth faces that fill most of them. The baseline, eager and compiled, makes the texture
and mask of `warp` without visibility. Cases are interleaved and timed by CUDA events; the bandwidth of a large copy is
measured in the same run. With --json, rows are written as they come.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

import stn3dmm_cuda
from benchmarks import baseline, harness
from tests.scenes import Size, half_cylinder, poses

CHANNELS, HEIGHT, WIDTH = 3, 224, 224
Cases = dict[str, Callable[[], object]]


@dataclasses.dataclass(frozen=True)
class Options:
    """Of the command line."""

    device: torch.device
    repeats: int
    compiled: bool
    quick: bool

    @property
    def clock(self) -> harness.Clock:
        return harness.EventClock() if self.device.type == "cuda" else harness.WALL


def sizes(options: Options) -> list[Size]:
    if options.quick:
        return [Size(2, CHANNELS, HEIGHT, WIDTH, 16, 16, 4)]
    shapes = [(B, side, K) for B in (64, 1) for side in (224, 112) for K in (10, 60, 199)]
    return [Size(B, CHANNELS, HEIGHT, WIDTH, side, side, K) for B, side, K in shapes]


def inputs(size: Size, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(image, theta, mean, basis): modes as smooth as a face's."""
    generator = torch.Generator().manual_seed(0)
    rough = torch.randn(size.K, 3, 6, 6, generator=generator)
    modes = F.interpolate(rough, (size.P, size.Q), mode="bicubic", align_corners=True)
    basis = (0.3 / size.K**0.5) * modes.flatten(2).transpose(1, 2)
    image = torch.rand(size.B, size.C, size.H, size.W, generator=generator)
    tensors = (image, poses(size), half_cylinder(size.P, size.Q), basis)
    image, theta, mean, basis = (tensor.to(device, torch.float32).contiguous() for tensor in tensors)
    return image, theta.requires_grad_(), mean, basis


def described(size: Size, timings: dict[str, harness.Timing]) -> dict[str, Any]:
    """A row: B, P, Q, K and the times."""
    return {
        **{name: getattr(size, name) for name in "BPQK"},
        "milliseconds": {name: dataclasses.asdict(timing) for name, timing in timings.items()},
    }


def copy_row(options: Options) -> dict[str, Any]:
    """Bytes read and written a second by a copy that no cache holds."""
    count = 2**20 if options.quick else 2**28
    source = torch.zeros(count, device=options.device)
    target = torch.empty_like(source)
    timing = harness.interleave({"copy": lambda: target.copy_(source)}, options.repeats, clock=options.clock)["copy"]
    return {"what": "copy", "bytes": 8 * count, "gigabytes_per_second": 8e-6 * count / timing.median,
            "milliseconds": {"copy": dataclasses.asdict(timing)}}  # fmt: skip


def warp_rows(options: Options, size: Size) -> Iterator[dict[str, Any]]:
    """Forward, then forward and backward to theta."""
    data, grid_shape = inputs(size, options.device), (size.P, size.Q)
    functions: dict[str, Callable[[], Any]] = {
        "warp": lambda: stn3dmm_cuda.warp(*data, grid_shape, visibility="none"),
        "warp hard": lambda: stn3dmm_cuda.warp(*data, grid_shape, visibility="hard"),
        "baseline": lambda: baseline.warp(*data, grid_shape),
    }
    if options.compiled:
        torch._dynamo.reset()  # each shape gets code of its own
        compiled = torch.compile(baseline.warp, dynamic=False)
        functions["compiled"] = lambda: compiled(*data, grid_shape)
    grad = torch.randn(size.B, size.C, *grid_shape, device=options.device)

    def forward(function: Callable[[], Any]) -> Callable[[], object]:
        def call() -> object:
            with torch.no_grad():
                return function()

        return call

    def step(function: Callable[[], Any]) -> Callable[[], torch.Tensor]:
        return lambda: torch.autograd.grad(function()[0], data[1], grad)[0]

    for what, way in (("warp forward", forward), ("warp forward + backward", step)):
        cases: Cases = {name: way(function) for name, function in functions.items()}
        timings = harness.interleave(cases, options.repeats, clock=options.clock)
        faster = {name: harness.ratio(timings, name, "warp") for name in ("baseline", "compiled") if name in timings}
        yield {"what": what, **described(size, timings), "times_faster_than": faster}
    ours, theirs = step(functions["warp"])(), step(functions["baseline"])()
    yield {"what": "gradient", **described(size, {}), "difference": float((ours - theirs).norm() / theirs.norm())}


def visibility_row(options: Options, size: Size) -> dict[str, Any]:
    """Hard visibility alone, of the points that warp sees."""
    with torch.no_grad():
        _, theta, mean, basis = inputs(size, options.device)
        points = baseline.points(theta, mean, basis).contiguous()
    grid_shape = (size.P, size.Q)
    cases: Cases = {"visibility": lambda: stn3dmm_cuda.visibility(points, grid_shape=grid_shape)}
    timings = harness.interleave(cases, options.repeats, clock=options.clock)
    share = float(stn3dmm_cuda.visibility(points, grid_shape=grid_shape).mean())
    return {"what": "visibility", **described(size, timings), "visible_share": share}


def rows(options: Options) -> Iterator[dict[str, Any]]:
    yield copy_row(options)
    for size in sizes(options):
        yield from warp_rows(options, size)
        if size.K <= 10:
            yield visibility_row(options, size)


def line(row: dict[str, Any]) -> str:
    """The row for a person: medians and quartiles."""
    place = f"B {row['B']}, {row['P']} x {row['Q']}, K {row['K']}: " if "B" in row else ""
    times = ", ".join(
        f"{name} {t['median']:.3f} ({t['lower_quartile']:.3f}-{t['upper_quartile']:.3f}) ms"
        for name, t in row["milliseconds"].items()
    )
    rest = [f"{row['gigabytes_per_second']:.0f} GB/s"] if "gigabytes_per_second" in row else []
    rest += [f"{value:.2f} x {name}" for name, value in row.get("times_faster_than", {}).items()]
    rest += [f"{row['visible_share']:.0%} visible"] if "visible_share" in row else []
    rest += [f"relative difference to the baseline's {row['difference']:.1e}"] if "difference" in row else []
    return f"{row['what']}: {place}{'; '.join(filter(None, [times, *rest]))}"


def parsed() -> tuple[Options, Path | None]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="one small size")
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled baseline out")
    parser.add_argument("--json", type=Path, help="the file to write")
    given = parser.parse_args()
    if given.device == "cuda" and not stn3dmm_cuda.has_cuda():
        sys.exit("device_bench: stn3dmm_cuda.has_cuda() is False. `stn3dmm doctor` tells why; --device cpu needs none.")
    return Options(torch.device(given.device), given.repeats, not given.no_compile, given.quick), given.json


def main() -> None:
    options, path = parsed()
    device = torch.cuda.get_device_name() if options.device.type == "cuda" else "cpu"
    done: list[dict[str, Any]] = []
    for row in rows(options):
        done.append(row)
        print(line(row), flush=True)
        if path is not None:
            harness.write(path, done, device=device, cuda=torch.version.cuda)


if __name__ == "__main__":
    main()
