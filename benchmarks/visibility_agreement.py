"""How often is hard visibility right, and what does it cost, next to a normal test and pixel z-buffers?

Four mean faces in up to 24 views each, framed for an image of 224 x 224: yaw from profile to profile, pitch, roll,
zooms to a quarter of the size and to four times, mostly outside the image then. The truth is the definition by brute
force in float64 at the same points, for every vertex; no vertex is left out. A second brute force, written otherwise
and over all faces, checks the first at vertices drawn at random. The z-buffers are given the bias that suits them best
in each row, and are judged on the vertices inside the image alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

import stn3dmm_cuda
from benchmarks import harness, meshes
from benchmarks import visibility_methods as methods
from benchmarks.meshes import Mesh

ZBUFFERS = (112, 224, 448)  # pixels along a side
BIASES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # image pixels
CHECKED = 5  # vertices of each pose at which the second brute force is asked
SHARE = 0.75  # of the image's height for the mesh, seen from the front


class View(NamedTuple):
    """Where a mesh is seen from; angles in degrees, the shift in pixels."""

    group: str
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


VIEWS = (
    *(View("yaw", yaw) for yaw in range(-90, 91, 15)),
    *(View("pitch, roll", yaw, pitch) for yaw in (0, 40) for pitch in (-35, 35)),
    *(View("pitch, roll", yaw, pitch, roll) for yaw, pitch, roll in ((-25, 10, 45), (60, -15, 90))),
    *(View("zoom", yaw, 5, 3, zoom) for yaw, zoom in ((-50, 0.25), (20, 0.5))),
    *(View("zoom", yaw, 5, 3, zoom, (30.0, -20.0)) for yaw, zoom in ((20, 2.0), (-50, 4.0))),
    View("zoom", 35, shift=(110.0, 60.0)),
)
LARGE = 20_000  # vertices; such a mesh leaves out every second yaw angle, since brute force takes seconds
TIMED = View("yaw", 30)


def posed(mesh: Mesh, view: View) -> torch.Tensor:
    """(N, 3) pixels, float32: what the operators make of the mesh."""
    low, high = mesh.vertices.amin(dim=0), mesh.vertices.amax(dim=0)
    centred = (mesh.vertices - (low + high) / 2).float()
    yaw, pitch, roll = (torch.zeros(1, 3).index_fill(1, torch.tensor([axis]), 1.0) for axis in (1, 0, 2))
    turns = [(roll, view.roll), (pitch, view.pitch), (yaw, view.yaw)]
    each = [stn3dmm_cuda.axis_angle_to_matrix(math.radians(angle) * axis) for axis, angle in turns]
    centre = (methods.IMAGE_SIDE - 1) / 2
    translation = torch.tensor([[centre + view.shift[0], centre + view.shift[1]]])
    scale = torch.tensor([view.zoom * SHARE * methods.IMAGE_SIDE / float(high[1] - low[1])])
    return stn3dmm_cuda.project(centred[None], each[0] @ each[1] @ each[2], translation, scale)[0]


def visible(mesh: Mesh, points: torch.Tensor) -> torch.Tensor:
    """(N,) bool, by the operator that is measured."""
    seen: torch.Tensor = stn3dmm_cuda.visibility(points[None], **mesh.topology, tolerance=methods.TOLERANCE)[0] > 0
    return seen


def judge(mesh: Mesh, view: View, generator: torch.Generator) -> dict[str, Any]:
    """How many vertices of one view each method gets right, and why ours got others wrong."""
    points = posed(mesh, view)
    expected = methods.truth(points, mesh.faces)
    exact = points.double()
    drawn = torch.randint(0, len(points), (CHECKED,), generator=generator).tolist()
    facing = methods.facing(points, mesh.faces)
    missed = (visible(mesh, points) != expected).nonzero().flatten().tolist()
    inside = methods.in_image(points)
    row = {
        **view._asdict(),
        "vertices": len(points),
        "inside": int(inside.sum()),
        "visible": int(expected.sum()),
        "ours_wrong": len(missed),
        "reasons": [methods.within_rounding(exact, mesh.faces, n) for n in missed],
        "brute_forces_differ": sum(methods.by_hand(exact, mesh.faces, n) != bool(expected[n]) for n in drawn),
        "drawn": len(drawn),
        "drawn_within_rounding": sum(methods.within_rounding(exact, mesh.faces, n) is not None for n in drawn),
        "normal_wrong": int((facing != expected).sum()),
    }
    for side in ZBUFFERS:
        before = methods.depth_before(points, mesh.faces, side)
        for name, condition in (("zbuffer", torch.ones_like(facing)), ("zbuffer_and_normal", facing)):
            wrong = [int(((condition & (before <= bias)) != expected)[inside].sum()) for bias in BIASES]
            row[f"{name}_{side}_wrong"] = wrong  # per bias
    return row


def summarise(mesh: Mesh, group: str, views: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of the table: shares of the vertices of all views of a group."""
    total, inside = sum(view["vertices"] for view in views), sum(view["inside"] for view in views)
    reasons = [reason for view in views for reason in view["reasons"]]
    row: dict[str, Any] = {
        "mesh": mesh.name,
        "group": group,
        "views": len(views),
        "vertices": total,
        "visible": sum(view["visible"] for view in views) / total,
        "ours": 1 - len(reasons) / total,
        "ours_worst_view": 1 - max(view["ours_wrong"] / view["vertices"] for view in views),
        "ours_wrong": len(reasons),
        "ours_wrong_beyond_rounding": reasons.count(None),
        "reasons": {reason: reasons.count(reason) for reason in ("facing", "edge", "depth")},
        "brute_forces_differ": sum(view["brute_forces_differ"] for view in views),
        "drawn": sum(view["drawn"] for view in views),
        "drawn_within_rounding": sum(view["drawn_within_rounding"] for view in views),
        "normal": 1 - sum(view["normal_wrong"] for view in views) / total,
    }
    for name in (f"{kind}_{side}" for kind in ("zbuffer", "zbuffer_and_normal") for side in ZBUFFERS):
        wrong = [sum(each) for each in zip(*(view[f"{name}_wrong"] for view in views), strict=True)]
        row[name] = 1 - min(wrong) / inside
        row[f"{name}_bias"] = BIASES[wrong.index(min(wrong))]
    return {**row, "poses": views}


def measure(mesh: Mesh) -> list[dict[str, Any]]:
    """One row a group of views."""
    generator = torch.Generator().manual_seed(0)
    chosen = [view for view in VIEWS if len(mesh.vertices) < LARGE or view.group != "yaw" or view.yaw % 30 == 0]
    views = [judge(mesh, view, generator) for view in track(chosen, mesh.name, transient=True)]
    groups = list(dict.fromkeys(view.group for view in VIEWS))
    return [summarise(mesh, group, [view for view in views if view["group"] == group]) for group in groups]


def cost(mesh: Mesh, repeats: int) -> dict[str, Any]:
    """Milliseconds of each method on one thread, of processor time."""
    points = posed(mesh, TIMED)
    cases: dict[str, Callable[[], object]] = {
        "ours": partial(visible, mesh, points),
        "normal": partial(methods.facing, points, mesh.faces),
    }
    for side in ZBUFFERS:
        cases[f"zbuffer_{side}"] = lambda side=side: methods.depth_before(points, mesh.faces, side) <= 1.0  # type: ignore[misc]
    timings = harness.interleave(cases, repeats, clock=harness.ThreadClock())
    return {
        "mesh": mesh.name,
        "N": len(points),
        "F": len(mesh.faces),
        "yaw_degrees": TIMED.yaw,
        "milliseconds": {name: dataclasses.asdict(timing) for name, timing in timings.items()},
    }


def agreement_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="per cent of vertices judged rightly (z-buffers: best bias in pixels / with the normal test)")
    for heading in ("mesh", "views", "seen", "ours", "worst view", "wrong (beyond rounding)", "normal test"):
        table.add_column(heading, justify="right")
    for side in ZBUFFERS:
        table.add_column(f"z-buffer {side}", justify="right")
    for row in rows:
        buffers = [
            f"{row[f'zbuffer_{side}']:.1%} ({row[f'zbuffer_{side}_bias']:g}) / {row[f'zbuffer_and_normal_{side}']:.1%}"
            for side in ZBUFFERS
        ]
        table.add_row(
            row["mesh"],
            f"{row['views']} {row['group']}",
            f"{row['visible']:.0%}",
            f"{row['ours']:.4%}",
            f"{row['ours_worst_view']:.3%}",
            f"{row['ours_wrong']} ({row['ours_wrong_beyond_rounding']})",
            f"{row['normal']:.1%}",
            *buffers,
        )
    return table


def cost_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="ms of processor time, one thread, at a yaw of 30 degrees (median, quartiles)")
    for heading in ("mesh", "vertices", "faces", *rows[0]["milliseconds"]):
        table.add_column(heading, justify="right")
    for row in rows:
        spreads = [
            f"{t['median']:.2f} ({t['lower_quartile']:.2f}-{t['upper_quartile']:.2f})"
            for t in row["milliseconds"].values()
        ]
        table.add_row(row["mesh"], str(row["N"]), str(row["F"]), *spreads)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/visibility_agreement.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=185)
    found = meshes.available(lambda reason: console.print(f"[yellow]skipped[/yellow] {reason}"))
    agreement = [row for mesh in found for row in measure(mesh)]
    console.print(agreement_table(agreement))
    costs = [cost(mesh, options.repeats) for mesh in found]
    console.print(cost_table(costs))
    drawn, differ, excusable = (
        sum(row[name] for row in agreement) for name in ("drawn", "brute_forces_differ", "drawn_within_rounding")
    )
    console.print(
        f"of {drawn} vertices drawn at random: the brute forces differ at {differ}, rounding may decide {excusable}"
    )
    if options.save:
        console.print(f"wrote {harness.save('visibility_agreement', [*agreement, *costs])}")


if __name__ == "__main__":
    main()
