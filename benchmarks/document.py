"""Writes the tables of README.md and docs/performance.md from the recorded files.

`python -m benchmarks.document` rewrites what lies between `<!-- table NAME -->` and `<!-- end -->`, so that no document
quotes a time that no file holds; tests/benchmarks/test_document.py holds them to it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stn3dmm.files import write_text

from . import harness
from .cases import BACKWARD, BASELINE, FORWARD, IMAGE, OURS, STEP
from .record import load

ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "performance.md")
TWO_THREADS, ONE_THREAD = "suite_cpu", "suite_cpu_1_thread"
COMPILED, REFERENCE, ZBUFFER = "compiled", "reference", "z-buffer"
BLOCK = re.compile(r"(<!-- table (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Row = Mapping[str, Any]  # a case of a file of results
Column = Callable[[Row], str]


def _times(row: Row, name: str = OURS) -> str:
    found = row["contestants"].get(name)
    if found is None:
        return "-"
    spread = found["milliseconds"]
    low, middle, high = (_figure(spread[part]) for part in ("lower_quartile", "median", "upper_quartile"))
    return f"{middle} ({low} to {high})"


def _figure(value: float) -> str:
    """Three digits, but no more than the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _slower(name: str) -> Column:
    def cell(row: Row) -> str:
        found = row["contestants"].get(name)
        return "-" if found is None else f"{found['times_slower']['median']:.2f}"

    return cell


def _limit(row: Row) -> str:
    share = row["contestants"][OURS]["share_of_limit"]
    return "-" if share is None else f"{100 * share:.0f} %"


def _memory(*names: str) -> Column:
    def cell(row: Row) -> str:
        found = [row["contestants"].get(name) for name in names]
        return " / ".join("-" if each is None else _figure(each["extra_bytes"] / 1e6) for each in found)

    return cell


def _size(*letters: str) -> dict[str, Column]:
    def of(letter: str) -> Column:
        return lambda row: str(row["sizes"][letter])

    sizes: dict[str, Column] = {letter: of(letter) for letter in letters if letter != "grid"}
    grid: dict[str, Column] = {"P x Q": lambda row: f"{row['sizes']['P']} x {row['sizes']['Q']}"}
    return {
        letter: column
        for each in letters
        for letter, column in (grid if each == "grid" else {each: sizes[each]}).items()
    }


def _option(name: str, heading: str | None = None) -> dict[str, Column]:
    return {heading or name: lambda row: str(row["options"].get(name, ""))}


WORK: dict[str, Column] = {"work": lambda row: row["work"]}
OPERATOR: dict[str, Column] = {"operator": lambda row: f"`{row['room']}`"}
TIME: dict[str, Column] = {"ms": _times}
LIMIT: dict[str, Column] = {"of the limit": _limit}


def _against(*names: str) -> dict[str, Column]:
    return {f"x {name}": _slower(name) for name in names}


@dataclasses.dataclass(frozen=True)
class Table:
    """Some cases of a recorded file."""

    record: str  # benchmarks/results/<record>.json
    chosen: Callable[[Row], bool]
    columns: Mapping[str, Column]

    def lines(self) -> list[str]:
        rows = [row for row in load(harness.RESULTS / f"{self.record}.json").cases if self.chosen(row)]
        cells = [[column(row) for column in self.columns.values()] for row in rows]
        head = [list(self.columns), ["---"] * len(self.columns)]
        return [f"| {' | '.join(line)} |" for line in [*head, *cells]]


def _is(
    room: str, work: str | tuple[str, ...] = (FORWARD, BACKWARD, IMAGE, STEP), **wanted: object
) -> Callable[[Row], bool]:
    """Of this room and work, and each size or option equal to what is wanted, or among it."""
    works = (work,) if isinstance(work, str) else work

    def fits(row: Row) -> bool:
        given = {**row["options"], **row["sizes"]}
        return (
            row["room"] == room
            and row["work"] in works
            and all(given.get(name) in (want if isinstance(want, tuple) else (want,)) for name, want in wanted.items())
        )

    return fits


def _any(*choices: Callable[[Row], bool]) -> Callable[[Row], bool]:
    return lambda row: any(choice(row) for choice in choices)


WARP = _size("B", "grid", "K") | TIME | LIMIT | _against(BASELINE, COMPILED)
WARP_MEMORY = {"extra MB: warp / baseline / compiled": _memory(OURS, BASELINE, COMPILED)}

TABLES = {
    "readme": Table(
        TWO_THREADS,
        _is("warp", BACKWARD, visibility="none", B=8, K=(10, 199)),
        _size("B", "grid", "K") | TIME | {"x eager PyTorch": _slower(BASELINE), "x compiled": _slower(COMPILED)},
    ),
    "readme-visibility": Table(
        ONE_THREAD,
        _is("visibility", FORWARD, B=1, P=112, mode="hard", mesh="grid", yaw=(0, 30, 60, 90)),
        _size("grid") | _option("yaw", "yaw, degrees") | TIME,
    ),
    "warp": Table(TWO_THREADS, _is("warp", BACKWARD, visibility="none"), WARP | WARP_MEMORY),
    "warp-forward": Table(TWO_THREADS, _is("warp", FORWARD, visibility="none", K=(10, 60)), WARP),
    "warp-image": Table(
        TWO_THREADS,
        _is("warp", IMAGE, visibility="none", K=10),
        _size("B", "grid", "K") | TIME | LIMIT | _against(BASELINE),
    ),
    "warp-visibility": Table(
        TWO_THREADS,
        _is("warp", BACKWARD, visibility=("hard", "soft"), K=10),
        _size("B", "grid", "K") | _option("visibility") | TIME | LIMIT | _against(BASELINE),
    ),
    "operators": Table(
        TWO_THREADS,
        _any(
            _is("pose", (FORWARD, BACKWARD), B=(1, 64), K=10),
            _is("vertices", (FORWARD, BACKWARD), B=(1, 64), P=112, K=10),
            *(_is(room, (FORWARD, BACKWARD), B=(1, 64), P=112) for room in ("project", "grid", "sample")),
        ),
        OPERATOR | WORK | _size("B") | TIME | LIMIT | _against(BASELINE, COMPILED),
    ),
    "training-step": Table(
        TWO_THREADS, _is("training_step"), {"case": lambda row: row["name"]} | TIME | _against(BASELINE)
    ),
    "visibility-yaw": Table(
        ONE_THREAD,
        _is("visibility", FORWARD, B=1, mode="hard", mesh="grid", yaw=(0, 30, 60, 90)),
        _size("grid") | _option("yaw", "yaw, degrees") | TIME | LIMIT | _against(BASELINE, ZBUFFER),
    ),
    "visibility": Table(
        ONE_THREAD,
        lambda row: row["room"] == "visibility" and "yaw" not in row["options"],
        _size("B", "grid")
        | _option("mesh")
        | _option("mode")
        | WORK
        | TIME
        | LIMIT
        | _against(BASELINE, COMPILED, ZBUFFER),
    ),
    "rasterize": Table(
        ONE_THREAD,
        _is("rasterize", P=(112, 224)),
        _size("B", "grid") | _option("drawn") | WORK | TIME | LIMIT | _against(BASELINE),
    ),
    "losses": Table(
        ONE_THREAD,
        _is("losses", BACKWARD, P=112),
        _option("loss") | _option("masks") | _size("B") | TIME | LIMIT | _against(BASELINE, COMPILED, REFERENCE),
    ),
}


def documented(text: str) -> str:
    """The document with its tables as the files have them."""
    return BLOCK.sub(
        lambda found: "\n".join([found[1].rstrip(), "", *TABLES[found["name"]].lines(), "", found[3]]), text
    )


def main() -> None:
    for path in DOCUMENTS:
        write_text(path, documented(path.read_text()))


if __name__ == "__main__":
    main()
