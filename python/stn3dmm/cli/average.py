"""`stn3dmm average`: photographs of one person or of several in, mean flattened faces out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stn3dmm.cli.batch import Batch
from stn3dmm.cli.console import MODEL_HELP, progress, say, say_json
from stn3dmm.cli.gallery import mean_face, people_of, seen_share, write_average, write_gallery
from stn3dmm.cli.photographs import BATCH_HELP, BOXES_HELP, CHECKPOINT_HELP, DEVICE_HELP, faces_of, note_on
from stn3dmm.cli.sources import photographs_of

if TYPE_CHECKING:
    from stn3dmm.cli.photographs import FromFits, FromLocaliser
    from stn3dmm.cli.sources import Photograph

PICTURE, FOLDER = Path("average.png"), Path("gallery")  # what is written without --output


def average(
    images: Annotated[
        list[Path],
        typer.Argument(help="Photographs of one person, their folder, or a folder with one sub-folder a person."),
    ],
    fits: Annotated[
        Path | None,
        typer.Option("--fits", "-f", help="The folder of NAME_fit.json; beside the photographs without this."),
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", "-c", help=CHECKPOINT_HELP)] = None,
    boxes: Annotated[Path | None, typer.Option("--boxes", "-b", help=BOXES_HELP)] = None,
    model: Annotated[Path | None, typer.Option("--model", "-m", help=MODEL_HELP)] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=f"The picture to write ({PICTURE}); for a gallery its folder ({FOLDER})."),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help=BATCH_HELP)] = 8,
    device: Annotated[str, typer.Option("--device", help=DEVICE_HELP)] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Average the flattened faces of several photographs of one person, each vertex over those that show it.

    Writes OUTPUT and beside it OUTPUT's name with _weight: how many photographs show each vertex (white = all).
    What no photograph shows is filled from the mirrored side, else with the mean colour; its weight is black.
    If a photograph cannot be flattened, all such are reported, nothing is written, and the exit code is 2.

    Example: stn3dmm average a.jpg b.jpg c.jpg --fits results --output person.png

    Of a folder with one sub-folder a person it makes a gallery: PERSON.png and PERSON_weight.png for each, and
    gallery.png with all of them. There, a photograph that cannot be flattened is reported and left out, and the exit
    code is 2 in the end.

    A gallery: stn3dmm average people --checkpoint run/best.pt --output gallery
    """
    from stn3dmm.files import check_folder

    persons = people_of(images, [output or PICTURE, output or FOLDER])
    place = output or (PICTURE if persons is None else FOLDER)
    if persons is None and place.suffix.lower() != ".png":
        raise ValueError(f"--output must be a .png file; got {str(place)!r}.")
    if persons is not None and place.suffix.lower() == ".png":
        raise ValueError(f"--output must be a folder for the pictures of {len(persons)} persons; got {str(place)!r}.")
    photographs = [] if persons is not None else photographs_of(images, [place])
    check_folder(place.parent if persons is None else place)
    everyone = photographs if persons is None else [each for group in persons.values() for each in group]
    faces = faces_of(everyone, fits, checkpoint, boxes, model, batch_size, device)
    if persons is None:
        _average_one(photographs, faces, place, as_json)
        return
    batch = Batch()
    result = write_gallery(persons, faces, place, batch)
    if as_json:
        say_json(result)
    else:
        _tell(result, place)
    batch.end()


def _average_one(photographs: list[Photograph], faces: FromFits | FromLocaliser, output: Path, as_json: bool) -> None:
    batch = Batch()
    with progress(len(photographs), "Flattening") as step:
        mean, found_by = mean_face(photographs, faces, batch, step)
    batch.end()  # a mean of some of the photographs would pass for the mean of all
    if mean is None:
        raise ValueError("no photograph was flattened; name at least one.")
    files = write_average(output, mean, len(photographs))
    seen = seen_share(mean)
    if as_json:
        say_json({"model": faces.model.source, "photographs": len(photographs), "seen": seen, "files": files})
        return
    say(f"{len(photographs)} photographs, {100 * seen:.0f} % of the face seen in at least one -> {output}")
    if note := note_on(found_by):
        say(note)


def _tell(result: dict[str, Any], output: Path) -> None:
    for person in result["people"]:
        left_out = f" ({person['left_out']} left out)" if person["left_out"] else ""
        say(
            f"{person['name']}: {person['photographs']} photographs{left_out}, {100 * person['seen']:.0f} % of the "
            f"face seen -> {person['files']['average']}"
        )
    if result["files"]:
        say(f"{len(result['people'])} persons -> {result['files']['gallery']}")
    if note := note_on([kind for person in result["people"] for kind in person["found_by"]]):
        say(note)
