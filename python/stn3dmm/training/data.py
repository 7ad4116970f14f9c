"""The photographs of a run, in batches."""

from __future__ import annotations

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
from stn3dmm.objective import Objective
from stn3dmm.training.config import DataConfig, SourceConfig, TrainConfig
from stn3dmm.training.devices import Place

OnDamage = Literal["skip", "stop"]


class TrainingData:
    """Batches to train on, and the error on those to validate with.

    Args:
        config: the run's.
        place: this process; each takes its equal part of every batch.

    Raises:
        ValueError: a data set that is empty, damaged or labelled with other landmarks, a batch that does not go into
            equal parts.
        OSError: a data set that is not there.
    """

    def __init__(self, config: TrainConfig, place: Place) -> None:
        self.config, self.place = config, place
        source = opened(config.data.sources, config.data)
        if config.data.labelled < 1:
            source = PartlyLabelled(source, config.data.labelled, config.run.seed)
        self._stream = FaceStream(
            source,
            config.data.image_size,
            config.data.landmark_set,
            augmentation=config.data.augmentation,
            pairs="identity" if config.data.pairs in ("identity", "both") else "none",
            seed=config.run.seed,
            on_damage=_on_damage(config.data),
            face_size=config.localiser.face_size,
        )
        self.validates = bool(config.data.validation)
        if self.validates:
            self._validation = evaluation_stream(
                opened(config.data.validation, config.data),
                config.data.image_size,
                config.data.landmark_set,
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
        """The normalised mean error on the validation faces, computed by the process that leads."""
        error = 0.0
        if self.place.leads:
            size = self.config.run.batch_size
            batches = loader(self._validation, size, 0, -(-len(self._validation) // size))
            error = mean_error(localiser, objective, self._noted(_loaded(batches)), self.config.run.amp)
        return float(self.place.from_leader(error))

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
