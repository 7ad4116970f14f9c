"""`stn3dmm demo`: the whole of it on one photograph, with a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from stn3dmm.cli.console import MODEL_HELP, chosen_model, progress, say, say_json


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("demo-report"),
    model: Annotated[Path | None, typer.Option("--model", "-m", help=MODEL_HELP)] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", "-d", help="The authors' demodata.mat or its folder: their six photographs instead."),
    ] = None,
    steps: Annotated[
        int, typer.Option("--steps", min=0, help="Steps of the training of a localiser; 0 = no training.")
    ] = 3200,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Fit and flatten a photograph that comes with scikit-image, train a localiser, write report.html and pictures.

    The localiser learns on synthetic faces of the embedded model, for about two minutes on two cores, is measured on
    others, and flattens thirty photographs of one person, whose mean is shown beside the truth.

    Example: stn3dmm demo --output demo

    With the authors' material: stn3dmm demo --model bas2017/model.mat --data bas2017
    """
    from stn3dmm.demo import astronaut, authors_photographs, fit_all, write_demo
    from stn3dmm.files import check_folder

    check_folder(output)
    start = time.perf_counter()
    photographs = [astronaut()] if data is None else authors_photographs(data)
    morphable_model = chosen_model(model)
    with progress(len(photographs), "Fitting") as step:
        faces = list(fit_all(morphable_model, photographs, step))
    training = _training(output, steps) if steps else None
    written = write_demo(output, morphable_model, faces, training)
    seconds = time.perf_counter() - start
    if as_json:
        results = [{"image": face.name, "error": face.record.error, "angles": face.angles._asdict()} for face in faces]
        figures = None if training is None else {name: training[name] for name in training if name != "pictures"}
        say_json({"faces": results, "training": figures, "seconds": seconds, "files": [str(path) for path in written]})
        return
    for face in faces:
        angles = face.angles
        say(
            f"{face.name}: {face.record.error:.2f} px mean landmark error; yaw {angles.yaw:+.1f}, "
            f"pitch {angles.pitch:+.1f}, roll {angles.roll:+.1f} degrees"
        )
    if training is not None:
        say(
            f"localiser: {training['before']:.2f} % normalised mean error before training, {training['after']:.2f} % "
            f"after {training['seconds']:.0f} s, on {training['count']} faces that it has not seen"
        )
        person = training["person"]
        say(
            f"one person: mean of {person['views']} flattened photographs {person['mean']:.1f} dB from the truth, best "
            f"single one {person['best']:.1f} dB"
        )
    say(f"{len(written)} files in {seconds:.1f} s; open {written[-1]}")


def _training(output: Path, steps: int) -> dict[str, Any]:
    """Trains a localiser; what the report tells of it."""
    from stn3dmm.cli.train import training_progress
    from stn3dmm.demo.one_person import one_person
    from stn3dmm.demo.training import demo_config, described, train_demo

    with training_progress(steps) as watch:
        demo = train_demo(output / "localiser", demo_config(steps), watch)
    return described(demo, one_person(demo.localiser))
