"""What a run tells and leaves in its folder; in a run of many processes the one that leads does so alone."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import torch

from stn3dmm.data.stream import FaceBatch
from stn3dmm.files import TEMPORARY, check_folder, check_target
from stn3dmm.objective import LossTerms, Objective
from stn3dmm.training.checkpoint import BEST, LAST, Checkpoint, keep_as, load_checkpoint, save_checkpoint
from stn3dmm.training.config import TrainConfig, write_config
from stn3dmm.training.devices import Place
from stn3dmm.training.log import TrainingLog
from stn3dmm.training.pictures import write_samples
from stn3dmm.training.state import TrainingState

_log = logging.getLogger(__name__)


class Progress(NamedTuple):
    """How a run stands."""

    step: int  # steps done
    steps: int
    losses: dict[str, float]  # of this step: total and each of LossTerms; nan where not computed
    learning_rate: float
    gradient: float  # norm, before clipping
    images_per_second: float  # photographs since it was last told, on all devices; mirror images not counted
    waiting: float  # share of that time that was spent waiting for photographs
    error: float  # normalised mean error of the last validation; nan before the first


class Record:
    """The folder of a run; nothing in it changes before the run begins, as a context.

    Args:
        folder: where.
        config: what is written into it.
        place: whether this process leads.
        watch: told whenever a line is logged.
        resume: the checkpoint that the run goes on from.

    Raises:
        ValueError: the folder holds a run, and this is not one that goes on.
        OSError: it cannot be written.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        config: TrainConfig,
        place: Place,
        watch: Callable[[Progress], object],
        resume: Checkpoint | None,
    ) -> None:
        self.folder, self.config, self.place, self.watch = Path(folder), config, place, watch
        self._log: TrainingLog | None = None
        self._waited, self._images, self._since = 0.0, 0, time.perf_counter()
        check_folder(self.folder)
        check_target(self.folder / LAST)
        if resume is None and (self.folder / LAST).exists():
            raise ValueError(
                f"{self.folder / LAST}: this folder holds a run; go on with it by --resume {self.folder}, or choose "
                "another one by --output."
            )
        self._resume = resume

    def __enter__(self) -> Record:
        if self.place.leads:
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in self.folder.glob(f"{TEMPORARY}*"):  # of a run that was killed while it wrote
                if leftover.is_file():
                    leftover.unlink()
            done = 0
            if self._resume is not None:
                done = self._resume.step
                self._begin_from(self._resume)
            write_config(self.folder / "config.toml", self.config)
            self._log = TrainingLog(self.folder, done)
        self._since = time.perf_counter()
        return self

    def _begin_from(self, checkpoint: Checkpoint) -> None:
        """Puts what the run goes on from in last.pt's place: a damaged last.pt must not become previous.pt."""
        last = self.folder / LAST
        if checkpoint.file is None or (last.exists() and last.samefile(checkpoint.file)):
            return
        _put_aside(last, checkpoint.step)
        keep_as(checkpoint.file, last)

    def timed(self, batches: Iterable[FaceBatch]) -> Iterator[FaceBatch]:
        """The batches, the time that they take to come being measured."""
        iterator = iter(batches)
        while True:
            asked = time.perf_counter()
            batch = next(iterator, None)
            if batch is None:
                return
            self._waited += time.perf_counter() - asked
            self._images += self.config.run.batch_size
            yield batch

    def log(self, state: TrainingState, terms: LossTerms, norm: torch.Tensor) -> None:
        """A line of the log.

        Raises:
            ValueError: the losses or the gradients are not finite.
        """
        losses = self._losses(state, terms, norm)
        now = time.perf_counter()
        seconds = max(now - self._since, 1e-9)
        progress = Progress(
            step=state.step,
            steps=self.config.run.steps,
            losses=losses,
            learning_rate=state.optimiser.param_groups[-1]["lr"],
            gradient=float(norm),
            images_per_second=self._images / seconds,
            waiting=self._waited / seconds,
            error=state.error,
        )
        self._waited, self._images, self._since = 0.0, 0, now
        if self._log is not None:
            values = {name: value for name, value in progress._asdict().items() if isinstance(value, float)}
            with self._written(self._log.path):
                self._log.write(state.step, {**losses, **values})
            self.watch(progress)

    def check(self, state: TrainingState, terms: LossTerms, norm: torch.Tensor) -> None:
        """ValueError if the losses or the gradients are not finite."""
        self._losses(state, terms, norm)

    def validated(self, state: TrainingState, error: float) -> None:
        """Remembers an error; the best state so far is kept."""
        state.error = error
        lacking = self.place.leads and not (self.folder / BEST).exists()  # a run that goes on in another folder
        if error < state.best or lacking:
            state.best = error
            if self.place.leads:
                with self._written(self.folder / BEST):
                    save_checkpoint(self.folder / BEST, state.checkpoint())

    def keep(self, state: TrainingState, terms: LossTerms, norm: torch.Tensor) -> None:
        """A checkpoint to go on from.

        Raises:
            ValueError: the losses or the gradients are not finite.
        """
        self.check(state, terms, norm)
        if self.place.leads:
            with self._written(self.folder / LAST):
                save_checkpoint(self.folder / LAST, state.checkpoint())

    def finished(self, validated: bool) -> None:
        """Ends the run; where nothing validates, its last state counts as the best."""
        if self.place.leads and not validated:
            keep_as(self.folder / LAST, self.folder / BEST)

    def draw(self, state: TrainingState, objective: Objective, faces: FaceBatch) -> None:
        """A picture of the first faces of the batch: mesh, texture and mask."""
        if self.place.leads:
            path = self.folder / "samples" / f"{state.step:07d}.png"
            with self._written(path):
                write_samples(path, state.localiser, objective, faces)

    @contextlib.contextmanager
    def _written(self, file: Path) -> Iterator[None]:
        """An error that comes of writing a file names it, and says how to go on."""
        try:
            yield
        except OSError as error:
            if error.errno is None:  # a sentence of our own
                raise
            last = self.folder / LAST
            remedy = f"go on from {last} with --resume {self.folder}" if last.exists() else "begin again"
            told = f"{error.strerror}; once that is mended, {remedy}"
            raise OSError(error.errno, told, error.filename or str(file)) from error

    def _losses(self, state: TrainingState, terms: LossTerms, norm: torch.Tensor) -> dict[str, float]:
        means = self.place.mean(torch.stack([term.detach() for term in terms])).tolist()
        losses = dict(zip(terms._fields, means, strict=True))
        if not (math.isfinite(losses["total"]) and math.isfinite(float(norm))):
            computed = [name for name, term in terms._asdict().items() if term.requires_grad]
            told = ", ".join(f"{name} {losses[name]:g}" for name in computed)
            kept = self.folder / LAST
            start = f" The last good state is {kept}." if kept.exists() else ""
            raise ValueError(
                f"the losses or gradients are not finite, as was seen at step {state.step} ({told}, gradient "
                f"{float(norm):g}); lower optimiser.learning_rate, or set optimiser.clip.{start}"
            )
        return losses

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._log is not None:
            self._log.close()


def _put_aside(last: Path, step: int) -> None:
    """Keeps a sound last.pt of more steps than the run goes on from under a name of its own."""
    try:
        steps = load_checkpoint(last).step
    except (OSError, ValueError):  # there is none, or it is damaged
        return
    if steps > step:
        kept = last.with_name(f"{last.stem}-{steps}{last.suffix}")
        keep_as(last, kept)
        _log.warning("the run goes on from step %d; what it had after step %d is kept as %s", step, steps, kept)
