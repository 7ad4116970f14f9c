"""Draws docs/images/overfit.png from the record of benchmarks.overfit. Needs matplotlib."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib import pyplot as plt

from benchmarks import harness

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "overfit.png"
COLOURS = {"compact": "#2a6fb0", "vgg-face": "#b2352f"}


def main() -> None:
    rows = json.loads((harness.RESULTS / "overfit.json").read_text(encoding="utf-8"))["rows"]
    figure, axes = plt.subplots(figsize=(7, 3.6), dpi=110)
    for row in rows:
        steps, errors = zip(*row["curve"], strict=True)
        axes.plot(steps, errors, color=COLOURS[row["localiser"]], label=f"{row['localiser']}: {row['error']:.2f} px")
    axes.axhline(
        rows[0]["floor"], color="#5d6b7a", linestyle=":", label=f"fit of the landmarks: {rows[0]['floor']:.2f} px"
    )
    axes.set(xlabel="steps", ylabel="mean landmark error, px", yscale="log", yticks=(2, 3, 5, 10, 20, 40))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(color="#dde3ea")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(PICTURE)
    print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main()
