"""One face in one photograph, and where such faces come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stn3dmm.morphable_model import LANDMARK_SETS

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels; may reach beyond the photograph
FAR = 1.0  # photograph sizes that a label may lie outside; beyond it the labels are another photograph's


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """A face as a data set describes it, in the pixels of the whole photograph (x right, y down, centres at integers).

    Raises:
        ValueError: shapes that do not belong together, a box without extent, coordinates that are not finite where
            the landmark is visible, a box or a visible landmark further from the photograph than it is large; the
            message begins with ``name``.
    """

    image: npt.NDArray[np.uint8]  # (H, W, 3) RGB
    landmarks: npt.NDArray[np.float64] | None  # (L, 2) pixels; anything where not visible
    visible: npt.NDArray[np.bool_] | None  # (L,) True where the landmark is labelled and seen
    box: Box | None  # around the face, from brows to chin as detectors draw it
    identity: int  # who it is, -1 = unknown
    yaw: float | None  # degrees, positive: the nose points to the image's right
    name: str  # what messages call it: a path, and which face where there are several
    framed: bool = False  # True: the photograph is a crop of the face already, and is only scaled

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or 0 in self.image.shape or self.image.dtype != np.uint8:
            raise ValueError(f"{self.name}: the image must be (H, W, 3) uint8; got {self.image.shape}.")
        check_labels(self.landmarks, self.visible, self.box, self.name)
        self._check_near()

    def _check_near(self) -> None:
        """ValueError for labels that cannot be this photograph's."""
        H, W = self.image.shape[:2]

        def far(points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
            outside = np.maximum(-points, points - (W - 1, H - 1))
            return np.asarray((outside > FAR * np.array([W, H])).any(axis=-1))

        where = f"far outside the photograph of {W} x {H} pixels."
        if self.box is not None and far(np.array(self.box).reshape(2, 2)).any():
            raise ValueError(f"{self.name}: the box {_told(self.box)} reaches {where}")
        if self.landmarks is not None and self.visible is not None:
            wrong = np.flatnonzero(self.visible & far(self.landmarks))
            if len(wrong):
                at = _told(self.landmarks[wrong[0]])
                raise ValueError(f"{self.name}: landmark {wrong[0] + 1} at {at} lies {where}")


def _told(numbers: Iterable[float]) -> str:
    return f"({', '.join(f'{number:g}' for number in numbers)})"


class FaceSource(Protocol):
    """Faces by number. `stn3dmm.data.sources` has one for each kind of data set."""

    @property
    def landmark_set(self) -> str | None:
        """ "aflw21", "ibug68" or None: photographs without landmarks."""
        ...

    @property
    def left_out(self) -> Sequence[str]:
        """What was damaged when the source was opened and has no number, a sentence each."""
        ...

    def __len__(self) -> int: ...

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        """(len,) who is on each photograph, -1 = unknown."""
        ...

    def faces(self, indices: Sequence[int]) -> list[Face]:
        """The faces with these numbers, in this order.

        Raises:
            ValueError, OSError: a photograph or a label is damaged or missing; the message names the file.
        """
        ...


def sound_faces(source: FaceSource, indices: Sequence[int]) -> list[Face | str]:
    """The faces with these numbers, read together where all are sound; what is damaged is its message."""
    try:
        return [*source.faces(indices)]
    except (ValueError, OSError) as error:
        if len(indices) == 1:
            return [str(error)]
    return [found for index in indices for found in sound_faces(source, [index])]


def landmark_count(landmark_set: str | None) -> int:
    """L of a landmark set; 0 for None.

    Raises:
        ValueError: no such set.
    """
    if landmark_set is None:
        return 0
    if landmark_set not in LANDMARK_SETS:
        raise ValueError(f"landmark_set must be one of {', '.join(LANDMARK_SETS)}; got {landmark_set!r}.")
    return LANDMARK_SETS[landmark_set]


def check_landmark_set(has: str | None, wanted: str | None, what: str) -> None:
    """ValueError where landmarks are of another set than ``wanted``; none on either side is well."""
    landmark_count(wanted)
    if None not in (has, wanted) and has != wanted:
        raise ValueError(
            f"{what}: its landmarks are {has}, but {wanted} are asked for. Set landmark_set = {has!r}, or take data "
            f"that is labelled with {wanted}."
        )


def check_labels(
    landmarks: npt.NDArray[np.float64] | None, visible: npt.NDArray[np.bool_] | None, box: Box | None, name: str
) -> None:
    """ValueError, with ``name`` first, for landmarks, flags and a box that do not belong together."""
    if (landmarks is None) != (visible is None):
        raise ValueError(f"{name}: landmarks and visible must be given together.")
    if landmarks is not None and visible is not None:
        if landmarks.ndim != 2 or landmarks.shape[1] != 2 or visible.shape != landmarks.shape[:1]:
            raise ValueError(
                f"{name}: landmarks must be (L, 2) and visible (L,); got {landmarks.shape} and {visible.shape}."
            )
        bad = np.flatnonzero(visible & ~np.isfinite(landmarks).all(axis=1))
        if len(bad):
            raise ValueError(f"{name}: landmark {bad[0] + 1} is visible but its coordinates are not finite.")
    if box is not None and not (np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1]):
        raise ValueError(f"{name}: the box must be x0, y0, x1, y1 with x0 < x1 and y0 < y1; got {box}.")
