"""Landmarks of a model as vertices of its mesh: from a user's file, and AFLW's from iBUG's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.morphable_model import LANDMARK_SETS

WHAT = "the vertices of landmarks: a list (.anl, .txt), JSON, or a mapping of eos"
SET_OF_COUNT = {count: name for name, count in LANDMARK_SETS.items()}

# Where AFLW's 21 points are points of iBUG too (both from 0): the brows, the corners of the eyes, the tip of the nose,
# the corners and the middle of the mouth, the chin. Ears, pupils and wings of the nose are not.
AFLW21_AS_IBUG68 = (17, 19, 21, 22, 24, 26, 36, -1, 39, 42, -1, 45, -1, -1, 30, -1, -1, 48, 62, 54, 8)


def aflw21_of_ibug68(ibug68: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """15 of AFLW's 21 landmarks (21,), -1 for the others, by the iBUG-68 landmarks (68,) that mark the same places.

    Example:
        >>> aflw21_of_ibug68(np.arange(100, 168)).tolist()[:8]
        [117, 119, 121, 122, 124, 126, 136, -1]
    """
    return np.array([ibug68[k] if k >= 0 else -1 for k in AFLW21_AS_IBUG68], dtype=np.int64)


def read_mesh_landmarks(path: str | os.PathLike[str], vertex_count: int) -> dict[str, npt.NDArray[np.int64]]:
    """Reads landmarks as indices of vertices, -1 where there is none; three layouts, told apart by content.

    - A list, one vertex a line, counted from 1, 0 = none; ``%`` and ``#`` begin comments. This is what the authors'
      ``.anl`` files are. 21 vertices are AFLW's landmarks, 68 iBUG's.
    - JSON: such a list counted from 0, -1 = none, or an object of lists by the set's name (``{"ibug68": [...]}``).
    - A mapping of eos (``ibug_to_*.txt``): ``landmark = vertex``, landmarks of iBUG from 1, vertices from 0.

    Args:
        path: the file.
        vertex_count: V of the mesh.

    Returns:
        Indices by the name of the landmark set, from 0, int64.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another layout, another number of landmarks, or a vertex that the mesh does not have.
    """
    file = existing_file(path, WHAT)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{file}: not a text file; expected {WHAT}.") from None
    if text.lstrip()[:1] in ("[", "{") and "[landmark_mappings]" not in text:
        sets = _json_sets(text, file)
    else:
        lines = [re.split("[%#]", line)[0].strip() for line in text.splitlines()]
        if any("=" in line for line in lines):
            sets = {"ibug68": _eos_mapping(text, file)}
        else:
            sets = _by_count([_index(line, file) - 1 for line in lines if line], file)
    for name, indices in sets.items():
        wrong = [index for index in indices if not -1 <= index < vertex_count]
        if wrong:
            raise ValueError(
                f"{file}: {name}: vertex {wrong[0]} (counted from 0) is none of the mesh's {vertex_count} vertices."
            )
    return {name: np.array(indices, dtype=np.int64) for name, indices in sets.items()}


def _by_count(indices: list[int], file: Path) -> dict[str, list[int]]:
    if len(indices) not in SET_OF_COUNT:
        raise ValueError(f"{file}: {len(indices)} landmarks; expected 21 (AFLW) or 68 (iBUG).")
    return {SET_OF_COUNT[len(indices)]: indices}


def _json_sets(text: str, file: Path) -> dict[str, list[int]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: not readable JSON ({error}).") from error
    if isinstance(content, list):
        return _by_count(_integers(content, file), file)
    if not content:
        raise ValueError(f"{file}: no landmarks; expected an object of lists by name ({', '.join(LANDMARK_SETS)}).")
    sets = {}
    for name, indices in content.items():
        if not isinstance(indices, list) or len(indices) != LANDMARK_SETS.get(name):
            known = ", ".join(f"{known} ({count})" for known, count in LANDMARK_SETS.items())
            raise ValueError(f"{file}: {name[:40]!r} is no list of a known set; expected {known}.")
        sets[name] = _integers(indices, file)
    return sets


def _integers(values: Iterable[Any], file: Path) -> list[int]:
    indices = list(values)
    if not all(type(value) is int for value in indices):
        raise ValueError(f"{file}: a landmark must be the whole number of a vertex, -1 for none.")
    return indices


def _eos_mapping(text: str, file: Path) -> list[int]:
    indices = [-1] * LANDMARK_SETS["ibug68"]
    # The sections of a mapping that come after it have lists of landmarks, no vertices.
    section = text.partition("[landmark_mappings]")[2].partition("\n[")[0]
    for line in section.splitlines():
        landmark, equals, vertex = line.split("#")[0].partition("=")
        if not equals:
            continue
        number = _index(landmark.strip(), file)
        if not 1 <= number <= len(indices):
            raise ValueError(f"{file}: landmark {number}; expected 1 to {len(indices)} (iBUG).")
        indices[number - 1] = _index(vertex.strip(), file)
    if max(indices) < 0:
        raise ValueError(f"{file}: no landmark = vertex below [landmark_mappings].")
    return indices


def _index(word: str, file: Path) -> int:
    # Longer numbers are no vertices, and Python refuses to convert the longest.
    if not re.fullmatch(r"-?\d{1,18}", word):
        raise ValueError(f"{file}: expected the number of a vertex; got {word[:40]!r}.")
    return int(word)
