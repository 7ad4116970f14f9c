"""`stn3dmm fit`: photographs and landmarks in, theta, overlay and flattened texture out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stn3dmm.cli.console import MODEL_HELP, chosen_model, progress, say, say_json
from stn3dmm.cli.sources import check_images, landmarks_of

if TYPE_CHECKING:
    from stn3dmm.fitted_face import FittedFace


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
    NAME_texture.png and NAME_mask.png.

    Example: stn3dmm fit portrait.jpg --landmarks portrait.pts --output results
    """
    from stn3dmm.fit_file import FORMATS
    from stn3dmm.fitted_face import fit_photograph
    from stn3dmm.formats.images import read_image

    if file_format not in FORMATS:
        raise ValueError(f"--format must be one of {', '.join(FORMATS)}; got {file_format!r}.")
    check_images(images)
    annotations = landmarks_of(images, landmarks or [], points)
    morphable_model = chosen_model(model)
    results = []
    with progress(len(images), "Fitting") as step:
        for path, annotation in zip(images, annotations, strict=True):
            step(path.name)
            face = fit_photograph(morphable_model, path.name, read_image(path), annotation, prior_weight)
            results.append(_write(face, path.stem, output, file_format))
    if as_json:
        say_json({"model": morphable_model.source, "faces": results})
        return
    for result in results:
        angles = result["angles"]
        say(
            f"{result['image']}: {result['error']:.2f} px; yaw {angles['yaw']:+.1f}, pitch {angles['pitch']:+.1f}, "
            f"roll {angles['roll']:+.1f} degrees -> {result['files']['fit']}"
        )


def _write(face: FittedFace, stem: str, output: Path, file_format: str) -> dict[str, Any]:
    from stn3dmm.fit_file import save_fit
    from stn3dmm.formats.images import write_png

    files = {name: output / f"{stem}_{name}.png" for name in ("overlay", "texture", "mask")}
    files["fit"] = output / f"{stem}_fit.{file_format}"
    pictures = face.pictures()
    for name in ("overlay", "texture", "mask"):
        write_png(files[name], pictures[name])
    save_fit(files["fit"], face.record)
    return {
        "image": face.name,
        "error": face.record.error,
        "normalised_error": face.normalised_error,
        "landmark_set": face.record.landmark_set,
        "landmarks_used": face.landmarks_used,
        "angles": face.angles._asdict(),
        "theta": face.record.theta.tolist(),
        "files": {name: str(path) for name, path in files.items()},
    }
