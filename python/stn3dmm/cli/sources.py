"""Which photographs there are, and which landmarks, boxes and fits belong to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from stn3dmm.files import existing_file

if TYPE_CHECKING:
    from stn3dmm.fit_file import FitRecord
    from stn3dmm.formats.labels import Annotation

LANDMARK_SUFFIXES = (".pts", ".mat")
FIT_SUFFIXES = ("_fit.json", "_fit.npz")
LANDMARK_SETS = ("auto", "aflw21", "ibug68")
DATA_HELP = "A data set, KIND or KIND:PATH (docs/training.md lists the kinds); may be given several times."
RESULTS = ("texture", "mask", "overlay", "weight")  # NAME_texture.png and so on: what the commands write
Row = TypeVar("Row")


class Photograph(NamedTuple):
    """A photograph and what its results are called."""

    path: Path
    place: Path  # under the folder of the results, without suffix; sub-folders of a given folder are kept

    def result(self, folder: Path, kind: str, suffix: str = ".png") -> Path:
        """The file of one of its results."""
        return folder / self.place.parent / f"{self.place.name}_{kind}{suffix}"


def photographs_of(arguments: Sequence[Path], written: Sequence[Path] = ()) -> list[Photograph]:
    """The photographs that are named, and those in the folders that are named, and in their sub-folders.

    Args:
        arguments: files and folders; whether the files are there is not asked.
        written: files and folders that the command writes, which are no photographs.

    Raises:
        ValueError: a folder without photographs; two photographs whose results would have the same name.
    """
    found: list[Photograph] = []
    for argument in arguments:
        if argument.is_dir():
            found += [Photograph(path, path.relative_to(argument).with_suffix("")) for path in _in(argument, written)]
        else:
            found.append(Photograph(argument, Path(argument.stem)))
    seen: dict[Path, Path] = {}
    for path, place in found:
        if place in seen:
            raise ValueError(
                f"{path} and {seen[place]} would both be written as {str(place)!r}; run them apart, "
                "with another --output."
            )
        seen[place] = path
    return found


def _in(folder: Path, written: Sequence[Path]) -> list[Path]:
    """The photographs in a folder, without the results of an earlier run."""
    from stn3dmm.data.sources.photographs import SUFFIXES, photographs_in

    files = photographs_in(folder)
    results = {path.with_name(f"{path.stem}_{kind}.png") for path in files for kind in RESULTS}
    own = [path.resolve() for path in written if path.resolve() != folder.resolve()]
    kept = [path for path in files if path not in results and not _within(path.resolve(), own, folder.resolve())]
    if not kept:
        raise ValueError(f"{folder}: no photographs ({', '.join(sorted(SUFFIXES))}) in this folder.")
    return kept


def _within(path: Path, places: list[Path], folder: Path) -> bool:
    """Whether a file is one of these, or in one of these that lie in the folder."""
    return any(path == place or (place in path.parents and folder in place.parents) for place in places)


def check_images(images: list[Path]) -> None:
    """ValueError for two photographs whose results would have the same name."""
    seen: dict[str, Path] = {}
    for image in images:
        if image.stem in seen:
            raise ValueError(
                f"{image} and {seen[image.stem]} would both be written as {image.stem!r}; run them apart, "
                "with another --output."
            )
        seen[image.stem] = image


def landmarks_of(images: list[Path], sources: list[Path], landmark_set: str) -> Callable[[Path], Annotation]:
    """A function from each photograph to its landmarks; what concerns all of them is checked at once.

    Args:
        images: the photographs, no two alike.
        sources: none (files beside the photographs), one folder, one CSV table, or one file for each photograph.
        landmark_set: "auto" (by the number of points), "aflw21" or "ibug68".
    """
    if landmark_set not in LANDMARK_SETS:
        raise ValueError(f"--points must be one of {', '.join(LANDMARK_SETS)}; got {landmark_set!r}.")
    find = _finder(images, sources, landmark_set)

    def landmarks_for(image: Path) -> Annotation:
        annotation = find(image)
        if landmark_set not in ("auto", annotation.landmark_set):
            raise ValueError(
                f"{image}: {len(annotation.points)} landmarks in {annotation.where}, which is not {landmark_set}."
            )
        return annotation

    return landmarks_for


def _finder(images: list[Path], sources: list[Path], landmark_set: str) -> Callable[[Path], Annotation]:
    from stn3dmm.formats.labels import read_csv

    if not sources:
        return lambda image: _read(_landmark_file(image, image.parent), landmark_set)
    if len(sources) == 1 and sources[0].is_dir():
        return lambda image: _read(_landmark_file(image, sources[0]), landmark_set)
    if len(sources) == 1 and sources[0].suffix.lower() == ".csv":
        table = read_csv(sources[0])
        return lambda image: in_table(image, table, sources[0])
    if len(sources) != len(images):
        raise ValueError(
            f"{len(images)} photographs but {len(sources)} landmark files; give one for each, a folder, or one CSV."
        )
    source_of = dict(zip(images, sources, strict=True))
    return lambda image: _read(source_of[image], landmark_set)


def _landmark_file(image: Path, folder: Path) -> Path:
    for suffix in LANDMARK_SUFFIXES:
        if (path := folder / f"{image.stem}{suffix}").is_file():
            return path
    raise FileNotFoundError(
        f"{image}: no landmarks: neither {image.stem}.pts nor {image.stem}.mat in {folder}; name them with --landmarks."
    )


def beside(image: Path) -> Annotation | None:
    """The landmarks in a file beside the photograph, of either set; None if there is no such file."""
    if not any(image.with_name(f"{image.stem}{suffix}").is_file() for suffix in LANDMARK_SUFFIXES):
        return None
    return landmarks_of([image], [], "auto")(image)


def in_table(image: Path, table: Mapping[str, Row], source: Path) -> Row:
    """The row of a photograph, which may be called by its path, by any end of it (person/name.jpg), or by its stem."""
    parts = image.absolute().parts
    for name in (str(image), *("/".join(parts[first:]) for first in range(len(parts))), image.stem):
        if name in table:
            return table[name]
    raise ValueError(f"{source}: no row for {image.name}; its file column holds {', '.join(list(table)[:3])}, ...")


def _read(path: Path, landmark_set: str) -> Annotation:
    from stn3dmm.formats.labels import read_csv, read_mat, read_pts

    existing_file(path, "landmarks (.pts, .mat or .csv)")
    suffix = path.suffix.lower()
    if suffix == ".pts":
        return read_pts(path)
    if suffix == ".mat":
        return read_mat(path, landmark_set)
    if suffix == ".csv":
        table = read_csv(path)
        if len(table) != 1:
            raise ValueError(f"{path}: {len(table)} rows for one photograph; give the table alone, for all of them.")
        return next(iter(table.values()))
    raise ValueError(f"{path}: unknown landmark file {suffix!r}; expected .pts, .mat or .csv.")


def fits_of(photographs: Sequence[Photograph], source: Path | None) -> Callable[[Photograph], FitRecord]:
    """A function from each photograph to its fit.

    That is the file ``source``, or NAME_fit.json / .npz in that folder or, without one, beside the photograph.
    """
    from stn3dmm.fit_file import load_fit

    if source is not None and not source.is_dir():
        if len(photographs) != 1:
            raise ValueError(
                f"{len(photographs)} photographs but one fit, {source}; give the folder that holds their fits."
            )
        return lambda photograph: load_fit(source)
    return lambda photograph: load_fit(_fit_path(photograph, source))


def _fit_path(photograph: Photograph, folder: Path | None) -> Path:
    image = photograph.path
    place = image.parent if folder is None else folder / photograph.place.parent
    paths = [path for suffix in FIT_SUFFIXES if (path := place / f"{image.stem}{suffix}").is_file()]
    if len(paths) > 1:
        raise ValueError(f"{image}: two fits, {paths[0]} and {paths[1].name}; remove the one that is out of date.")
    if paths:
        return paths[0]
    raise FileNotFoundError(
        f"{image}: no fit: neither {image.stem}_fit.json nor {image.stem}_fit.npz in {place}; "
        "run 'stn3dmm fit' first, name the folder with --fits, or give a trained --checkpoint."
    )


def data_set(text: str) -> dict[str, Any]:
    """KIND or KIND:PATH as a configuration has it."""
    kind, _, path = text.partition(":")
    return {"kind": kind, "path": path}


def toml_value(text: str) -> Any:
    """A value as TOML writes it; what is none is a text."""
    from stn3dmm.training.config import parse_toml

    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text
