"""`stn3dmm average`: several photographs of one person in, the mean flattened face out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stn3dmm.cli.batch import Batch
from stn3dmm.cli.console import MODEL_HELP, chosen_model, progress, say, say_json
from stn3dmm.cli.sources import check_images, fits_of


def average(
    images: Annotated[list[Path], typer.Argument(help="Photographs of one person.")],
    fits: Annotated[
        Path | None,
        typer.Option("--fits", "-f", help="The folder of NAME_fit.json; beside the photographs without this."),
    ] = None,
    model: Annotated[Path | None, typer.Option("--model", "-m", help=MODEL_HELP)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture to write.")] = Path("average.png"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Average the flattened faces of several photographs of one person, each vertex over those that show it.

    Writes OUTPUT and beside it OUTPUT's name with _weight: how many photographs show each vertex (white = all).
    What no photograph shows is filled from the mirrored side, else with the mean colour; its weight is black.
    If a photograph cannot be flattened, all such are reported, nothing is written, and the exit code is 2.

    Example: stn3dmm average a.jpg b.jpg c.jpg --fits results --output person.png
    """
    import torch

    from stn3dmm.average import average_textures
    from stn3dmm.drawing import mask_pixels, texture_pixels
    from stn3dmm.files import atomic_paths, check_folder
    from stn3dmm.fitted_face import flatten_record
    from stn3dmm.formats.images import read_image, write_png

    if output.suffix.lower() != ".png":
        raise ValueError(f"--output must be a .png file; got {str(output)!r}.")
    check_images(images)
    check_folder(output.parent)
    fit_for = fits_of(images, fits)
    morphable_model = chosen_model(model)
    batch = Batch()
    flattened = []
    with progress(len(images), "Flattening") as step:
        for path in images:
            step(path.name)
            with batch.attempt(path):
                flattened.append(flatten_record(read_image(path), path.name, morphable_model, fit_for(path)))
    batch.end()  # a mean of some of the photographs would pass for the mean of all
    mean = average_textures(
        torch.cat([face.texture for face in flattened]), torch.cat([face.mask for face in flattened])
    )
    weight = output.with_name(f"{output.stem}_weight.png")
    with atomic_paths([output, weight]) as temporaries:
        write_png(temporaries[0], texture_pixels(mean.texture))
        write_png(temporaries[1], mask_pixels(mean.weight / len(images)))
    seen = float((mean.weight > 0).float().mean())
    if as_json:
        files = {"average": str(output), "weight": str(weight)}
        say_json({"model": morphable_model.source, "photographs": len(images), "seen": seen, "files": files})
    else:
        say(f"{len(images)} photographs, {100 * seen:.0f} % of the face seen in at least one -> {output}")
