"""What does drawing a face cost on one core, and what does it cost in plain PyTorch?

The embedded mean face, turned by 30 degrees, one image, float32, one thread: forward, and forward with the gradient of
a weighted sum of depth and barycentrics to the points, in milliseconds of that thread's processor time. The baseline is
a z-buffer without loops: every pixel of every face's box is a candidate, the deepest of those that the face covers
wins. It gives the same picture but for pixels on an edge, whose share is recorded.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from stn3dmm.embedded import embedded_model

import stn3dmm_cuda
from benchmarks import harness
from stn3dmm_cuda import Fragments

YAW = 30  # degrees
GRIDS = ((112, 112), (224, 224))
SIDES = (112, 224, 448)  # pixels

Rasterizer = Callable[[torch.Tensor, torch.Tensor, tuple[int, int]], Fragments]


def points(grid_shape: tuple[int, int], side: int) -> torch.Tensor:
    """(1, N, 3) pixels: the mean face, turned, in the middle of the image, 0.7 of its height."""
    mean, _ = embedded_model(grid_shape).tensors()
    rotation = stn3dmm_cuda.axis_angle_to_matrix(torch.tensor([[0.0, math.radians(YAW), 0.0]]))
    turned = stn3dmm_cuda.project(mean[None], rotation, torch.zeros(1, 2), torch.ones(1))
    low, high = turned[0, :, 1].aminmax()
    middle = (turned[0].amin(dim=0) + turned[0].amax(dim=0)) / 2
    return (turned - middle) * (0.7 * side / (high - low)) + torch.tensor([side / 2, side / 2, 0.0])


def zbuffer(points: torch.Tensor, faces: torch.Tensor, image_size: tuple[int, int]) -> Fragments:
    """The baseline: points (1, N, 3), faces (F, 3); both windings are drawn, ties go to the lowest face."""
    H, W = image_size
    with torch.no_grad():
        face, pixel, depth = _candidates(points[0], faces, H, W)
        deepest = depth.new_full((H * W,), -torch.inf).scatter_reduce(0, pixel, depth, "amax")
        wins = depth == deepest[pixel]
        none = len(faces)
        winner = face.new_full((H * W,), none).scatter_reduce(0, pixel[wins], face[wins], "amin")
        shown = (winner < none).nonzero().flatten()
    corners = points[0, faces[winner[shown]]]
    at = torch.stack((shown % W, shown // W), dim=1).to(points)
    inside = _barycentric(corners, at)
    barycentric = points.new_zeros(H * W, 3).index_put((shown,), inside)
    depths = points.new_zeros(H * W).index_put((shown,), (inside * corners[..., 2]).sum(dim=1))
    drawn = torch.where(winner < none, winner, -1)
    return Fragments(drawn.reshape(1, H, W), barycentric.reshape(1, H, W, 3), depths.reshape(1, H, W))


def _candidates(points: torch.Tensor, faces: torch.Tensor, H: int, W: int) -> tuple[torch.Tensor, ...]:
    """Of every pixel that a face covers: the face, the pixel and the depth there."""
    corners = points[faces]
    last = torch.tensor([W - 1, H - 1])
    low = corners[..., :2].amin(dim=1).ceil().long().clamp_min(0)
    high = torch.minimum(corners[..., :2].amax(dim=1).floor().long(), last)
    columns, rows = (high - low + 1).clamp_min(0).unbind(1)
    count = columns * rows
    face = torch.repeat_interleave(count)
    place = torch.arange(len(face)) - (count.cumsum(0) - count)[face]
    across = columns[face]
    x, y = low[face, 0] + place % across, low[face, 1] + place // across
    inside = _barycentric(corners[face], torch.stack((x, y), dim=1).to(points))
    covered = (inside >= 0).all(dim=1)  # false for NaN, of faces without area
    depth = (inside * corners[face, :, 2]).sum(dim=1)
    return face[covered], (y * W + x)[covered], depth[covered]


def _barycentric(corners: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """(n, 3) of the places `at` (n, 2) in triangles (n, 3, 2 or 3)."""
    away = corners[..., :2] - at[:, None]
    (ax, ay), (bx, by), (cx, cy) = (corner.unbind(1) for corner in away.unbind(1))
    areas = torch.stack((bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx), dim=1)
    return areas / areas.sum(dim=1, keepdim=True)


def measure(grid_shape: tuple[int, int], side: int, repeats: int) -> dict[str, Any]:
    """One row of the table."""
    placed, faces = points(grid_shape, side), stn3dmm_cuda.grid_faces(grid_shape)
    leaf = placed.clone().requires_grad_()
    weights = torch.rand(1, side, side, 4, generator=torch.Generator().manual_seed(0))

    def forward(draw: Rasterizer) -> Callable[[], object]:
        return lambda: draw(placed, faces, (side, side))

    def both(draw: Rasterizer) -> Callable[[], object]:
        def step() -> torch.Tensor:
            fragments = draw(leaf, faces, (side, side))
            loss = (fragments.depth * weights[..., 3]).sum() + (fragments.barycentric * weights[..., :3]).sum()
            (gradient,) = torch.autograd.grad(loss, leaf)
            return gradient

        return step

    methods: dict[str, Rasterizer] = {"rasterize": stn3dmm_cuda.rasterize, "baseline": zbuffer}
    cases = {f"{name} {way.__name__}": way(draw) for name, draw in methods.items() for way in (forward, both)}
    timings = harness.interleave(cases, repeats, clock=harness.ThreadClock())
    ours, theirs = (draw(placed, faces, (side, side)).face for draw in methods.values())
    return {
        "P": grid_shape[0],
        "Q": grid_shape[1],
        "side": side,
        "covered_share": float((ours >= 0).double().mean()),
        "differing_share": float((ours != theirs).double().mean()),
        "milliseconds": {name: dataclasses.asdict(timing) for name, timing in timings.items()},
        "speed_up": {way: harness.ratio(timings, f"baseline {way}", f"rasterize {way}") for way in ("forward", "both")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/rasterize_cpu.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(grid_shape, side, options.repeats) for grid_shape in GRIDS for side in SIDES]
    result = Table(title="one face drawn by one thread (ms of its processor time: median, quartiles)")
    for heading in ("P x Q", "image", "forward", "and backward", "x baseline", "x and backward", "differ"):
        result.add_column(heading, justify="right")
    for row in rows:
        times = [row["milliseconds"][f"rasterize {way}"] for way in ("forward", "both")]
        spreads = [f"{t['median']:.2f} ({t['lower_quartile']:.2f}-{t['upper_quartile']:.2f})" for t in times]
        gains = [f"{row['speed_up'][way]:.1f}" for way in ("forward", "both")]
        size = f"{row['side']} x {row['side']}"
        result.add_row(f"{row['P']} x {row['Q']}", size, *spreads, *gains, f"{row['differing_share']:.2%}")
    console = Console(width=110)
    console.print(result)
    if options.save:
        console.print(f"wrote {harness.save('rasterize_cpu', rows)}")


if __name__ == "__main__":
    main()
