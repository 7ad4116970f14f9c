"""The mean flattened faces of several persons on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from stn3dmm.average import Average
from stn3dmm.drawing import Pixels, texture_pixels
from stn3dmm.layout import TEXT, below, beside, titled

SIDE = 224  # pixels, the longer side of a face
COLUMNS = 6


class Person(NamedTuple):
    """A person of the gallery."""

    name: str
    photographs: int  # that the mean is made of
    average: Average


def gallery_sheet(people: Sequence[Person], columns: int = COLUMNS) -> Pixels:
    """The mean faces of all persons in rows, each below the name and the number of photographs.

    Raises:
        ValueError: nobody, or no column.
    """
    if not people or columns < 1:
        raise ValueError(f"gallery_sheet: there must be a person and a column; got {len(people)} and {columns}.")
    tiles = [_tile(person) for person in people]
    return below([beside(tiles[start : start + columns]) for start in range(0, len(tiles), columns)])


def _tile(person: Person) -> Pixels:
    picture = Image.fromarray(texture_pixels(person.average.texture))
    scale = SIDE / max(picture.size)
    shape = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    face = np.array(picture.resize(shape, Image.Resampling.BICUBIC))
    return titled(face, f"{person.name} ({person.photographs})", TEXT - 2)
