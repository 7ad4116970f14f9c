"""Which landmarks and which fit belong to which photograph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stn3dmm.files import existing_file

if TYPE_CHECKING:
    from stn3dmm.fit_file import FitRecord
    from stn3dmm.formats.labels import Annotation

LANDMARK_SUFFIXES = (".pts", ".mat")
FIT_SUFFIXES = ("_fit.json", "_fit.npz")
LANDMARK_SETS = ("auto", "aflw21", "ibug68")


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
        return lambda image: _read(_beside(image, image.parent), landmark_set)
    if len(sources) == 1 and sources[0].is_dir():
        return lambda image: _read(_beside(image, sources[0]), landmark_set)
    if len(sources) == 1 and sources[0].suffix.lower() == ".csv":
        table = read_csv(sources[0])
        return lambda image: _row(image, table, sources[0])
    if len(sources) != len(images):
        raise ValueError(
            f"{len(images)} photographs but {len(sources)} landmark files; give one for each, a folder, or one CSV."
        )
    source_of = dict(zip(images, sources, strict=True))
    return lambda image: _read(source_of[image], landmark_set)


def _beside(image: Path, folder: Path) -> Path:
    for suffix in LANDMARK_SUFFIXES:
        if (path := folder / f"{image.stem}{suffix}").is_file():
            return path
    raise FileNotFoundError(
        f"{image}: no landmarks: neither {image.stem}.pts nor {image.stem}.mat in {folder}; name them with --landmarks."
    )


def _row(image: Path, table: dict[str, Annotation], source: Path) -> Annotation:
    for name in (str(image), image.name, image.stem):
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


def fits_of(images: list[Path], source: Path | None) -> Callable[[Path], FitRecord]:
    """A function from each photograph to its fit.

    That is the file ``source``, or NAME_fit.json / .npz in that folder or, without one, beside the photograph.
    """
    from stn3dmm.fit_file import load_fit

    if source is not None and not source.is_dir():
        if len(images) != 1:
            raise ValueError(f"{len(images)} photographs but one fit, {source}; give the folder that holds their fits.")
        return lambda image: load_fit(source)
    return lambda image: load_fit(_fit_path(image, source or image.parent))


def _fit_path(image: Path, folder: Path) -> Path:
    paths = [path for suffix in FIT_SUFFIXES if (path := folder / f"{image.stem}{suffix}").is_file()]
    if len(paths) > 1:
        raise ValueError(f"{image}: two fits, {paths[0]} and {paths[1].name}; remove the one that is out of date.")
    if paths:
        return paths[0]
    raise FileNotFoundError(
        f"{image}: no fit: neither {image.stem}_fit.json nor {image.stem}_fit.npz in {folder}; "
        "run 'stn3dmm fit' first, or name the folder with --fits."
    )
