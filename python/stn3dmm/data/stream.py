"""Samples for training and evaluation: faces cropped, augmented and put into batches."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from stn3dmm.data.augmentation import AugmentationConfig, Augmented, augment, plain
from stn3dmm.data.batches import BatchNumbers, DamageReport, FaceBatch, Sample, collate
from stn3dmm.data.crops import FACE_SIZE, Affine, crop_of
from stn3dmm.data.faces import Face, FaceSource, check_landmark_set, landmark_count, sound_faces
from stn3dmm.data.order import AUGMENTATION, InTurn, Order, Pairs, Shuffled
from stn3dmm.data.synthetic.draws import Draws
from stn3dmm.threads import limited_threads

__all__ = [
    "BatchNumbers",
    "DamageReport",
    "EvaluationStream",
    "FaceBatch",
    "FaceStream",
    "Sample",
    "collate",
    "evaluation_stream",
    "loader",
]

SMALLEST_CROP = 8  # pixels
LARGEST_FACE = 4.0  # shorter sides of the crop


class FaceStream(Dataset[Sample]):
    """An endless row of crops from a source: sample n is a function of the seed and n alone.

    Each epoch, ``len(stream)`` samples, shows every face once in an order of its own. Neither batches nor workers
    nor what was asked for before have any influence on a sample.

    Convention:
        Landmarks that the augmentation moves out of the crop are not visible. Sample.affine holds all of the crop's
        geometry, the mirror included.

    Args:
        source: the faces.
        image_size: (H, W) of the crops.
        landmark_set: "aflw21" or "ibug68", a source without landmarks has none that is visible then; None: samples
            have no landmarks, L = 0, and those of the source only say where the face is.
        augmentation: None for plain crops.
        pairs: "none", or "identity": samples 2 p and 2 p + 1 are two photographs of one person.
        seed: any whole number of 0 or more.
        on_damage: what a damaged photograph does: "skip", another face takes its place and Sample.damage says so, or
            "stop", the error is raised.
        face_size: longer side of the whole face in shorter sides of the crop (`crops.crop_transform`).

    Raises:
        ValueError: landmarks of another set than asked for, no faces, no two photographs of one person where pairs
            are asked for; later, when every face of the source is damaged.
    """

    def __init__(
        self,
        source: FaceSource,
        image_size: tuple[int, int],
        landmark_set: str | None,
        *,
        augmentation: AugmentationConfig | None = None,
        pairs: Literal["none", "identity"] = "none",
        seed: int = 0,
        on_damage: Literal["skip", "stop"] = "skip",
        face_size: float = FACE_SIZE,
    ) -> None:
        if operator.index(seed) < 0:
            raise ValueError(f"FaceStream: seed must be 0 or more; got {seed}.")
        if pairs not in ("none", "identity"):
            raise ValueError(f"FaceStream: pairs must be 'none' or 'identity'; got {pairs!r}.")
        _check_arguments(source, image_size, landmark_set, on_damage, face_size)
        self.source, self.image_size, self.landmark_set = source, image_size, landmark_set
        self.augmentation, self.seed, self.on_damage, self.face_size = augmentation, seed, on_damage, face_size
        self.order = _order(source, pairs, seed)
        self._damaged: dict[int, str] = {}  # what this process found; others find the same

    def __len__(self) -> int:
        """Samples of an epoch."""
        return self.order.epoch_length

    def __getitem__(self, number: int) -> Sample:
        """Sample ``number``, 0 or more, as many as one likes."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[Sample]:
        """The samples of a batch; faces that are drawn are made faster together."""
        wanted = [operator.index(number) for number in numbers]
        if wanted and min(wanted) < 0:
            raise ValueError(f"FaceStream: sample numbers must be 0 or more; got {min(wanted)}.")
        with limited_threads(1):
            return [self._sample(number, *found) for number, found in zip(wanted, self._faces(wanted), strict=True)]

    def _faces(self, numbers: list[int]) -> list[tuple[Face | None, str]]:
        """For each sample its face, and what was damaged before it was found."""
        waiting = {number: (self.order.candidates(number), list[str]()) for number in dict.fromkeys(numbers)}
        found: dict[int, tuple[Face | None, str]] = {}
        while waiting:
            asked: dict[int, int] = {}
            for number, (candidates, messages) in list(waiting.items()):
                index = self._next_sound(candidates, messages)
                if index is None:
                    found[number] = self._nothing_left(messages)
                    del waiting[number]
                else:
                    asked[number] = index
            faces = self._read(sorted(set(asked.values())))
            for number, index in asked.items():
                if index in faces:
                    found[number] = faces[index], "\n".join(dict.fromkeys(waiting.pop(number)[1]))
                else:
                    waiting[number][1].append(self._damaged[index])
        return [found[number] for number in numbers]

    def _next_sound(self, candidates: Iterator[int], messages: list[str]) -> int | None:
        for index in candidates:
            if index not in self._damaged:
                return index
            messages.append(self._damaged[index])
        return None

    def _nothing_left(self, messages: list[str]) -> tuple[Face | None, str]:
        raise ValueError(f"All {len(self.source)} photographs of the data set are damaged; the first: {messages[0]}")

    def _read(self, indices: list[int]) -> dict[int, Face]:
        """The faces with these indices that are not damaged; the messages of the others are kept."""
        if not indices:
            return {}
        read = self.source.faces if self.on_damage == "stop" else functools.partial(sound_faces, self.source)
        found = dict(zip(indices, read(indices), strict=True))
        self._damaged |= {index: damage for index, damage in found.items() if isinstance(damage, str)}
        return {index: face for index, face in found.items() if isinstance(face, Face)}

    def _sample(self, number: int, face: Face | None, damage: str) -> Sample:
        if face is None:
            return _nothing_to_see(self.image_size, landmark_count(self.landmark_set), number, damage)
        affine = crop_of(face, self.image_size, self.face_size)
        if self.augmentation is None:
            made = plain(face, affine, self.image_size, self.landmark_set)
        else:
            draws = Draws(self.seed, AUGMENTATION, number)
            made = augment(face, affine, self.image_size, self.landmark_set, self.augmentation, draws)
        visible = self._kept(made)
        return Sample(
            image=made.image,
            landmarks=torch.from_numpy(np.where(visible[:, None], made.landmarks, 0.0).astype(np.float32)),
            visible=torch.from_numpy(visible.astype(np.float32)),
            identity=torch.tensor(face.identity),
            affine=torch.from_numpy(made.affine.astype(np.float32)),
            yaw=torch.tensor(_yaw(face, made.affine), dtype=torch.float32),
            number=torch.tensor(number),
            name=face.name,
            damage=damage,
        )

    def _kept(self, made: Augmented) -> npt.NDArray[np.bool_]:
        """(L,) the visible landmarks that lie in the crop."""
        H, W = self.image_size
        return made.visible & ((made.landmarks >= 0) & (made.landmarks <= (W - 1, H - 1))).all(axis=1)


def _check_arguments(
    source: FaceSource, image_size: tuple[int, int], landmark_set: str | None, on_damage: str, face_size: float
) -> None:
    if len(source) == 0:
        raise ValueError("The data set has no faces.")
    if len(image_size) != 2 or min(image_size) < SMALLEST_CROP:
        raise ValueError(f"The crop's image_size must be (H, W), {SMALLEST_CROP} pixels or more; got {image_size}.")
    if on_damage not in ("skip", "stop"):
        raise ValueError(f"on_damage must be 'skip' or 'stop'; got {on_damage!r}.")
    if not 0 < face_size <= LARGEST_FACE:
        raise ValueError(f"face_size must lie in 0..{LARGEST_FACE:g}, 0 not included; got {face_size}.")
    check_landmark_set(source.landmark_set, landmark_set, "The data set")


def _order(source: FaceSource, pairs: str, seed: int) -> Order:
    if pairs == "none":
        return Shuffled(len(source), seed)
    order = Pairs(source.identities, seed)
    if order.epoch_length == 0:
        raise ValueError(
            "pairs = 'identity' needs two photographs of one person; the data set has none. Use folders, one a "
            "person, or a data set that says who is who."
        )
    return order


def _yaw(face: Face, affine: Affine) -> float:
    """Degrees in the crop, which may be mirrored; nan = unknown."""
    yaw = float("nan") if face.yaw is None else face.yaw
    return -yaw if np.linalg.det(affine[:, :2]) < 0 else yaw


def _nothing_to_see(image_size: tuple[int, int], L: int, number: int, damage: str) -> Sample:
    return Sample(
        image=torch.zeros(3, *image_size, dtype=torch.uint8),
        landmarks=torch.zeros(L, 2),
        visible=torch.zeros(L),
        identity=torch.tensor(-1),
        affine=torch.eye(2, 3),
        yaw=torch.tensor(torch.nan),
        number=torch.tensor(number),
        name=damage.partition(": ")[0],
        damage=damage,
    )


class EvaluationStream(FaceStream):
    """Every face once, in the source's order, cropped without augmentation.

    Landmarks stay visible where they lie outside the crop. A damaged photograph becomes a black crop
    without any visible landmark whose ``damage`` is not empty: leave it out of what is measured.
    """

    def __init__(
        self,
        source: FaceSource,
        image_size: tuple[int, int],
        landmark_set: str | None,
        *,
        on_damage: Literal["skip", "stop"] = "skip",
        face_size: float = FACE_SIZE,
    ) -> None:
        super().__init__(source, image_size, landmark_set, on_damage=on_damage, face_size=face_size)
        self.order = InTurn(len(source))

    def __getitems__(self, numbers: Sequence[int]) -> list[Sample]:
        """The samples of a batch; IndexError beyond the last face, which ends a loop."""
        beyond = [number for number in numbers if not 0 <= number < len(self)]
        if beyond:
            raise IndexError(f"EvaluationStream: numbers must lie in 0..{len(self) - 1}; got {beyond[0]}.")
        return super().__getitems__(numbers)

    def _nothing_left(self, messages: list[str]) -> tuple[Face | None, str]:
        return None, "\n".join(messages)

    def _kept(self, made: Augmented) -> npt.NDArray[np.bool_]:
        return made.visible


def evaluation_stream(
    source: FaceSource,
    image_size: tuple[int, int],
    landmark_set: str | None,
    *,
    on_damage: Literal["skip", "stop"] = "skip",
    face_size: float = FACE_SIZE,
) -> EvaluationStream:
    """Every face once, in the source's order, cropped without augmentation."""
    return EvaluationStream(source, image_size, landmark_set, on_damage=on_damage, face_size=face_size)


def loader(
    stream: FaceStream,
    batch_size: int,
    first_batch: int,
    last_batch: int,
    *,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
    pinned: bool = False,
) -> DataLoader[Sample]:
    """Batches ``first_batch`` to ``last_batch - 1`` of a stream, as `FaceBatch`; the same for any number of workers.

    Those of an evaluation stream end with its last face; the last of them may be smaller.

    Raises:
        ValueError: a batch size that does not go into equal parts, nor into pairs where the stream has pairs.
    """
    end = len(stream) if isinstance(stream.order, InTurn) else None
    numbers = BatchNumbers(batch_size, first_batch, last_batch, rank, world, end=end)
    if isinstance(stream.order, Pairs) and batch_size // world % 2:
        raise ValueError(
            f"With pairs of photographs each process needs an even number of samples; got {batch_size // world}."
        )
    return DataLoader(stream, batch_sampler=numbers, num_workers=workers, collate_fn=collate, pin_memory=pinned)
