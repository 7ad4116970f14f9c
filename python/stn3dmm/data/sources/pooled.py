"""A data set kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Dataset

from stn3dmm.data.faces import Face, FaceSource, sound_faces

BATCH = 16  # faces read together


class PooledFaces:
    """The faces of a source, read once: for sets that fit into memory and are shown many times.

    What is damaged keeps its number; asking for it is an error, as in the source. Processes that are forked later, as
    the workers of a `DataLoader` on Linux are, share the faces.

    Args:
        source: what to read.
        workers: processes that read.
        step: told the number of faces that a batch has brought.
    """

    def __init__(
        self, source: FaceSource, workers: int = 0, step: Callable[[int], object] = lambda count: None
    ) -> None:
        self.landmark_set, self.left_out = source.landmark_set, source.left_out
        self._identities = source.identities
        self._faces: list[Face | str] = []  # a string is the message of a damaged one
        loader = DataLoader(_Faces(source), batch_size=BATCH, num_workers=workers, collate_fn=list)
        for faces in loader:
            self._faces += faces
            step(len(faces))

    def __len__(self) -> int:
        return len(self._faces)

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        """(len,) as the source has them."""
        return self._identities

    def faces(self, indices: Sequence[int]) -> list[Face]:
        """The faces with these numbers.

        Raises:
            ValueError: one of them is damaged; the message is that of the source.
        """
        return [self._sound(index) for index in indices]

    def _sound(self, index: int) -> Face:
        face = self._faces[index]
        if isinstance(face, str):
            raise ValueError(face)
        return face


class _Faces(Dataset["Face | str"]):
    """A source as a data loader reads it."""

    def __init__(self, source: FaceSource) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Face | str:
        return sound_faces(self.source, [index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Face | str]:
        return sound_faces(self.source, indices)
