"""`stn3dmm evaluate`: a trained localiser and labelled faces in, its errors out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from stn3dmm.cli.console import progress, say, say_json
from stn3dmm.cli.sources import DATA_HELP, data_set, toml_value

if TYPE_CHECKING:
    from stn3dmm.data.faces import FaceSource
    from stn3dmm.drawing import Pixels
    from stn3dmm.evaluation import Evaluation
    from stn3dmm.localised import TrainedLocaliser
    from stn3dmm.training import Checkpoint
    from stn3dmm.training.config import SourceConfig

BOTH = ("ibug68", "aflw21")
FILES = ("evaluation.json", "curve.png", "worst.png")


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="best.pt of 'stn3dmm train', or the folder of a run.")],
    data: Annotated[
        list[str] | None, typer.Option("--data", "-d", help=f"{DATA_HELP} Without it, those that the run validated by.")
    ] = None,
    options: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the data sets, as in 'length=200'; repeatable.")
    ] = None,
    points: Annotated[
        str | None, typer.Option(help="Landmarks to measure by: ibug68, aflw21 or both; those of the training without.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="The model of the training, if it is no longer where it was.")
    ] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Beside it, what the localiser answered before it was trained.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"Folder for {', '.join(FILES)}; nothing is written without.")
    ] = None,
    worst: Annotated[int, typer.Option("--worst", min=1, help="Faces in worst.png.")] = 8,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Faces at a time.")] = 32,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure a trained localiser on labelled faces: normalised mean error by yaw, as for AFLW2000-3D.

    Writes, with --output, evaluation.json (every face), curve.png (the share of faces below each error) and worst.png
    (the worst faces: landmarks labelled and found, mesh, texture, mask). Damaged photographs and labels are left out,
    reported and listed.

    Example: stn3dmm evaluate run/best.pt --data aflw2000-3d:AFLW2000 --points both --output evaluation
    """
    from stn3dmm.files import check_target
    from stn3dmm.localised import TrainedLocaliser, trained_checkpoint

    if points not in (None, "both", *BOTH):
        raise ValueError(f"--points must be ibug68, aflw21 or both; got {points!r}.")
    if output is not None:
        for name in FILES:
            check_target(output / name)
    loaded = trained_checkpoint(checkpoint)
    sources = _sources(loaded, data or [], options or [])
    subject = Subject(loaded, TrainedLocaliser.of(loaded, model, device))
    sets = BOTH if points == "both" else (points or loaded.config.data.landmark_set,)
    measured = [subject.measured(sources, name, untrained, batch_size) for name in sets]
    result = {
        "checkpoint": str(checkpoint),
        "step": loaded.step,
        "model": subject.trained.model.source,
        "data": [dataclasses.asdict(source) for source in sources],
        "image_size": list(loaded.config.data.image_size),
        "evaluations": [each.evaluation.as_dict() for each in measured],
    }
    files = (
        [] if output is None else _write(output, result, measured, [subject.worst(each, worst) for each in measured])
    )
    if as_json:
        say_json(result | {"files": files})
        return
    for each in measured:
        _tell(each.evaluation)
    if files:
        say(f"-> {', '.join(files)}")


class Measured(NamedTuple):
    """The faces of a data set and their errors by one landmark set."""

    faces: FaceSource
    evaluation: Evaluation


class Subject(NamedTuple):
    """The localiser that is measured, and what it was trained with."""

    checkpoint: Checkpoint
    trained: TrainedLocaliser

    def measured(
        self, sources: tuple[SourceConfig, ...], landmark_set: str, untrained: bool, batch_size: int
    ) -> Measured:
        """Its errors on data sets, which are opened as the training opened its own."""
        from stn3dmm.evaluation import evaluate as measure
        from stn3dmm.training.data import opened

        config, network = self.checkpoint.config, self.trained.network
        data = dataclasses.replace(config.data, landmark_set=landmark_set, in_memory=False, on_damage="skip")
        faces = opened(sources, data)
        with progress(len(faces), f"Evaluating {landmark_set}:") as step:
            evaluation = measure(
                network,
                self.trained.model,
                faces,
                network.image_size,
                landmark_set=landmark_set,
                untrained=network.head.offset if untrained else None,
                face_size=self.trained.face_size,
                batch_size=batch_size,
                workers=data.workers,
                device=network.head.offset.device,
                amp=config.run.amp,
                step=step,
            )
        return Measured(faces, evaluation)

    def worst(self, measured: Measured, count: int) -> Pixels:
        """A picture of the faces with the largest errors."""
        from stn3dmm.evaluation.pictures import worst_sheet
        from stn3dmm.objective import Objective, ObjectiveConfig

        objective = Objective(self.trained.model, ObjectiveConfig(), measured.evaluation.landmark_set)
        size, face_size = self.trained.network.image_size, self.trained.face_size
        return worst_sheet(measured.evaluation, objective, measured.faces, size, face_size=face_size, count=count)


def _sources(checkpoint: Checkpoint, data: list[str], options: list[str]) -> tuple[SourceConfig, ...]:
    from stn3dmm.training.config import SourceConfig
    from stn3dmm.training.sources import held_out

    chosen: dict[str, Any] = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"--option must be NAME=VALUE, as in 'length=200'; got {text!r}.")
        chosen[name.strip()] = toml_value(value.strip())
    found = tuple(SourceConfig(**data_set(text)) for text in data) or checkpoint.config.data.validation
    if not found:
        raise ValueError("the run validated by no data set; name one with --data KIND:PATH.")
    return tuple(
        held_out(dataclasses.replace(source, options={**source.options, **chosen}), checkpoint.config.data.sources)
        for source in found
    )


def _write(output: Path, result: dict[str, Any], measured: list[Measured], worst: list[Pixels]) -> list[str]:
    """All files, or none."""
    from stn3dmm.evaluation.evaluate import CURVE_LIMITS
    from stn3dmm.evaluation.pictures import curve_picture
    from stn3dmm.files import atomic_paths
    from stn3dmm.formats.images import write_png
    from stn3dmm.layout import beside, titled

    lines = {each.evaluation.landmark_set: each.evaluation.errors for each in measured}
    for _, evaluation in measured:
        if evaluation.untrained is not None:
            lines[f"{evaluation.landmark_set}, untrained"] = evaluation.untrained
    paths, sets = [output / name for name in FILES], [each.evaluation.landmark_set for each in measured]
    with atomic_paths(paths) as temporaries:
        temporaries[0].write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        write_png(temporaries[1], curve_picture(lines, CURVE_LIMITS))
        write_png(temporaries[2], beside([titled(sheet, name) for sheet, name in zip(worst, sets, strict=True)]))
    return [str(path) for path in paths]


def _tell(evaluation: Evaluation) -> None:
    """The table of a landmark set, in per cent."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    figures = evaluation.as_dict()
    untrained = figures["untrained"]
    table = Table(
        title=f"Normalised mean error, {evaluation.landmark_set} ({evaluation.landmarks_used} landmarks)",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("yaw, degrees")
    for name in ("faces", "error, %", *(["untrained, %"] if untrained else [])):
        table.add_column(name, justify="right")
    for number, bin_ in enumerate(figures["trained"]["bins"]):
        before = [untrained["bins"][number]["mean"]] if untrained else []
        table.add_row(_range(number), str(bin_["count"]), *map(_percent, [bin_["mean"], *before]))
    counts = (str(sum(bin_["count"] for bin_ in figures["trained"]["bins"])), *[str(figures["trained"]["count"])] * 2)
    for words, name, count in zip(
        ("mean of bins", "mean of faces", "median"), ("mean_of_bins", "mean", "median"), counts, strict=True
    ):
        before = [untrained[name]] if untrained else []
        table.add_row(words, count, *map(_percent, [figures["trained"][name], *before]))
    Console().print(table)
    unmeasured = len(evaluation.names) - evaluation.measured
    if evaluation.damaged or unmeasured:
        say(f"Left out: {len(evaluation.damaged)} damaged, {unmeasured} without visible landmarks.")


def _range(number: int) -> str:
    from stn3dmm.evaluation.metrics import YAW_BINS

    low, high = YAW_BINS[number]
    return f"over {low:g}" if number == len(YAW_BINS) - 1 else f"{low:g} to {high:g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
