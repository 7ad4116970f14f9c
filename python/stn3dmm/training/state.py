"""What a run knows at a step: everything that a checkpoint must hold."""

from __future__ import annotations

import math
import zlib

import torch

from stn3dmm.embedded import embedded_model
from stn3dmm.formats import load_model
from stn3dmm.localiser import build_localiser
from stn3dmm.training.checkpoint import Checkpoint, fingerprint, load_checkpoint
from stn3dmm.training.config import TrainConfig
from stn3dmm.training.devices import Place
from stn3dmm.training.optimisation import optimiser_of, schedule_of


class TrainingState:
    """The model, the localiser and its optimiser, and how far the run is.

    Args:
        config: the run's.
        place: where this process computes.
        resume: the checkpoint to go on from.

    Raises:
        ValueError: a checkpoint belongs to another model or localiser, or the run is done.
    """

    def __init__(self, config: TrainConfig, place: Place, resume: Checkpoint | None) -> None:
        self.config, self.place = config, place
        self.model = load_model(config.model) if config.model else embedded_model()
        self.step = 0  # steps done
        self.error = math.nan  # normalised mean error of the last validation
        self.best = math.inf  # the lowest of all
        torch.manual_seed(config.run.seed)  # of the first weights
        self.localiser = build_localiser(config.localiser, self.model, config.data.image_size)
        if config.start and resume is None:
            self._begin_with(load_checkpoint(config.start))
        self.localiser.to(place.device)
        self.optimiser = optimiser_of(self.localiser, config.optimiser)
        if resume is not None:
            self._restore(resume)
        self.schedule = schedule_of(self.optimiser, config.schedule, config.run.steps, self.step)

    def _begin_with(self, checkpoint: Checkpoint) -> None:
        checkpoint.check_model(self.model)
        mine, other = self.config, checkpoint.config
        if (mine.localiser.name, mine.localiser.width, mine.data.image_size) != (
            other.localiser.name,
            other.localiser.width,
            other.data.image_size,
        ):
            raise ValueError(
                f"{mine.start}: its localiser is {other.localiser.name!r} of width {other.localiser.width:g}, for "
                f"images of {other.data.image_size}; set localiser.name, localiser.width and data.image_size to these."
            )
        self.localiser.load_state_dict(checkpoint.localiser)

    def _restore(self, checkpoint: Checkpoint) -> None:
        checkpoint.check_model(self.model)
        if checkpoint.step >= self.config.run.steps:
            raise ValueError(
                f"the run is done: the checkpoint has {checkpoint.step} steps of {self.config.run.steps}; give more "
                "with --steps to go on."
            )
        self.localiser.load_state_dict(checkpoint.localiser)
        self.optimiser.load_state_dict(checkpoint.training["optimiser"])
        self.step, self.error = checkpoint.step, float(checkpoint.training["error"])
        self.best = float(checkpoint.training["best"])

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
        return Checkpoint(
            config=self.config,
            model_source=self.model.source,
            model_fingerprint=fingerprint(self.model),
            mode_names=self.model.mode_names,
            step=self.step,
            localiser=self.localiser.state_dict(),
            training={"optimiser": self.optimiser.state_dict(), "error": self.error, "best": self.best},
        )
