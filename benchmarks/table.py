"""The results for people: a table for each room."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from .cases import OURS
from .record import Results

WIDTH = 130  # characters of the widest table, where the output is no terminal


def console_for_tables() -> Console:
    """As wide as the terminal; elsewhere wide enough."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def say_results(results: Results) -> None:
    """Machine, ceilings and tables on stdout."""
    console = console_for_tables()
    console.print(heading(results), highlight=False)
    for room in dict.fromkeys(case["room"] for case in results.cases):
        console.print(table(room, [case for case in results.cases if case["room"] == room]))


def heading(results: Results) -> str:
    facts, ceilings = results.environment, results.ceilings
    device = facts["processor"] if facts["device"] == "cpu" else facts["device"]
    return (
        f"{device}, {facts['threads']} threads, {facts['instruction_set']}, PyTorch {facts['torch']}, "
        f"commit {facts['commit']}\n"
        f"copies {ceilings.copy / 1e9:.3g} GB/s, float32 {ceilings.float32 / 1e12:.3g} TFLOP/s, "
        f"last-level cache {ceilings.cache / 2**20:.0f} MiB"
    )


def table(room: str, cases: list[dict[str, Any]]) -> Table:
    """One line a case; columns for whatever it is compared with."""
    others = list(dict.fromkeys(name for case in cases for name in case["contestants"] if name != OURS))
    result = Table(title=room, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    result.add_column("case")
    for heading in (
        "ms (quartiles)",
        "of the limit",
        *(f"x {name}" for name in others),
        "MB of tensors: ours / others",
    ):
        result.add_column(heading, justify="right")
    for case in cases:
        ours = case["contestants"][OURS]
        result.add_row(
            case["name"],
            _spread(ours["milliseconds"]),
            "-" if ours["share_of_limit"] is None else f"{100 * ours['share_of_limit']:.0f} %",
            *(_slower(case["contestants"].get(name)) for name in others),
            " / ".join(_megabytes(case["contestants"].get(name)) for name in (OURS, *others)),
        )
    return result


def _spread(values: dict[str, float]) -> str:
    return f"{values['median']:.3g} ({values['lower_quartile']:.3g}-{values['upper_quartile']:.3g})"


def _slower(contestant: dict[str, Any] | None) -> str:
    return "-" if contestant is None else _spread(contestant["times_slower"])


def _megabytes(contestant: dict[str, Any] | None) -> str:
    return "-" if contestant is None or contestant["extra_bytes"] is None else f"{contestant['extra_bytes'] / 1e6:.3g}"
