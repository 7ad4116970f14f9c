"""Which images of a training batch show one face."""

from __future__ import annotations

import torch

from stn3dmm.data.mirror import mirror_faces
from stn3dmm.data.stream import FaceBatch
from stn3dmm.objective import Pairs


def paired(batch: FaceBatch, kind: str, landmark_set: str) -> tuple[FaceBatch, Pairs | None]:
    """The batch as it goes to the localiser, and its pairs.

    Args:
        batch: B faces; with pairs of one identity, 2 p and 2 p + 1 are two views.
        kind: "none"; "mirror": the mirror images follow the images, so that there are 2 B; "identity"; "both".
        landmark_set: whose left and right the mirror swaps.
    """
    B = len(batch.image)
    numbers = torch.arange(B, device=batch.image.device)
    pairs: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []  # first, second, weight
    if kind in ("identity", "both"):
        first, second = numbers[0::2], numbers[1::2]
        known = (batch.identity[first] == batch.identity[second]) & (batch.identity[first] >= 0)
        pairs.append((first, second, known))
    identical = sum(len(first) for first, _, _ in pairs)
    if kind in ("mirror", "both"):
        pairs.append((numbers, numbers + B, torch.ones_like(numbers, dtype=torch.bool)))
        batch = _with_mirror_images(batch, landmark_set)
    if not pairs:
        return batch, None
    first, second, weight = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    mirrored = torch.arange(len(first), device=first.device) >= identical
    return batch, Pairs(first, second, weight, mirrored)


def _with_mirror_images(batch: FaceBatch, landmark_set: str) -> FaceBatch:
    image, landmarks, visible = mirror_faces(batch.image, batch.landmarks, batch.visible, landmark_set)
    return batch._replace(
        image=torch.cat([batch.image, image]),
        landmarks=torch.cat([batch.landmarks, landmarks]),
        visible=torch.cat([batch.visible, visible]),
    )
