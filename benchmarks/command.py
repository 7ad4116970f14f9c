"""`python -m benchmarks`: the command `stn3dmm bench` with the benchmarks of this folder."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

INSTALLED = "stn3dmm_benchmarks"  # the name of this package in an installation


def take_the_place_of_the_installed() -> None:
    """Makes the command, which imports the installed name, run this folder, whatever is installed."""
    folder = Path(__file__).parent
    spec = importlib.util.spec_from_file_location(
        INSTALLED, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    sys.modules[INSTALLED] = importlib.util.module_from_spec(spec)


def main(rooms: Sequence[str] = ()) -> None:
    """Runs the command with the arguments of this process, for these rooms if there are any; ends the process."""
    from stn3dmm.cli import app

    take_the_place_of_the_installed()
    app(prog_name="stn3dmm", args=["bench", *rooms, *sys.argv[1:]])
