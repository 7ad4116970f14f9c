"""Faces whose true theta is known, and a localiser that reads their number off the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import stn3dmm
import torch
from stn3dmm.angles import rotation_vector
from stn3dmm.data.faces import Face
from stn3dmm.fitted_face import posed_points
from torch import nn

SIZE = (64, 64)
YAWS = (0.0, -30.0, 45.0, 80.0, -95.0)  # degrees


def truth(model: stn3dmm.MorphableModel) -> torch.Tensor:
    """theta (5, 6 + K) of five faces of different yaw and place."""
    theta = torch.zeros(len(YAWS), 6 + model.mode_count)
    for number, yaw in enumerate(YAWS):
        theta[number, :3] = torch.tensor(rotation_vector(yaw, 0.0, 0.0))
        theta[number, 3:5] = torch.tensor([30.0 + number, 32.0 - number])
    theta[:, 5] = float(np.log(0.2))
    return theta


class CodedFaces:
    """Face k is a picture of the grey value k, its labels those of the model at theta k."""

    def __init__(
        self,
        model: stn3dmm.MorphableModel,
        landmark_set: str | None = "ibug68",
        damaged: Sequence[int] = (),
        hidden: Sequence[int] = (),
        unlabelled: Sequence[int] = (),
        left_out: Sequence[str] = (),
    ) -> None:
        self.landmark_set, self.damaged, self.hidden = landmark_set, set(damaged), list(hidden)
        self.unlabelled, self.left_out = set(unlabelled), left_out
        points = posed_points(model, truth(model))[..., :2].double().numpy()
        self.points = points[:, model.landmark_indices(landmark_set)] if landmark_set else None

    def __len__(self) -> int:
        return len(YAWS)

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        return np.full(len(self), -1)

    def faces(self, indices: Sequence[int]) -> list[Face]:
        return [self._face(index) for index in indices]

    def _face(self, index: int) -> Face:
        if index in self.damaged:
            raise ValueError(f"face {index}: a damaged picture.")
        landmarks = None if self.points is None else self.points[index].copy()
        visible = None if landmarks is None else np.ones(len(landmarks), dtype=bool)
        if landmarks is not None and visible is not None:
            hidden = slice(None) if index in self.unlabelled else self.hidden
            visible[hidden] = False
            landmarks[hidden] = np.nan
        image = np.full((*SIZE, 3), index, dtype=np.uint8)
        return Face(image, landmarks, visible, None, -1, YAWS[index], f"face {index}", framed=True)


class Reader(nn.Module):
    """Answers picture k with row k of a table."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        number = (image[:, 0, 0, 0] * 255).round().long()
        return self.get_buffer("table")[number]


def moved(theta: torch.Tensor, pixels: Sequence[float]) -> torch.Tensor:
    """The same, face k moved to the right by ``pixels[k]``."""
    theta = theta.clone()
    theta[:, 3] += torch.tensor(pixels)
    return theta
