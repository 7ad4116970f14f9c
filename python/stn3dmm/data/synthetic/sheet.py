"""A sheet of synthetic faces to look at, plain or with what is known about them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

from .faces import SyntheticFaces, SyntheticSamples

SEEN, HIDDEN = (70, 230, 120), (230, 70, 60)
ENLARGED = 2  # so that landmarks do not hide what they mark


def sheet(faces: SyntheticFaces, columns: int, rows: int, *, truth: bool = False) -> npt.NDArray[np.uint8]:
    """The first images of a data set, side by side.

    Args:
        faces: the data set.
        columns: images in a row.
        rows: of images.
        truth: marks the landmarks, green where they are seen and red where not, and sets the true texture beside
            each image: the colours that the image shows bright, those that it hides dark.

    Returns:
        (height, width, 3) pixels.

    Raises:
        ValueError: no row or no column.
    """
    if columns < 1 or rows < 1:
        raise ValueError(f"sheet: columns and rows must be 1 or more; got {columns} x {rows}.")
    samples = faces.batch(range(columns * rows))
    tiles = [_with_truth(samples, b) if truth else _pixels(samples.image[b]) for b in range(columns * rows)]
    return np.concatenate([np.concatenate(tiles[r * columns : (r + 1) * columns], axis=1) for r in range(rows)])


def _pixels(image: torch.Tensor) -> npt.NDArray[np.uint8]:
    return np.asarray((image.permute(1, 2, 0) * 255).round().byte().numpy())


def _with_truth(samples: SyntheticSamples, b: int) -> npt.NDArray[np.uint8]:
    H, W = samples.image.shape[2:]
    picture = Image.fromarray(_pixels(samples.image[b])).resize((ENLARGED * W, ENLARGED * H), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for name, points in samples.landmarks.items():
        size = 2.0 if name == "ibug68" else 3.5
        for (x, y), seen in zip(points[b].tolist(), samples.visible[name][b].tolist(), strict=True):
            x, y = (x + 0.5) * ENLARGED, (y + 0.5) * ENLARGED
            box = (x - size, y - size, x + size, y + size)
            colour = SEEN if seen else HIDDEN
            draw.ellipse(box, fill=colour if name == "ibug68" else None, outline=colour)
    texture = Image.fromarray(_pixels(samples.texture[b] * (0.3 + 0.7 * samples.mask[b])))
    side = Image.fromarray(np.array(texture)).resize((ENLARGED * H, ENLARGED * H), Image.Resampling.BILINEAR)
    return np.concatenate([np.array(picture), np.array(side)], axis=1)
