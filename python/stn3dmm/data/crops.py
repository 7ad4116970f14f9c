"""Crops of photographs: one affine map from the photograph's pixels to the crop's, for colours, labels and theta.

Convention:
    An affine A is (2, 3) float64: q = A[:, :2] p + A[:, 2] takes a photograph pixel p to the crop pixel q, both with
    x right, y down and centres at integers.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from stn3dmm.data.faces import Box, Face
from stn3dmm_cuda import sample

Affine = npt.NDArray[np.float64]  # (2, 3)

FACE_SIZE = 0.75  # longer side of the mean face's box in shorter sides of the image, as the untrained localiser has it
# Longer side of the box around landmarks, or of a detector's box from brows to chin, in longer sides of the box around
# the whole face. Both landmark sets, the embedded and the Basel model, yaw 0 to 90 degrees: 0.60 to 0.72.
LANDMARK_SHARE = 0.69
# Bilinear sampling passes over pixels when its steps are longer than this; then each crop pixel takes several samples.
LONGEST_STEP = 1.5  # photograph pixels


def box_of(face: Face) -> Box | None:
    """The face's own box, else the tight box of its visible landmarks, else None; None where that is a point."""
    if face.box is not None:
        return face.box
    if face.landmarks is None or face.visible is None or not face.visible.any():
        return None
    points = face.landmarks[face.visible]
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return (x0, y0, x1, y1) if max(x1 - x0, y1 - y0) > 0 else None


def crop_transform(box: Box, image_size: tuple[int, int], face_size: float = FACE_SIZE) -> Affine:
    """The affine of the crop with the box in its middle, upright, both axes scaled alike.

    Args:
        box: (x0, y0, x1, y1) photograph pixels, tight around landmarks or drawn from brows to chin.
        image_size: (H, W) of the crop.
        face_size: longer side of the whole face in shorter sides of the crop; the box's longer side takes
            LANDMARK_SHARE of it.

    Example:
        >>> crop_transform((100, 100, 200, 180), (224, 224), face_size=1.0).round(3).tolist()
        [[1.546, 0.0, -120.34], [0.0, 1.546, -104.884]]
    """
    H, W = image_size
    x0, y0, x1, y1 = box
    scale = face_size * LANDMARK_SHARE * min(H, W) / max(x1 - x0, y1 - y0)
    return _centred(scale, ((x0 + x1) / 2, (y0 + y1) / 2), image_size)


def whole_transform(photograph_size: tuple[int, int], image_size: tuple[int, int]) -> Affine:
    """The affine of the crop that shows the whole photograph (H, W), as large as it fits; the identity for one size."""
    scale = min(image_size[0] / photograph_size[0], image_size[1] / photograph_size[1])
    return _centred(scale, ((photograph_size[1] - 1) / 2, (photograph_size[0] - 1) / 2), image_size)


def crop_of(face: Face, image_size: tuple[int, int], face_size: float = FACE_SIZE) -> Affine:
    """The affine of a face's crop: around its box, else around its landmarks, else of the whole photograph."""
    box = None if face.framed else box_of(face)
    if box is None:
        H, W = face.image.shape[:2]
        return whole_transform((H, W), image_size)
    return crop_transform(box, image_size, face_size)


def _centred(scale: float, centre: tuple[float, float], image_size: tuple[int, int]) -> Affine:
    H, W = image_size
    return np.array(
        [[scale, 0.0, (W - 1) / 2 - scale * centre[0]], [0.0, scale, (H - 1) / 2 - scale * centre[1]]],
        dtype=np.float64,
    )


def composed(second: Affine, first: Affine) -> Affine:
    """The affine that does ``first``, then ``second``."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]])


def inverted(affine: Affine) -> Affine:
    """The affine from the crop back to the photograph."""
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack([linear, -linear @ affine[:, 2]])


def move_points(points: npt.NDArray[np.float64], affine: Affine) -> npt.NDArray[np.float64]:
    """Photograph pixels (..., 2) as crop pixels (..., 2)."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], dtype=np.float64)


def crop(image: npt.NDArray[np.uint8], affine: Affine, image_size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The crop (H, W, 3) of a photograph (H', W', 3) in 8 bits, as `resampled` makes it."""
    colours = resampled(image, affine, image_size).round_().to(torch.uint8)
    return np.ascontiguousarray(colours.permute(1, 2, 0).numpy())


def resampled(image: npt.NDArray[np.uint8], affine: Affine, image_size: tuple[int, int]) -> torch.Tensor:
    """The crop of a photograph as colours (3, H, W) float32 0..255, antialiased where it shrinks.

    The colour at crop pixel A p is the photograph's at p, sampled bilinearly with black beyond the border
    (`stn3dmm_cuda.sample`). Where sampling would pass over pixels, large photographs are averaged in blocks first, and
    each crop pixel is the mean of several samples.

    Args:
        image: (H', W', 3) uint8.
        affine: (2, 3) photograph to crop.
        image_size: (H, W) of the crop.

    Raises:
        ValueError: the affine is not finite, or squeezes everything into a line.
    """
    H, W = image_size
    if np.array_equal(affine, np.eye(2, 3)) and image.shape[:2] == (H, W):
        return _colours(image)
    step = _longest_step(affine)
    back = inverted(affine)
    block = max(1, math.floor(step))
    part, first = _needed_part(image, back, image_size, block)
    if part.size == 0:
        return torch.zeros(3, H, W)
    colours = _colours(part)[None]
    if block > 1:
        colours = F.avg_pool2d(colours, block, ceil_mode=True)
    # Block i has its centre at the photograph's pixel first + block i + (block - 1) / 2.
    back = np.column_stack([back[:, :2], back[:, 2] - first - (block - 1) / 2]) / block
    points = _points(back, image_size, samples=math.ceil(step / block / LONGEST_STEP))
    drawn = sample(colours, points.reshape(1, -1, 2)).reshape(3, len(points), H, W)
    return drawn.mean(dim=1) if len(points) > 1 else drawn[:, 0]


def _colours(image: npt.NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1).to(torch.float32, memory_format=torch.contiguous_format)


def _points(back: Affine, image_size: tuple[int, int], samples: int) -> torch.Tensor:
    """(samples^2, H, W, 2) where the crop's pixels are sampled, ``samples`` times in each direction."""
    H, W = image_size
    x, y = torch.arange(W, dtype=torch.float64), torch.arange(H, dtype=torch.float64)[:, None]
    points = torch.empty(samples * samples, H, W, 2)
    parts = [(k + 0.5) / samples - 0.5 for k in range(samples)]
    for place, (dx, dy) in zip(points, itertools.product(parts, parts), strict=True):
        for axis, (a, b, offset) in enumerate(back.tolist()):
            torch.add((a * (x + dx)).float(), (b * (y + dy) + offset).float(), out=place[..., axis])
    return points


def _longest_step(affine: Affine) -> float:
    """Photograph pixels from one crop pixel to the next, in the direction where they are most."""
    if not np.isfinite(affine).all():
        raise ValueError(f"crop: the affine must be finite; got {affine.tolist()}.")
    least = float(np.linalg.svd(affine[:, :2], compute_uv=False)[-1])
    if least < 1e-6:
        raise ValueError(f"crop: the affine must not squeeze the photograph into a line; got {affine.tolist()}.")
    return 1 / least


def _needed_part(
    image: npt.NDArray[np.uint8], back: Affine, image_size: tuple[int, int], block: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The part of the photograph that the crop shows, and its first column and row."""
    H, W = image_size
    corners = move_points(np.array([[-0.5, -0.5], [W - 0.5, -0.5], [-0.5, H - 0.5], [W - 0.5, H - 0.5]]), back)
    border = 2 * block  # what sampling reaches beyond the corners
    limits = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)) - border, 0, limits).astype(np.int64)
    high = np.clip(np.ceil(corners.max(axis=0)) + border + 1, 0, limits).astype(np.int64)
    return np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]]), low


def theta_to_photograph(theta: torch.Tensor, affine: torch.Tensor) -> torch.Tensor:
    """theta of the crop as theta of the photograph: the same face on the photograph's pixels.

    Args:
        theta: (B, 6 + K), pixels of the crop.
        affine: (B, 2, 3) photograph to crop, upright: one positive scale and an offset.

    Returns:
        (B, 6 + K), theta's dtype; t and log s change, rotation and alpha stay.

    Raises:
        ValueError: other shapes, or an affine that rotates, mirrors or stretches.
    """
    if theta.ndim != 2 or affine.shape != (len(theta), 2, 3):
        raise ValueError(
            f"theta_to_photograph: theta must be (B, 6 + K) and affine (B, 2, 3); "
            f"got {tuple(theta.shape)} and {tuple(affine.shape)}."
        )
    affine = affine.to(theta)
    scale = affine[:, 0, 0]
    upright = scale[:, None, None] * torch.eye(2, dtype=theta.dtype, device=theta.device)
    if not bool(((affine[..., :2] - upright).abs() <= 1e-5 * scale[:, None, None]).all()):
        raise ValueError(
            "theta_to_photograph: the affine must be a positive scale and an offset, without rotation or mirroring. "
            "Crop without augmentation, as an evaluation stream does."
        )
    moved = (theta[:, 3:5] - affine[:, :, 2]) / scale[:, None]
    return torch.cat([theta[:, :3], moved, theta[:, 5:6] - scale.log()[:, None], theta[:, 6:]], dim=1)
