"""The pictures show what the results hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import plots

from .result_files import results, row

pytest.importorskip("matplotlib")


def test_plots_show_throughput_against_batch() -> None:
    """Eight images in 2 ms are 4,000 a second."""
    rows = [row([b * 0.25e-3] * 3, [b * 1e-3] * 3, name=f"forward, B {b}") for b in (8, 1)]
    figure = plots.throughput(results(*rows))
    assert figure is not None
    (axis,) = figure.axes
    assert [line.get_xdata().tolist() for line in axis.lines] == [[1, 8], [1, 8]]
    assert [line.get_ydata() for line in axis.lines] == [pytest.approx([4000, 4000]), pytest.approx([1000, 1000])]


def test_plots_leave_out_what_cannot_be_shown(tmp_path: Path) -> None:
    """One batch is no line; a case without a limit has no share of it."""
    single = row([1e-3] * 3)
    single["contestants"]["stn3dmm"]["share_of_limit"] = None
    assert [path.name for path in plots.draw(results(single), tmp_path)] == ["memory.png"]


def test_plots_are_pictures(tmp_path: Path) -> None:
    names = [f"{work}, B {b}" for work in ("forward", "forward + backward") for b in (1, 8)]
    rows = [row([1e-3] * 3, [2e-3] * 3, name=name) for name in names]
    files = plots.draw(results(*rows), tmp_path / "new")
    assert [path.name for path in files] == ["throughput.png", "limit.png", "memory.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)
