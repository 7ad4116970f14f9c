"""`stn3dmm flatten`: photographs and where their faces are in, textures and masks out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stn3dmm.cli.batch import Batch
from stn3dmm.cli.console import MODEL_HELP, progress, say, say_json
from stn3dmm.cli.photographs import BATCH_HELP, BOXES_HELP, CHECKPOINT_HELP, DEVICE_HELP, faces_of, note_on
from stn3dmm.cli.sources import photographs_of

if TYPE_CHECKING:
    from stn3dmm.cli.photographs import Located
    from stn3dmm.morphable_model import MorphableModel


def flatten(
    images: Annotated[list[Path], typer.Argument(help="Photographs, and folders of them.")],
    fits: Annotated[
        Path | None,
        typer.Option("--fits", "-f", help="A fit, or the folder of NAME_fit.json; beside the photograph without this."),
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", "-c", help=CHECKPOINT_HELP)] = None,
    boxes: Annotated[Path | None, typer.Option("--boxes", "-b", help=BOXES_HELP)] = None,
    model: Annotated[Path | None, typer.Option("--model", "-m", help=MODEL_HELP)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("."),
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help=BATCH_HELP)] = 8,
    device: Annotated[str, typer.Option("--device", help=DEVICE_HELP)] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Flatten photographs that have been fitted, or in which a trained localiser finds the face.

    Writes NAME_texture.png and NAME_mask.png for each, and with --checkpoint NAME_fit.json too; sub-folders are kept.
    A photograph that cannot be flattened is reported and gets no files; the others go on, and the exit code is 2.

    Example: stn3dmm flatten portrait.jpg --fits results --output results

    With a trained localiser: stn3dmm flatten photographs --checkpoint run/best.pt --output results
    """
    from stn3dmm.files import check_folder

    photographs = photographs_of(images, [output])
    check_folder(output)
    faces = faces_of(photographs, fits, checkpoint, boxes, model, batch_size, device)
    batch = Batch()
    results: list[dict[str, Any]] = []
    with progress(len(photographs), "Flattening") as step:
        for face in faces.located(photographs, batch, step):
            with batch.attempt(face.photograph.path):
                results.append(_write(face, faces.model, output))
                if not as_json:
                    seen, files = results[-1]["seen"], results[-1]["files"]
                    say(f"{face.photograph.path.name}: {100 * seen:.0f} % of the face seen -> {files['texture']}")
    if as_json:
        say_json({"model": faces.model.source, "faces": results, "failures": batch.failures})
    elif note := note_on([result["found_by"] for result in results]):
        say(note)
    batch.end()


def _write(face: Located, model: MorphableModel, output: Path) -> dict[str, Any]:
    from stn3dmm.drawing import mask_pixels, texture_pixels
    from stn3dmm.files import atomic_paths
    from stn3dmm.fit_file import save_fit
    from stn3dmm.fitted_face import flatten_record
    from stn3dmm.formats.images import write_png

    photograph = face.photograph
    texture, mask = flatten_record(face.pixels, photograph.path.name, model, face.record)
    files = {kind: photograph.result(output, kind) for kind in ("texture", "mask")}
    if face.found_by != "fit":
        files["fit"] = photograph.result(output, "fit", ".json")
    with atomic_paths(list(files.values())) as temporaries:
        write_png(temporaries[0], texture_pixels(texture[0]))
        write_png(temporaries[1], mask_pixels(mask[0]))
        for temporary in temporaries[2:]:
            save_fit(temporary, face.record)
    return {
        "image": photograph.path.name,
        "seen": float(mask.mean()),
        "found_by": face.found_by,
        "files": {name: str(file) for name, file in files.items()},
    }
