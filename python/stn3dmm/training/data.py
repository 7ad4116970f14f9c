"""The photographs of a run, in batches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal, cast

from torch import nn

from stn3dmm.data.faces import FaceSource
from stn3dmm.data.sources import open_source
from stn3dmm.data.sources.joined import JoinedFaces
from stn3dmm.data.sources.partly_labelled import PartlyLabelled
from stn3dmm.data.sources.pooled import PooledFaces
from stn3dmm.data.stream import DamageReport, FaceBatch, FaceStream, evaluation_stream, loader
from stn3dmm.evaluation.predict import mean_error
from stn3dmm.objective import Objective, weighs
from stn3dmm.training.config import DataConfig, SourceConfig, TrainConfig
from stn3dmm.training.devices import Place

OnDamage = Literal["skip", "stop"]


class TrainingData:
    """Batches to train on, and the error on those to validate with.

    Args:
        config: the run's.
        place: this process; each takes its equal part of every batch.
        landmark_set: of the labels; None: none are asked for.

    Raises:
        ValueError: a data set that is empty, damaged or labelled with other landmarks, or not at all where labels are
            needed; a batch that does not go into equal parts.
        OSError: a data set that is not there.
    """

    def __init__(self, config: TrainConfig, place: Place, landmark_set: str | None) -> None:
        self.config, self.place = config, place
        source = opened(config.data.sources, config.data)
        if weighs(config.objective.landmark) and (source.landmark_set is None or config.data.labelled == 0):
            raise ValueError(
                "the landmark loss has no labels to learn from; name a labelled data set, or set "
                "objective.landmark = 0 and objective.symmetry or objective.siamese."
            )
        self.faces = len(source)
        if config.data.labelled < 1:
            source = PartlyLabelled(source, config.data.labelled, config.run.seed)
        self._stream = FaceStream(
            source,
            config.data.image_size,
            landmark_set,
            augmentation=config.data.augmentation,
            pairs="identity" if config.data.pairs in ("identity", "both") else "none",
            seed=config.run.seed,
            on_damage=_on_damage(config.data),
            face_size=config.localiser.face_size,
        )
        self.validates = bool(config.data.validation)
        if self.validates:
            measured = opened(config.data.validation, config.data)
            if measured.landmark_set is None:
                raise ValueError("data.validation has no landmarks to measure by; name a labelled data set, or none.")
            self._validation = evaluation_stream(
                measured,
                config.data.image_size,
                landmark_set,
                on_damage=_on_damage(config.data),
                face_size=config.localiser.face_size,
            )
        self._damage = DamageReport()

    def batches(self, first: int) -> Iterator[FaceBatch]:
        """The batches of the steps from ``first`` on to the last of the run."""
        run, place = self.config.run, self.place
        batches = loader(
            self._stream,
            run.batch_size,
            first,
            run.steps,
            rank=place.rank,
            world=place.world,
            workers=self.config.data.workers,
            pinned=place.device.type == "cuda",
        )
        for batch in _loaded(batches):
            self._damage.add(batch)
            yield batch

    def error(self, localiser: nn.Module, objective: Objective) -> float:
        """The normalised mean error on the validation faces, computed by the process that leads.

        Raises:
            ValueError: none of them has a landmark that could be measured.
        """
        error = 0.0
        if self.place.leads:
            size = self.config.run.batch_size
            last, workers = -(-len(self._validation) // size), self.config.data.workers
            batches = loader(self._validation, size, 0, last, workers=workers)
            error = mean_error(localiser, objective, self._noted(_loaded(batches)), self.config.run.amp)
        error = float(self.place.from_leader(error))
        if math.isnan(error):
            raise ValueError(
                f"data.validation measures nothing: none of its {len(self._validation)} faces can be read and has "
                "visible landmarks of the model."
            )
        return error

    def _noted(self, batches: Iterable[FaceBatch]) -> Iterator[FaceBatch]:
        for batch in batches:
            self._damage.add(batch)
            yield batch


def opened(sources: tuple[SourceConfig, ...], config: DataConfig) -> FaceSource:
    """The data sets, as one where they are several."""
    found = [_opened(source, config) for source in sources]
    source = found[0] if len(found) == 1 else JoinedFaces(found)
    return PooledFaces(source, config.workers) if config.in_memory else source


def _opened(source: SourceConfig, config: DataConfig) -> FaceSource:
    options = dict(source.options)
    if source.kind == "synthetic":
        options.setdefault("image_size", list(config.image_size))
    return open_source(
        source.kind,
        source.path or None,
        landmark_set=config.landmark_set,
        on_damage=_on_damage(config),
        **options,
    )


def _on_damage(config: DataConfig) -> OnDamage:
    return cast(OnDamage, config.on_damage)


def _loaded(batches: Iterable[FaceBatch]) -> Iterator[FaceBatch]:
    """The batches; what fails in a worker process fails here as it did there, without that process's traceback."""
    try:
        yield from batches
    except (ValueError, OSError) as error:
        if "Original Traceback" not in str(error):
            raise
        reason = str(error).strip().splitlines()[-1].partition(": ")[2]
        raise type(error)(reason) from error
