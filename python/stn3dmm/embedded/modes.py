"""The modes of variation: what one is, and how the fields become a basis."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from .shapes import Array
from .surface import FaceSurface, face_surface


@dataclasses.dataclass(frozen=True)
class Mode:
    """A named direction of variation."""

    name: str  # "identity/..." or "expression/..."
    size: float  # mm that the farthest moving point moves per standard deviation
    field: Callable[[FaceSurface], Array]  # displacements (P, Q, 3), any unit
    meaning: str  # what a positive coefficient does


@functools.cache
def _reference_face() -> FaceSurface:
    return face_surface((112, 112))


def displacement(mode: Mode, face: FaceSurface) -> Array:
    """The displacement (P, Q, 3) of one standard deviation, millimetres.

    A field is scaled by its largest displacement on the 112 x 112 grid whatever the grid of ``face``, so that
    coefficients mean the same on every grid.
    """
    largest = np.linalg.norm(mode.field(_reference_face()), axis=-1).max()
    return np.asarray(mode.field(face) * (mode.size / largest))
