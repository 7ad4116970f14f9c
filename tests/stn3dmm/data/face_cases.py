"""Small sources of faces, kept in memory, that the tests of the streams share."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from stn3dmm.data.faces import Face

DISC = 3.0  # pixels, radius
FINE = 8  # times finer than the photograph, so that the discs are where they should be


class ListedFaces:
    """Faces given as a list; those whose numbers are in ``damaged`` cannot be read."""

    left_out: Sequence[str] = ()

    def __init__(
        self,
        faces: list[Face],
        landmark_set: str | None = "aflw21",
        damaged: Sequence[int] = (),
        error: type[Exception] = ValueError,
    ) -> None:
        self.list, self.landmark_set, self.damaged, self.error = faces, landmark_set, set(damaged), error
        self.read: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.list)

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        return np.array([face.identity for face in self.list], dtype=np.int64)

    def faces(self, indices: Sequence[int]) -> list[Face]:
        self.read.append(list(indices))
        for index in indices:
            if index in self.damaged:
                raise self.error(f"{self.list[index].name}: a damaged picture (truncated).")
        return [self.list[index] for index in indices]


def landmarks_of(number: int, L: int = 21, size: tuple[int, int] = (140, 160)) -> npt.NDArray[np.float64]:
    """(L, 2) pixels, well apart, in the middle of a photograph (H, W)."""
    columns = 7
    rng = np.random.default_rng([7, number])
    grid = np.stack([np.arange(L) % columns, np.arange(L) // columns], axis=1) * 12.0
    return grid + rng.uniform(-1, 1, (L, 2)) + (size[1] / 2 - 36, size[0] / 2 - 12 * (L // columns) / 2)


@functools.cache
def numbered_face(number: int, L: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """A photograph of discs, and where they are (L, 2)."""
    points = landmarks_of(number, L)
    return photograph(points), points


def photograph(points: npt.NDArray[np.float64], size: tuple[int, int] = (140, 160)) -> npt.NDArray[np.uint8]:
    """(H, W, 3): white discs on black, their centres exactly at the points (L, 2)."""
    H, W = size
    picture = Image.new("L", (W * FINE, H * FINE))
    draw = ImageDraw.Draw(picture)
    for x, y in (points + 0.5) * FINE - 0.5:
        draw.ellipse((x - DISC * FINE, y - DISC * FINE, x + DISC * FINE, y + DISC * FINE), fill=255)
    return np.repeat(np.array(picture.reduce(FINE))[:, :, None], 3, axis=2)


def listed(count: int, identities: Sequence[int] | None = None, L: int = 21, **arguments: object) -> ListedFaces:
    """Faces of discs, AFLW's 21 by default; number k is called face<k>.png."""
    faces = []
    for number in range(count):
        image, points = numbered_face(number, L)
        identity = -1 if identities is None else identities[number]
        visible = np.ones(L, dtype=bool)
        faces.append(Face(image, points.copy(), visible, None, identity, None, f"face{number}.png"))
    return ListedFaces(faces, **arguments)  # type: ignore[arg-type]


def centroid(image: npt.NDArray[np.floating], x: float, y: float, reach: float) -> tuple[float, float]:
    """The middle (x, y) of what is bright around (x, y), nearer than ``reach`` pixels."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image * (np.hypot(rows - y, columns - x) < reach)
    return float((weight * columns).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())
