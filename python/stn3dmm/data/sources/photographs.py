"""What data sets of photograph files have in common: labels checked when opened, photographs read when asked for."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stn3dmm.data.faces import Box, Face, check_labels
from stn3dmm.formats.images import read_image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})
REPORTED = 20  # messages about damaged labels that are logged one by one

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Labels:
    """What a data set says about a face; the fields are those of `Face`."""

    photograph: Path
    name: str
    landmarks: npt.NDArray[np.float64] | None = None
    visible: npt.NDArray[np.bool_] | None = None
    box: Box | None = None
    identity: int = -1
    yaw: float | None = None
    size: tuple[int, int] | None = None  # (H, W) of the photograph that the labels belong to; None = not told
    framed: bool = False

    def check(self) -> None:
        """ValueError where the labels cannot be right, whatever the photograph."""
        check_labels(self.landmarks, self.visible, self.box, self.name)
        if self.landmarks is None or self.visible is None:
            return
        points = self.landmarks[self.visible]
        if len(points) == 0:
            raise ValueError(f"{self.name}: no landmark is given.")
        if len(points) > 1 and float(np.ptp(points, axis=0).max()) == 0:
            raise ValueError(f"{self.name}: all landmarks lie on one point, {points[0].tolist()}.")

    def face(self) -> Face:
        """The labels with their photograph.

        Raises:
            FileNotFoundError: the photograph is not there.
            ValueError: it is damaged, or the labels cannot be its own.
        """
        image = read_image(self.photograph)
        H, W = image.shape[:2]
        if self.size is not None and self.size != (H, W):
            raise ValueError(
                f"{self.name}: the labels are for a photograph of {self.size[1]} x {self.size[0]} pixels, but it has "
                f"{W} x {H}."
            )
        return Face(
            image=image,
            landmarks=self.landmarks,
            visible=self.visible,
            box=self.box,
            identity=self.identity,
            yaw=self.yaw,
            name=self.name,
            framed=self.framed,
        )


class PhotographFaces(abc.ABC):
    """Faces on photographs in files."""

    left_out: Sequence[str] = ()

    @property
    @abc.abstractmethod
    def landmark_set(self) -> str | None:
        """ "aflw21", "ibug68" or None."""

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @property
    @abc.abstractmethod
    def identities(self) -> npt.NDArray[np.int64]:
        """(len,) who is on each photograph, -1 = unknown."""

    @abc.abstractmethod
    def labels(self, index: int) -> Labels:
        """What is known of a face without its photograph.

        Raises:
            ValueError, OSError: the labels are damaged; the message names the file.
        """

    def faces(self, indices: Sequence[int]) -> list[Face]:
        """The faces with these numbers, in this order.

        Raises:
            FileNotFoundError: a photograph is not there.
            ValueError: a photograph or its labels are damaged, or do not belong together.
        """
        return [self.labels(index).face() for index in indices]


class TableFaces(PhotographFaces):
    """Faces whose labels all lie in memory, as arrays: worker processes share them."""

    def __init__(
        self,
        labels: Sequence[Labels],
        landmark_set: str | None,
        framed: bool = False,
        left_out: Sequence[str] = (),
    ) -> None:
        self._landmark_set, self._framed, self.left_out = landmark_set, framed, left_out
        F = len(labels)
        self._photographs = [os.fspath(one.photograph) for one in labels]
        self._names = [one.name for one in labels]
        self._identities = np.array([one.identity for one in labels], dtype=np.int64)
        self._yaws = np.array([np.nan if one.yaw is None else one.yaw for one in labels], dtype=np.float64)
        self._boxes = np.array([one.box or [np.nan] * 4 for one in labels], dtype=np.float64).reshape(F, 4)
        self._sizes = np.array([one.size or (0, 0) for one in labels], dtype=np.int64).reshape(F, 2)
        self._points = _stacked(labels) if landmark_set else None

    def __len__(self) -> int:
        return len(self._names)

    @property
    def landmark_set(self) -> str | None:
        return self._landmark_set

    @property
    def identities(self) -> npt.NDArray[np.int64]:
        return self._identities

    def labels(self, index: int) -> Labels:
        x0, y0, x1, y1 = self._boxes[index].tolist()
        H, W = self._sizes[index].tolist()
        return Labels(
            photograph=Path(self._photographs[index]),
            name=self._names[index],
            landmarks=self._points[0][index] if self._points else None,
            visible=self._points[1][index] if self._points else None,
            box=None if np.isnan(x0) else (x0, y0, x1, y1),
            identity=int(self._identities[index]),
            yaw=None if np.isnan(self._yaws[index]) else float(self._yaws[index]),
            size=(H, W) if H else None,
            framed=self._framed,
        )


def _stacked(labels: Sequence[Labels]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    landmarks = [one.landmarks for one in labels if one.landmarks is not None]
    visible = [one.visible for one in labels if one.visible is not None]
    return np.array(landmarks, dtype=np.float64), np.array(visible, dtype=np.bool_)


class Damage:
    """What is wrong with a data set: fatal at once, or collected and reported once.

    Args:
        on_damage: "skip" or "stop".
    """

    def __init__(self, on_damage: str) -> None:
        self.stops = on_damage == "stop"
        self.messages: list[str] = []

    def add(self, message: str) -> None:
        """ValueError with the message, or a note of it."""
        if self.stops:
            raise ValueError(message)
        self.messages.append(message)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """`add` for what the block raises as ValueError or OSError."""
        try:
            yield
        except (ValueError, OSError) as error:
            self.add(str(error))

    def sound(self, faces: Iterable[Labels | str]) -> list[Labels]:
        """The faces whose labels can be right; a string among them is the message of one that is damaged."""
        kept: list[Labels] = []
        for face in faces:
            with self.noted():
                if isinstance(face, str):
                    raise ValueError(face)
                face.check()
                kept.append(face)
        return kept

    def report(self, kept: int, where: object, expected: str) -> None:
        """Logs what was left out.

        Raises:
            ValueError: nothing is left.
        """
        found = len(self.messages)
        if kept == 0 and found == 0:
            raise ValueError(f"{where}: no faces; expected {expected}.")
        if kept == 0:
            raise ValueError(f"{where}: all {found} labels are damaged; the first: {self.messages[0]}")
        for message in self.messages[:REPORTED]:
            _log.warning("left out: %s", message)
        if found > REPORTED:
            _log.warning("left out: %d more of %d labels in %s", found - REPORTED, found + kept, where)


def existing_folder(path: str | os.PathLike[str], what: str) -> Path:
    """``path`` as a Path; FileNotFoundError or ValueError, with ``what`` was expected, where it is no folder."""
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: no such folder; expected {what}.")
    if not folder.is_dir():
        raise ValueError(f"{folder}: not a folder; expected {what}.")
    return folder


def photographs_in(folder: Path) -> list[Path]:
    """The pictures in a folder and its sub-folders, in alphabetical order; hidden ones left out."""
    found: list[Path] = []
    seen: set[str] = set()  # links may lead back
    for place, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        pictures = (name for name in sorted(files) if Path(name).suffix.lower() in SUFFIXES)
        found += [Path(place, name) for name in pictures if not name.startswith(".")]
    return found


def numbered(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """(len,) a number for each different name, in alphabetical order; "" is nobody, -1."""
    numbers = {name: number for number, name in enumerate(sorted(set(names) - {""}))}
    return np.array([numbers.get(name, -1) for name in names], dtype=np.int64)
