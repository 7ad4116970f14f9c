"""`stn3dmm demo`: the whole of it on one photograph, with a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from stn3dmm.cli.console import MODEL_HELP, chosen_model, progress, say, say_json


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("demo-report"),
    model: Annotated[Path | None, typer.Option("--model", "-m", help=MODEL_HELP)] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", "-d", help="The authors' demodata.mat or its folder: their six photographs instead."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Fit and flatten a photograph that comes with scikit-image; write report.html and the pictures.

    Example: stn3dmm demo --output demo

    With the authors' material: stn3dmm demo --model bas2017/model.mat --data bas2017
    """
    from stn3dmm.demo import astronaut, authors_photographs, fit_all, write_demo
    from stn3dmm.files import check_folder

    check_folder(output)
    start = time.perf_counter()
    photographs = [astronaut()] if data is None else authors_photographs(data)
    morphable_model = chosen_model(model)
    with progress(len(photographs) + 1, "Fitting") as step:
        faces = list(fit_all(morphable_model, photographs, step))
        step("report")
        written = write_demo(output, morphable_model, faces)
    seconds = time.perf_counter() - start
    if as_json:
        results = [{"image": face.name, "error": face.record.error, "angles": face.angles._asdict()} for face in faces]
        say_json({"faces": results, "seconds": seconds, "files": [str(path) for path in written]})
        return
    for face in faces:
        angles = face.angles
        say(
            f"{face.name}: {face.record.error:.2f} px mean landmark error; yaw {angles.yaw:+.1f}, "
            f"pitch {angles.pitch:+.1f}, roll {angles.roll:+.1f} degrees"
        )
    say(f"{len(written)} files in {seconds:.1f} s; open {written[-1]}")
