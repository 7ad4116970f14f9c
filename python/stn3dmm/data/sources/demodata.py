"""The authors' six demonstration photographs (Bas et al. 2017)."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stn3dmm.data.faces import Face
from stn3dmm.formats.bas2017 import read_demodata


class DemodataFaces:
    """``demodata.mat``: crops of 224 x 224 pixels with AFLW's 21 landmarks, of nobody known.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is something else.
    """

    landmark_set = "aflw21"
    left_out = ()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._data = read_demodata(path)
        self._path = os.fspath(path)

    def __len__(self) -> int:
        return len(self._data.images)

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        """(len,) -1: the file does not say who they are."""
        return np.full(len(self), -1)

    def faces(self, indices: Sequence[int]) -> list[Face]:
        """The faces with these numbers."""
        return [
            Face(
                image=self._data.images[index],
                landmarks=self._data.landmarks[index],
                visible=self._data.visible[index],
                box=None,
                identity=-1,
                yaw=None,
                name=f"{self._path}: photograph {index + 1}",
                framed=True,
            )
            for index in indices
        ]
