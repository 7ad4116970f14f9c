"""The photographs that a command is given, and where the face lies in each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stn3dmm.cli.batch import Batch
from stn3dmm.cli.console import chosen_model
from stn3dmm.cli.sources import Photograph, beside, fits_of, in_table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stn3dmm.data.faces import Box, Face
    from stn3dmm.fit_file import FitRecord
    from stn3dmm.localised import TrainedLocaliser
    from stn3dmm.morphable_model import MorphableModel

CHECKPOINT_HELP = (
    "A trained localiser finds the faces, in place of fits: best.pt of 'stn3dmm train', or the folder of the run. It "
    "knows its model; --model says where that is now."
)
BOXES_HELP = (
    "With --checkpoint: where the faces are, a CSV with the header file,x0,y0,x1,y1 (pixels from 0, y down). Without "
    "it, landmarks beside the photographs tell; else a photograph is taken as a crop of a face."
)
BATCH_HELP = "With --checkpoint: photographs at a time."
DEVICE_HELP = "With --checkpoint: auto, cpu, cuda or cuda:N."
WHOLE = "whole photograph"  # the face is taken to fill it
Step = Callable[[str], None]


class Located(NamedTuple):
    """A photograph and the face in it."""

    photograph: Photograph
    pixels: npt.NDArray[np.uint8]  # (H, W, 3)
    record: FitRecord
    found_by: str  # "fit", "box", "landmarks" or WHOLE


class FromFits:
    """Faces as they were fitted."""

    def __init__(self, photographs: list[Photograph], fits: Path | None, model: Path | None) -> None:
        self._fit_for = fits_of(photographs, fits)
        self.model = chosen_model(model)

    def located(self, photographs: Sequence[Photograph], batch: Batch, step: Step) -> Iterator[Located]:
        """The photographs whose fits can be read; the others are reported."""
        from stn3dmm.formats.images import read_image

        for photograph in photographs:
            step(photograph.path.name)
            found = None
            with batch.attempt(photograph.path):
                found = Located(photograph, read_image(photograph.path), self._fit_for(photograph), "fit")
            if found is not None:
                yield found


class FromLocaliser:
    """Faces as a trained localiser finds them, so many photographs at a time."""

    def __init__(self, checkpoint: Path, boxes: Path | None, model: Path | None, batch_size: int, device: str) -> None:
        from stn3dmm.formats.boxes import read_boxes
        from stn3dmm.localised import load_localiser

        self._box_of: Callable[[Path], Box] | None = None
        if boxes is not None:
            table = read_boxes(boxes)
            self._box_of = lambda image: in_table(image, table, boxes)
        self._batch_size = batch_size
        self._localiser: TrainedLocaliser = load_localiser(checkpoint, model, device)
        self.model: MorphableModel = self._localiser.model

    def located(self, photographs: Sequence[Photograph], batch: Batch, step: Step) -> Iterator[Located]:
        """The photographs that can be read; the others are reported."""
        from stn3dmm.fit_file import FitRecord

        for start in range(0, len(photographs), self._batch_size):
            faces: list[tuple[Photograph, Face, str]] = []
            for photograph in photographs[start : start + self._batch_size]:
                step(photograph.path.name)
                with batch.attempt(photograph.path):
                    faces.append((photograph, *self._face(photograph)))
            theta = self._localiser.localise_faces([face for _, face, _ in faces])
            for (photograph, face, found_by), answer in zip(faces, theta.numpy(), strict=True):
                H, W = face.image.shape[:2]
                record = FitRecord(
                    theta=answer,
                    error=float("nan"),
                    image=photograph.path.name,
                    image_size=(H, W),
                    landmark_set="",
                    model=self.model.source,
                    mode_names=self.model.mode_names,
                )
                yield Located(photograph, face.image, record, found_by)

    def _face(self, photograph: Photograph) -> tuple[Face, str]:
        from stn3dmm.data.sources.photographs import Labels

        path = photograph.path
        labels, found_by = Labels(path, path.name), WHOLE
        if self._box_of is not None:
            labels, found_by = Labels(path, path.name, box=self._box_of(path)), "box"
        elif (annotation := beside(path)) is not None:
            name = f"{path.name} ({Path(annotation.where).name})"
            labels, found_by = Labels(path, name, annotation.points, annotation.visible), "landmarks"
        labels.check()
        return labels.face(), found_by


def faces_of(
    photographs: list[Photograph],
    fits: Path | None,
    checkpoint: Path | None,
    boxes: Path | None,
    model: Path | None,
    batch_size: int,
    device: str,
) -> FromFits | FromLocaliser:
    """Where the faces of the photographs are, as the options say."""
    if fits is not None and checkpoint is not None:
        raise ValueError("--fits and --checkpoint both say where the faces are; give one of them.")
    if checkpoint is not None:
        return FromLocaliser(checkpoint, boxes, model, batch_size, device)
    if boxes is not None:
        raise ValueError("--boxes says where a localiser is to look; give its --checkpoint too.")
    return FromFits(photographs, fits, model)


def note_on(found_by: Sequence[str]) -> str:
    """A sentence about photographs that were taken as crops of faces, "" if there are none."""
    whole = found_by.count(WHOLE)
    if not whole:
        return ""
    return (
        f"Note: {whole} of {len(found_by)} photographs had no box and no landmarks, and were taken as crops of faces; "
        "if they show more, give --boxes."
    )
