"""Several data sets as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stn3dmm.data.faces import Face, FaceSource


class JoinedFaces:
    """The faces of several sources, one source after the other; persons of different sources are different.

    Raises:
        ValueError: no sources, or sources of different landmark sets.
    """

    def __init__(self, sources: Sequence[FaceSource]) -> None:
        sets = sorted({source.landmark_set for source in sources if source.landmark_set is not None})
        if not sources:
            raise ValueError("No data sets to join; give at least one.")
        if len(sets) > 1:
            raise ValueError(f"Data sets must have one landmark set to be joined; got {' and '.join(sets)}.")
        self.sources = tuple(sources)
        self.landmark_set = sets[0] if sets else None
        self.left_out = [message for source in sources for message in source.left_out]
        self._starts = np.cumsum([0, *(len(source) for source in sources)])
        people = [int(source.identities.max(initial=-1)) + 1 for source in sources]
        self._first_person = np.cumsum([0, *people])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        """(len,) who it is, -1 = unknown."""
        parts = [np.empty(0, dtype=np.int64)]
        for source, first in zip(self.sources, self._first_person, strict=False):
            parts.append(np.where(source.identities >= 0, source.identities + first, -1))
        return np.concatenate(parts)

    def faces(self, indices: Sequence[int]) -> list[Face]:
        """The faces with these numbers; each source is asked once."""
        owners = np.searchsorted(self._starts, indices, side="right") - 1
        found: dict[int, Face] = {}
        for number in np.unique(owners).tolist():
            own = [index for index, owner in zip(indices, owners, strict=True) if owner == number]
            faces = self.sources[number].faces([index - int(self._starts[number]) for index in own])
            found.update(zip(own, (self._told_apart(face, number) for face in faces), strict=True))
        return [found[index] for index in indices]

    def _told_apart(self, face: Face, number: int) -> Face:
        first = int(self._first_person[number])
        return dataclasses.replace(face, identity=face.identity + first) if face.identity >= 0 and first else face
