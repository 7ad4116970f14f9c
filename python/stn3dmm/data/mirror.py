"""Mirror images of faces: pixels turned over, landmarks of left and right exchanged."""

from __future__ import annotations

from typing import NamedTuple

import torch

# SWAPS[set][l] is the landmark that takes the place of landmark l in the mirror image, 0-based.
# AFLW: brows, eyes, left ear, nose, right ear, mouth, chin. iBUG: the Multi-PIE 68.
# fmt: off
SWAPS: dict[str, tuple[int, ...]] = {
    "aflw21": (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 16, 15, 14, 13, 12, 19, 18, 17, 20),
    "ibug68": (
        16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
        26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
        27, 28, 29, 30, 35, 34, 33, 32, 31,
        45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
        54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
        64, 63, 62, 61, 60, 67, 66, 65,
    ),
}
# fmt: on


class Mirrored(NamedTuple):
    """Images and landmarks in the mirror."""

    image: torch.Tensor  # (..., H, W)
    landmarks: torch.Tensor  # (..., L, 2) pixels
    visible: torch.Tensor  # (..., L)


def mirror_faces(
    image: torch.Tensor, landmarks: torch.Tensor, visible: torch.Tensor, landmark_set: str | None
) -> Mirrored:
    """The mirror images of faces: x' = W - 1 - x, and landmarks of left and right change places.

    Args:
        image: (..., H, W), any dtype.
        landmarks: (..., L, 2) pixels.
        visible: (..., L).
        landmark_set: "aflw21", "ibug68", or None: there are no landmarks, L = 0.

    Returns:
        New tensors of the same shapes and dtypes. Mirrored twice they are what they were.

    Raises:
        ValueError: an unknown set, or another number of landmarks.

    Example:
        >>> landmarks = torch.zeros(1, 21, 2)
        >>> landmarks[0, 0, 0] = 5.0  # the outer end of the brow at the image's left
        >>> mirrored = mirror_faces(torch.zeros(1, 3, 8, 8), landmarks, torch.ones(1, 21), "aflw21")
        >>> mirrored.landmarks[0, 5].tolist()
        [2.0, 0.0]
    """
    if landmark_set is not None and landmark_set not in SWAPS:
        raise ValueError(f"mirror_faces: landmark_set must be one of {', '.join(SWAPS)}; got {landmark_set!r}.")
    order = SWAPS[landmark_set] if landmark_set else ()
    L = len(order)
    if landmarks.shape[-2:] != (L, 2) or visible.shape[-1:] != (L,):
        raise ValueError(
            f"mirror_faces: landmarks must be (..., {L}, 2) and visible (..., {L}) for {landmark_set}; "
            f"got {tuple(landmarks.shape)} and {tuple(visible.shape)}."
        )
    swap = torch.tensor(order, dtype=torch.int64, device=landmarks.device)
    swapped = landmarks.index_select(-2, swap)
    x = image.shape[-1] - 1 - swapped[..., :1]
    return Mirrored(image.flip(-1), torch.cat([x, swapped[..., 1:]], dim=-1), visible.index_select(-1, swap))
