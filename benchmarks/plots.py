"""The results as pictures, by matplotlib: throughput against batch, share of the limit, memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stn3dmm.files import atomic_path

from .cases import BACKWARD, FORWARD, IMAGE, OURS
from .record import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
MOST_COLUMNS = 6  # of panels in a picture
COLOURS = ("#0b6e4f", "#c1440e", "#31588a", "#8a6d3b", "#7b3f8c", "#5c5c5c", "#b5a400", "#00838f")


def draw(results: Results, folder: Path) -> list[Path]:
    """Writes throughput.png, limit.png and memory.png; those for which there is nothing to show are left out."""
    import matplotlib

    matplotlib.use("Agg")
    figures = {"throughput": throughput(results), "limit": limit(results), "memory": memory(results)}
    written = []
    for name, figure in figures.items():
        if figure is None:
            continue
        path = folder / f"{name}.png"
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=130, bbox_inches="tight")
        written.append(path)
    return written


def throughput(results: Results) -> Figure | None:
    """A panel for each kind of case that was measured at several batches: images a second of every contestant.

    What was measured with its backward too is shown with it alone, and without the gradient to the image.
    """
    cases = [case for case in results.cases if case["work"] != IMAGE and not _has_backward(case, results)]
    panels = {name: rows for name, rows in _kinds(cases).items() if len(rows) > 1}
    if not panels:
        return None
    names = _contestants([row for rows in panels.values() for row in rows])
    figure, axes = _panels(len(panels))
    for axis, (title, rows) in zip(axes, panels.items(), strict=True):
        for name in names:
            shown = [row for row in rows if name in row["contestants"]]
            batches = [row["sizes"]["B"] for row in shown]
            rates = [1e3 * batch / _median(row, name) for batch, row in zip(batches, shown, strict=True)]
            axis.plot(batches, rates, marker="o", markersize=3, color=_colour(names, name))
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_title(title, fontsize=7)
        axis.tick_params(labelsize=7, which="both")
        batches = [row["sizes"]["B"] for row in rows]
        axis.set_xticks(batches, [str(batch) for batch in batches])
    figure.supxlabel("images in a batch (B)", fontsize=9)
    figure.supylabel("images a second", fontsize=9)
    _legend(figure, names)
    return figure


def limit(results: Results) -> Figure | None:
    """How much of the machine's own limit each contestant reaches that does the same work."""
    label = "per cent of the limit that memory and arithmetic set"
    return _dots(results, "share_of_limit", 100.0, label, logarithmic=False)


def memory(results: Results) -> Figure | None:
    """PyTorch's memory beyond inputs and outputs."""
    return _dots(results, "extra_bytes", 1e-6, "MB beyond inputs and outputs", logarithmic=True)


def _dots(results: Results, what: str, unit: float, label: str, logarithmic: bool) -> Figure | None:
    """A line for each case, with a dot for each contestant of which this is known; of each kind the largest batch."""
    from matplotlib.figure import Figure

    rows = [rows[-1] for rows in _kinds(results.cases).values()]
    rows = [row for row in rows if row["contestants"][OURS][what] is not None]
    if not rows:
        return None
    known = [[name for name, each in row["contestants"].items() if each[what] is not None] for row in rows]
    names = list(dict.fromkeys(name for some in known for name in some))
    figure = Figure(figsize=(8, 1.1 + 0.19 * len(rows)), layout="constrained")
    axis = figure.subplots()
    for name in reversed(names):  # ours on top
        shown = [number for number, some in enumerate(known) if name in some]
        values = [unit * rows[number]["contestants"][name][what] for number in shown]
        axis.plot(values, shown, linestyle="none", marker="o", markersize=5, color=_colour(names, name), clip_on=False)
    axis.set_yticks(range(len(rows)), [f"{row['room']}: {row['name']}" for row in rows], fontsize=7)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    if logarithmic:
        axis.set_xscale("symlog", linthresh=0.01)
    axis.set_xlim(left=0)
    axis.set_xlabel(label, fontsize=9)
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(alpha=0.3)
    _legend(figure, names)
    return figure


def _panels(count: int) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure

    columns = min(MOST_COLUMNS, math.ceil(math.sqrt(count)))
    rows = -(-count // columns)
    figure = Figure(figsize=(max(5.0, 3.2 * columns + 0.6), 2.3 * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def _legend(figure: Figure, names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    dots = [Line2D([], [], linestyle="none", marker="o", markersize=5, color=_colour(names, name)) for name in names]
    figure.legend(dots, names, loc="outside upper center", ncols=4, fontsize=8, frameon=False)


def _kinds(cases: Sequence[Row]) -> dict[str, list[Row]]:
    """Cases that differ in their batch alone, by room and the rest of the name, the smallest batch first."""
    kinds: dict[str, list[Row]] = {}
    for case in cases:
        rest = ", ".join(part for part in case["name"].split(", ") if not part.startswith("B "))
        kinds.setdefault(f"{case['room']}\n{rest}", []).append(case)
    return {name: sorted(rows, key=lambda row: int(row["sizes"]["B"])) for name, rows in kinds.items()}


def _has_backward(case: Row, results: Results) -> bool:
    """Whether this is a forward, and the same was measured with its backward."""
    longer = case["name"].replace(FORWARD, BACKWARD, 1)
    return case["work"] == FORWARD and (case["room"], longer) in results.keys


def _contestants(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row["contestants"]))


def _colour(names: Sequence[str], name: str) -> str:
    return COLOURS[names.index(name) % len(COLOURS)]


def _median(row: Row, name: str) -> float:
    return float(row["contestants"][name]["milliseconds"]["median"])
