"""`stn3dmm flatten`: photographs and their fits in, textures and masks out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stn3dmm.cli.batch import Batch
from stn3dmm.cli.console import MODEL_HELP, chosen_model, progress, say, say_json
from stn3dmm.cli.sources import check_images, fits_of


def flatten(
    images: Annotated[list[Path], typer.Argument(help="Photographs.")],
    fits: Annotated[
        Path | None,
        typer.Option("--fits", "-f", help="A fit, or the folder of NAME_fit.json; beside the photograph without this."),
    ] = None,
    model: Annotated[Path | None, typer.Option("--model", "-m", help=MODEL_HELP)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Flatten photographs that have been fitted: NAME_texture.png and NAME_mask.png for each.

    A photograph that cannot be flattened is reported and gets no files; the others go on, and the exit code is 2.

    Example: stn3dmm flatten portrait.jpg --fits results --output results
    """
    from stn3dmm.drawing import mask_pixels, texture_pixels
    from stn3dmm.files import atomic_paths, check_folder
    from stn3dmm.fitted_face import flatten_record
    from stn3dmm.formats.images import read_image, write_png

    check_images(images)
    check_folder(output)
    fit_for = fits_of(images, fits)
    morphable_model = chosen_model(model)
    batch = Batch()
    results = []
    with progress(len(images), "Flattening") as step:
        for path in images:
            step(path.name)
            with batch.attempt(path):
                texture, mask = flatten_record(read_image(path), path.name, morphable_model, fit_for(path))
                files = {name: output / f"{path.stem}_{name}.png" for name in ("texture", "mask")}
                with atomic_paths(list(files.values())) as temporaries:
                    write_png(temporaries[0], texture_pixels(texture[0]))
                    write_png(temporaries[1], mask_pixels(mask[0]))
                results.append(
                    {
                        "image": path.name,
                        "seen": float(mask.mean()),
                        "files": {name: str(file) for name, file in files.items()},
                    }
                )
                if not as_json:
                    say(f"{path.name}: {100 * float(mask.mean()):.0f} % of the face seen -> {files['texture']}")
    if as_json:
        say_json({"model": morphable_model.source, "faces": results, "failures": batch.failures})
    batch.end()
