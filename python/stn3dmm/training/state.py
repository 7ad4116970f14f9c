"""What a run knows at a step: everything that a checkpoint must hold."""

from __future__ import annotations

import copy
import dataclasses
import logging
import math
import zlib

import torch

from stn3dmm.embedded import embedded_model
from stn3dmm.formats import load_model
from stn3dmm.localiser import Localiser, build_localiser
from stn3dmm.objective import weighs
from stn3dmm.training.checkpoint import Checkpoint, fingerprint, load_checkpoint
from stn3dmm.training.config import TrainConfig
from stn3dmm.training.devices import Place
from stn3dmm.training.optimisation import optimiser_of, schedule_of

_log = logging.getLogger(__name__)


class TrainingState:
    """The model, the localiser and its optimiser, and how far the run is.

    Args:
        config: the run's.
        place: where this process computes.
        resume: the checkpoint to go on from.

    Raises:
        ValueError: a checkpoint belongs to another model or localiser, the model lacks landmarks that are needed, or
            the run is done.
    """

    def __init__(self, config: TrainConfig, place: Place, resume: Checkpoint | None) -> None:
        self.config, self.place = config, place
        if resume is not None:
            self.model = resume.load_model(config.model or None)
        else:
            self.model = load_model(config.model) if config.model else embedded_model()
        self.landmark_set = self._landmark_set()
        self.step = 0  # steps done
        self.faces = 0  # in the data sets to learn from; 0 = not known yet
        self.error = math.nan  # normalised mean error of the last validation
        self.best = math.inf  # the lowest of all
        torch.manual_seed(config.run.seed)  # of the first weights
        # A run that goes on has its weights in the checkpoint.
        network = config.localiser if resume is None else dataclasses.replace(config.localiser, weights=None)
        self.localiser = build_localiser(network, self.model, config.data.image_size)
        if config.start and resume is None:
            self._begin_with(load_checkpoint(config.start))
        self.localiser.to(place.device)
        self.anchor = self._anchor(resume)
        self.optimiser = optimiser_of(self.localiser, config.optimiser)
        if resume is not None:
            self._restore(resume)
        self.schedule = schedule_of(self.optimiser, config.schedule, config.run.steps, self.step)
        if place.leads:
            _warn(config)

    def _landmark_set(self) -> str | None:
        """The landmarks to learn from and to measure by; None where the model lacks them and nothing needs them."""
        name = self.config.data.landmark_set
        if name in self.model.landmarks:
            return name
        if weighs(self.config.objective.landmark) or self.config.data.validation:
            known = ", ".join(sorted(self.model.landmarks)) or "none"
            raise ValueError(
                f"this model ({self.model.source or 'unnamed'}) has no landmarks {name!r}; it has {known}. Set "
                "data.landmark_set, or objective.landmark = 0 and no data.validation."
            )
        return None

    def _begin_with(self, checkpoint: Checkpoint) -> None:
        checkpoint.check_model(self.model)
        other = checkpoint.config
        if _kind(self.config) != _kind(other):
            raise ValueError(
                f"{self.config.start}: its localiser is {other.localiser.name!r} of width {other.localiser.width:g}, "
                f"for images of {other.data.image_size} and faces of size {other.localiser.face_size:g}; set "
                "localiser.name, localiser.width, data.image_size and localiser.face_size to these."
            )
        checkpoint.restore(self.localiser)

    def _anchor(self, resume: Checkpoint | None) -> Localiser | None:
        """A copy of the localiser that the run started with, which never learns; None where nothing is held to it."""
        if not weighs(self.config.objective.anchor):
            return None
        anchor = copy.deepcopy(self.localiser)
        if resume is not None:
            if "anchor" not in resume.training:
                raise ValueError(
                    f"{resume.file or 'the checkpoint'}: it lacks the localiser that the run started with, to which "
                    "objective.anchor holds it; set objective.anchor = 0, or begin another run with start."
                )
            dataclasses.replace(resume, localiser=resume.training["anchor"]).restore(anchor)
        return anchor.eval().requires_grad_(False)

    def _restore(self, checkpoint: Checkpoint) -> None:
        if checkpoint.step >= self.config.run.steps:
            raise ValueError(
                f"the run is done: the checkpoint has {checkpoint.step} steps of {self.config.run.steps}; give more "
                "with --steps to go on."
            )
        checkpoint.restore(self.localiser)
        self.optimiser.load_state_dict(checkpoint.training["optimiser"])
        self.step, self.error = checkpoint.step, float(checkpoint.training["error"])
        self.best = float(checkpoint.training["best"])
        self.faces = int(checkpoint.training.get("faces", 0))

    def learns_from(self, faces: int) -> None:
        """Notes the number of faces; that of a run that goes on should be what it was."""
        if self.faces not in (0, faces) and self.place.leads:
            _log.warning(
                "the data sets have %d faces, and had %d before: the order of the faces is no longer what it was",
                faces,
                self.faces,
            )
        self.faces = faces

    def seed(self) -> None:
        """Begins a step: its random numbers, those of dropout, are a function of the seed, the step and the rank."""
        key = f"{self.config.run.seed} {self.step} {self.place.rank}"
        torch.manual_seed(zlib.crc32(key.encode()))
        self.localiser.train()

    def due(self, every: int) -> bool:
        """Whether something that is done every so many steps, and at the end, is to be done now."""
        return self.step % every == 0 or self.step == self.config.run.steps

    def checkpoint(self) -> Checkpoint:
        """All of it."""
        anchor = {} if self.anchor is None else {"anchor": self.anchor.state_dict()}
        return Checkpoint(
            config=self.config,
            model_source=self.model.source,
            model_fingerprint=fingerprint(self.model),
            mode_names=self.model.mode_names,
            step=self.step,
            localiser=self.localiser.state_dict(),
            training={
                "optimiser": self.optimiser.state_dict(),
                "error": self.error,
                "best": self.best,
                "faces": self.faces,
                **anchor,
            },
        )


def _warn(config: TrainConfig) -> None:
    """Names settings that are allowed, and hardly meant."""
    objective = config.objective
    if config.schedule.warmup > config.run.steps:
        _log.warning(
            "the learning rate never reaches optimiser.learning_rate: schedule.warmup is %d steps, the run has %d",
            config.schedule.warmup,
            config.run.steps,
        )
    geometric = weighs(objective.symmetry) or weighs(objective.siamese)
    if geometric and not weighs(objective.landmark) and not weighs(objective.anchor):
        _log.warning(
            "objective.symmetry and objective.siamese alone: without landmarks these losses shrink the mesh onto "
            "smooth skin; set objective.anchor = 0.1 (and start), or add labelled faces"
        )


def _kind(config: TrainConfig) -> tuple[object, ...]:
    """What two localisers must have in common for one to take the weights of the other and to see the same crops."""
    localiser = config.localiser
    return localiser.name, localiser.width, config.data.image_size, localiser.face_size
