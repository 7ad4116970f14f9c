"""Which images of a training batch show one face."""

from __future__ import annotations

import torch

from stn3dmm.data.mirror import mirror_faces
from stn3dmm.data.stream import FaceBatch
from stn3dmm.objective import Pairs


def paired(batch: FaceBatch, kind: str, landmark_set: str | None) -> tuple[FaceBatch, Pairs | None]:
    """The batch as it goes to the localiser, and its pairs.

    Args:
        batch: B faces; with pairs of one identity, 2 p and 2 p + 1 are two views.
        kind: "none"; "mirror": the mirror images follow the images, so that there are 2 B; "identity"; "both".
        landmark_set: whose left and right the mirror swaps; None without landmarks.
    """
    B = len(batch.image)
    numbers = torch.arange(B, device=batch.image.device)
    flipped = torch.linalg.det(batch.affine[:, :, :2]) < 0  # by the augmentation
    pairs: list[tuple[torch.Tensor, ...]] = []  # first, second, weight, mirrored
    if kind in ("identity", "both"):
        first, second = numbers[0::2], numbers[1::2]
        known = (batch.identity[first] == batch.identity[second]) & (batch.identity[first] >= 0)
        pairs.append((first, second, known, flipped[first] != flipped[second]))
    if kind in ("mirror", "both"):
        every = torch.ones_like(flipped)
        pairs.append((numbers, numbers + B, every, every))
        batch = _with_mirror_images(batch, landmark_set)
    if not pairs:
        return batch, None
    return batch, Pairs._make(torch.cat(parts) for parts in zip(*pairs, strict=True))


def _with_mirror_images(batch: FaceBatch, landmark_set: str | None) -> FaceBatch:
    image, landmarks, visible = mirror_faces(batch.image, batch.landmarks, batch.visible, landmark_set)
    return batch._replace(
        image=torch.cat([batch.image, image]),
        landmarks=torch.cat([batch.landmarks, landmarks]),
        visible=torch.cat([batch.visible, visible]),
    )
