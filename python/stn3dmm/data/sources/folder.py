"""One's own photographs: a folder, with landmarks in .pts files or a CSV table, or without."""

from __future__ import annotations

import collections
import dataclasses
import os
from pathlib import Path

from stn3dmm.data.faces import check_landmark_set
from stn3dmm.data.sources.photographs import (
    SUFFIXES,
    Damage,
    Labels,
    TableFaces,
    existing_folder,
    numbered,
    photographs_in,
)
from stn3dmm.formats.labels import LANDMARK_SET_OF_COUNT, Annotation, read_csv, read_pts

WHAT = "a folder with photographs"
AUTO, NONE = "auto", "none"


def open_folder(
    path: str | os.PathLike[str],
    landmark_set: str | None = None,
    on_damage: str = "skip",
    *,
    labels: str | os.PathLike[str] = AUTO,
    people: bool = False,
    framed: bool = False,
) -> TableFaces:
    """The photographs in a folder and its sub-folders.

    Args:
        path: the folder.
        landmark_set: "aflw21" or "ibug68"; None: whatever the labels are.
        on_damage: "skip" or "stop", for photographs whose labels are missing or damaged.
        labels: "auto": .pts files beside the photographs, if there are any; "none": no landmarks; or a CSV table
            (`formats.labels.read_csv`) whose first column names photographs, as seen from the folder.
        people: each sub-folder holds the photographs of one person.
        framed: the photographs are crops of faces already, and are only scaled.

    Raises:
        FileNotFoundError: there is no such folder or table.
        ValueError: no photographs, no labels that can be used, labels of another set than wanted.
    """
    folder = existing_folder(path, WHAT)
    damage = Damage(on_damage)
    if labels in (AUTO, NONE):
        photographs = photographs_in(folder)
        labelled = labels == AUTO and any(_pts(photograph).is_file() for photograph in photographs)
        found = _of_pts(photographs, damage) if labelled else [Labels(p, os.fspath(p)) for p in photographs]
    else:
        table = read_csv(labels, on_fault=damage.add)
        found = [_labels(folder / name, annotation) for name, annotation in table.items()]
    landmark_set = _set_of(found, landmark_set, folder)
    kept = damage.sound(_of_set(one, landmark_set) for one in found)
    damage.report(len(kept), folder, f"photographs ({', '.join(sorted(SUFFIXES))})")
    if people:
        who = numbered([_person(one.photograph, folder) for one in kept]).tolist()
        kept = [dataclasses.replace(one, identity=number) for one, number in zip(kept, who, strict=True)]
    return TableFaces(kept, landmark_set, framed, damage.messages)


def _pts(photograph: Path) -> Path:
    return photograph.with_suffix(".pts")


def _of_pts(photographs: list[Path], damage: Damage) -> list[Labels]:
    """Photographs with their landmarks; those that have none, or damaged ones, are left out."""
    found: list[Labels] = []
    for photograph in photographs:
        with damage.noted():
            found.append(_labels(photograph, read_pts(_pts(photograph))))
    return found


def _labels(photograph: Path, annotation: Annotation) -> Labels:
    name = f"{photograph} ({Path(annotation.where).name})"  # the file of the labels, and the row in a table
    return Labels(photograph, name, annotation.points, annotation.visible)


def _set_of(found: list[Labels], wanted: str | None, folder: Path) -> str | None:
    """The landmark set of most of them; None where none has landmarks.

    Raises:
        ValueError: landmarks of another set than wanted.
    """
    counts = collections.Counter(len(one.landmarks) for one in found if one.landmarks is not None)
    known = [LANDMARK_SET_OF_COUNT[count] for count, _ in counts.most_common() if count in LANDMARK_SET_OF_COUNT]
    if not known:
        return wanted if counts else None
    check_landmark_set(known[0], wanted, os.fspath(folder))
    return known[0]


def _of_set(labels: Labels, landmark_set: str | None) -> Labels | str:
    """The same labels, or what is wrong with their number."""
    if labels.landmarks is None or LANDMARK_SET_OF_COUNT.get(len(labels.landmarks)) == landmark_set is not None:
        return labels
    expected = landmark_set or " or ".join(LANDMARK_SET_OF_COUNT.values())
    return f"{labels.name}: {len(labels.landmarks)} landmarks; expected {expected}."


def _person(photograph: Path, folder: Path) -> str:
    """The sub-folder that the photograph lies in; "" for those in the folder itself."""
    parts = photograph.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else ""
