"""`stn3dmm fit`: photographs and landmarks in, theta, overlay and flattened texture out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stn3dmm.cli.batch import Batch
from stn3dmm.cli.console import MODEL_HELP, chosen_model, progress, say, say_json
from stn3dmm.cli.sources import check_images, landmarks_of

if TYPE_CHECKING:
    from stn3dmm.fitted_face import FittedFace

PLAUSIBLE = 5.0  # standard deviations; of a million coefficients from the prior, hardly one lies beyond


def fit(
    images: Annotated[list[Path], typer.Argument(help="Photographs.")],
    landmarks: Annotated[
        list[Path] | None,
        typer.Option(
            "--landmarks",
            "-l",
            help="Landmarks: a .pts or .mat file for each photograph (repeat), a folder of them, or one CSV with the "
            "header file,x1,y1,v1,... (pixels from 0, y down, v = 0: not visible). "
            "Without this: .pts or .mat beside the photograph.",
        ),
    ] = None,
    points: Annotated[str, typer.Option(help="aflw21, ibug68, or auto: by the number of points.")] = "auto",
    model: Annotated[Path | None, typer.Option("--model", "-m", help=MODEL_HELP)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("."),
    file_format: Annotated[str, typer.Option("--format", help="Format of theta: json or npz.")] = "json",
    prior_weight: Annotated[float, typer.Option(help="Weight of sum alpha^2 against squared pixels.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Fit the model to landmarks of photographs and flatten the faces.

    For each photograph NAME it writes NAME_fit.json (theta, error in pixels), NAME_overlay.png (landmarks and mesh),
    NAME_texture.png and NAME_mask.png. A photograph that cannot be fitted is reported and gets no files; the others go
    on, and the exit code is 2.

    Example: stn3dmm fit portrait.jpg --landmarks portrait.pts --output results
    """
    from stn3dmm.files import check_folder
    from stn3dmm.fit_file import FORMATS
    from stn3dmm.fitted_face import fit_photograph
    from stn3dmm.formats.images import read_image

    if file_format not in FORMATS:
        raise ValueError(f"--format must be one of {', '.join(FORMATS)}; got {file_format!r}.")
    if not (math.isfinite(prior_weight) and prior_weight >= 0):
        raise ValueError(f"--prior-weight must be finite and not negative; got {prior_weight}.")
    check_images(images)
    check_folder(output)
    landmarks_for = landmarks_of(images, landmarks or [], points)
    morphable_model = chosen_model(model)
    batch = Batch()
    results = []
    with progress(len(images), "Fitting") as step:
        for path in images:
            step(path.name)
            with batch.attempt(path):
                photograph = read_image(path)
                face = fit_photograph(morphable_model, path.name, photograph, landmarks_for(path), prior_weight)
                files = _write(face, path.stem, output, file_format)
                results.append(_result(face, files, prior_weight))
    if as_json:
        say_json({"model": morphable_model.source, "faces": results, "failures": batch.failures})
    for result in results if not as_json else []:
        angles = result["angles"]
        say(
            f"{result['image']}: {result['error']:.2f} px; yaw {angles['yaw']:+.1f}, pitch {angles['pitch']:+.1f}, "
            f"roll {angles['roll']:+.1f} degrees -> {result['files']['fit']}"
        )
        for note in result["notes"]:
            say(f"Note: {note}")
    batch.end()


def _write(face: FittedFace, stem: str, output: Path, file_format: str) -> dict[str, Path]:
    """The files by what they hold."""
    from stn3dmm.files import atomic_paths
    from stn3dmm.fit_file import save_fit
    from stn3dmm.formats.images import write_png

    files = {name: output / f"{stem}_{name}.png" for name in ("overlay", "texture", "mask")}
    files["fit"] = output / f"{stem}_fit.{file_format}"
    pictures = face.pictures()
    with atomic_paths(list(files.values())) as temporaries:
        for name, temporary in zip(files, temporaries, strict=True):
            if name == "fit":
                save_fit(temporary, face.record)
            else:
                write_png(temporary, pictures[name])
    return files


def _result(face: FittedFace, files: dict[str, Path], prior_weight: float) -> dict[str, Any]:
    notes = []
    largest = float(abs(face.record.theta[6:]).max(initial=0.0))
    if largest > PLAUSIBLE:
        notes.append(
            f"{face.name}: an implausible shape (largest |alpha| {largest:.1f} standard deviations); raise "
            f"--prior-weight ({prior_weight:g})."
        )
    return {
        "image": face.name,
        "error": face.record.error,
        "normalised_error": face.normalised_error,
        "landmark_set": face.record.landmark_set,
        "landmarks_used": face.landmarks_used,
        "angles": face.angles._asdict(),
        "theta": face.record.theta.tolist(),
        "files": {name: str(path) for name, path in files.items()},
        "notes": notes,
    }
