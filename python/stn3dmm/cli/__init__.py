"""The command line: `stn3dmm demo | fit | flatten | average | prepare | export | train | evaluate | bench | doctor`.

The commands import what they need when they run: --help answers at once, and doctor works without the operators.
"""

from __future__ import annotations

import sys

import typer

from stn3dmm.cli.application import Application
from stn3dmm.cli.average import average
from stn3dmm.cli.bench import bench
from stn3dmm.cli.demo import demo
from stn3dmm.cli.doctor import doctor
from stn3dmm.cli.evaluate import evaluate
from stn3dmm.cli.export import export
from stn3dmm.cli.fit import fit
from stn3dmm.cli.flatten import flatten
from stn3dmm.cli.prepare import prepare
from stn3dmm.cli.train import train

app = typer.Typer(
    cls=Application,
    name="stn3dmm",
    help="Fits 3D morphable models to faces and flattens photographs into their texture grid.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (demo, fit, flatten, average, prepare, export, train, evaluate, bench, doctor):
    app.command()(command)


def version_wanted(wanted: bool) -> None:
    """Prints the version and ends."""
    if wanted:
        from stn3dmm import __version__

        typer.echo(f"stn3dmm-cuda {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=version_wanted, is_eager=True, help="Show the version and end."
    ),
) -> None:
    """Fits 3D morphable models to faces and flattens photographs into their texture grid."""


def main() -> None:
    """The entry point `stn3dmm`."""
    app(prog_name="stn3dmm", args=sys.argv[1:] or ["--help"])
