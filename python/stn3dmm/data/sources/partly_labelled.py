"""A data set of which only some faces count as labelled."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stn3dmm.data.crops import box_of
from stn3dmm.data.faces import Face, FaceSource

SHARES = 0x5A17  # keeps these random numbers apart from others of the same seed


class PartlyLabelled:
    """The faces of a source, the landmarks of all but a share of them being withheld.

    What is left of the others is the box that their landmarks gave. Which faces keep theirs depends on the seed and
    their number alone.

    Args:
        source: labelled faces.
        share: of the faces that keep their landmarks, 0 to 1; of n faces round(share n) do.
        seed: which.

    Raises:
        ValueError: a share outside 0..1.
    """

    def __init__(self, source: FaceSource, share: float, seed: int = 0) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"PartlyLabelled: share must lie in 0..1; got {share}.")
        self.landmark_set, self.left_out = source.landmark_set, source.left_out
        self._source = source
        order = np.random.default_rng([SHARES, seed]).permutation(len(source))
        self.labelled = np.zeros(len(source), dtype=bool)  # (len,) which keep their landmarks
        self.labelled[order[: round(share * len(source))]] = True

    def __len__(self) -> int:
        return len(self._source)

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        """(len,) as the source has them."""
        return self._source.identities

    def faces(self, indices: Sequence[int]) -> list[Face]:
        """The faces with these numbers."""
        return [
            face if self.labelled[index] else dataclasses.replace(face, landmarks=None, visible=None, box=box_of(face))
            for index, face in zip(indices, self._source.faces(indices), strict=True)
        ]
