"""The gallery of `stn3dmm average`: a mean flattened face for each person of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stn3dmm.cli.batch import Batch
from stn3dmm.cli.console import progress
from stn3dmm.cli.sources import Photograph, photographs_of

if TYPE_CHECKING:
    from stn3dmm.average import Average
    from stn3dmm.cli.photographs import FromFits, FromLocaliser, Step
    from stn3dmm.gallery import Person

SHEET = "gallery.png"


def people_of(arguments: Sequence[Path], written: Sequence[Path]) -> dict[str, list[Photograph]] | None:
    """The photographs of each person, by name; None where the arguments are the photographs of one person.

    Persons are the sub-folders of the one folder that is named, or the folders, where several are named.

    Raises:
        ValueError: photographs beside the persons' folders, a folder without photographs, two persons of one name.
    """
    folders = [argument for argument in arguments if argument.is_dir()]
    if not folders or (len(arguments) == 1 and not _has_persons(folders[0], written)):
        return None
    if len(folders) < len(arguments):
        raise ValueError(
            f"{next(argument for argument in arguments if argument not in folders)}: a photograph beside folders; give "
            "the photographs of one person, or folders, one a person."
        )
    persons: dict[str, list[Photograph]] = {}
    for folder in folders:
        found = photographs_of([folder], written)
        if len(folders) == 1:
            for photograph in found:
                persons.setdefault(_person_of(photograph, folder), []).append(photograph)
        elif (name := folder.resolve().name) in persons:
            raise ValueError(f"{folder}: a second person of the name {name!r}; rename one of the folders.")
        else:
            persons[name] = [Photograph(path, Path(name) / place) for path, place in found]
    _check_names(persons)
    return persons


def _has_persons(folder: Path, written: Sequence[Path]) -> bool:
    return any(len(photograph.place.parts) > 1 for photograph in photographs_of([folder], written))


def _person_of(photograph: Photograph, folder: Path) -> str:
    if len(photograph.place.parts) == 1:
        raise ValueError(
            f"{photograph.path}: a photograph beside the sub-folders of {folder}; put it into one, for each sub-folder "
            "is a person."
        )
    return photograph.place.parts[0]


def _check_names(persons: dict[str, list[Photograph]]) -> None:
    files: dict[str, str] = {SHEET: "the sheet of all"}
    for name in persons:
        for file in (f"{name}.png", f"{name}_weight.png"):
            if file in files:
                raise ValueError(f"{name}: its {file} would be that of {files[file]} too; rename the folder.")
            files[file] = name


def write_gallery(
    persons: dict[str, list[Photograph]], faces: FromFits | FromLocaliser, output: Path, batch: Batch
) -> dict[str, Any]:
    """Writes PERSON.png, PERSON_weight.png and gallery.png, and returns what --json prints.

    Photographs that cannot be flattened are reported and left out, and so are persons of whom none is left.
    """
    from stn3dmm.formats.images import write_png
    from stn3dmm.gallery import Person, gallery_sheet

    shown: list[Person] = []
    results: list[dict[str, Any]] = []
    with progress(sum(map(len, persons.values())), "Flattening") as step:
        for name, photographs in persons.items():
            with batch.attempt(photographs[0].path.parent):
                mean, kinds = mean_face(photographs, faces, batch, step)
                if mean is None:
                    raise ValueError(f"{name}: none of {len(photographs)} photographs could be flattened; left out.")
                files = write_average(output / f"{name}.png", mean, len(kinds))
                shown.append(Person(name, len(kinds), mean))
                results.append(
                    {
                        "name": name,
                        "photographs": len(kinds),
                        "left_out": len(photographs) - len(kinds),
                        "seen": seen_share(mean),
                        "found_by": kinds,
                        "files": files,
                    }
                )
    files = {}
    if shown:
        write_png(output / SHEET, gallery_sheet(shown))
        files = {"gallery": str(output / SHEET)}
    return {
        "model": faces.model.source,
        "people": results,
        "failures": batch.failures,
        "files": files,
    }


def mean_face(
    photographs: Sequence[Photograph], faces: FromFits | FromLocaliser, batch: Batch, step: Step
) -> tuple[Average | None, list[str]]:
    """The mean of the photographs that can be flattened, None if none can, and how each of these faces was found."""
    import torch

    from stn3dmm.average import average_textures
    from stn3dmm.fitted_face import flatten_record

    flattened, found_by = [], []
    for face in faces.located(photographs, batch, step):
        with batch.attempt(face.photograph.path):
            flattened.append(flatten_record(face.pixels, face.photograph.path.name, faces.model, face.record))
            found_by.append(face.found_by)
    if not flattened:
        return None, []
    textures, masks = (torch.cat(parts) for parts in zip(*flattened, strict=True))
    return average_textures(textures, masks), found_by


def write_average(file: Path, mean: Average, photographs: int) -> dict[str, str]:
    """The mean face, and beside it NAME_weight.png: white where all photographs show the vertex."""
    from stn3dmm.drawing import mask_pixels, texture_pixels
    from stn3dmm.files import atomic_paths
    from stn3dmm.formats.images import write_png

    weight = file.with_name(f"{file.stem}_weight.png")
    with atomic_paths([file, weight]) as temporaries:
        write_png(temporaries[0], texture_pixels(mean.texture))
        write_png(temporaries[1], mask_pixels(mean.weight / photographs))
    return {"average": str(file), "weight": str(weight)}


def seen_share(mean: Average) -> float:
    """The share of the face that at least one photograph shows."""
    return float((mean.weight > 0).float().mean())
