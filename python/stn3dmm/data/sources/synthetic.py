"""Synthetic faces as a source: the embedded model, drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from stn3dmm.angles import head_angles
from stn3dmm.data.faces import Face, landmark_count
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces


class SyntheticSource:
    """`SyntheticFaces` as a `FaceSource`: all landmarks labelled, hidden ones too.

    Args:
        landmark_set: "aflw21", "ibug68" or None.
        config: what they are like; its length is the number of faces.
        seed: of the faces.
        framed: False: crops are cut around the landmarks, as from photographs; True: the images are the crops, with
            faces of any size anywhere in them.

    Raises:
        ValueError: a set that the model does not have, a negative seed.
    """

    left_out = ()

    def __init__(
        self,
        landmark_set: str | None = "ibug68",
        config: SyntheticConfig | None = None,
        seed: int = 0,
        framed: bool = False,
    ) -> None:
        landmark_count(landmark_set)
        self.landmark_set, self.framed = landmark_set, framed
        self.synthetic = SyntheticFaces(config, seed)

    def __len__(self) -> int:
        return len(self.synthetic)

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        """(len,) who it is: ``views_per_identity`` images in a row are of one."""
        return np.arange(len(self)) // self.synthetic.config.views_per_identity

    def faces(self, indices: Sequence[int]) -> list[Face]:
        """The faces with these numbers, drawn together."""
        if not indices:
            return []
        samples = self.synthetic.batch(indices)
        # The camera has rounded the image to 8 bits, if there is a camera.
        pixels = (samples.image * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        landmarks = samples.landmarks[self.landmark_set].double().numpy() if self.landmark_set else None
        return [
            Face(
                image=pixels[b],
                landmarks=None if landmarks is None else landmarks[b],
                visible=None if landmarks is None else np.ones(len(landmarks[b]), dtype=bool),
                box=None,
                identity=int(samples.identity[b]),
                yaw=head_angles(samples.theta[b]).yaw,
                name=f"synthetic face {index}",
                framed=self.framed,
            )
            for b, index in enumerate(indices)
        ]
