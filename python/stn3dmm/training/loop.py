"""The training of a localiser."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from stn3dmm.data.stream import FaceBatch
from stn3dmm.objective import LossTerms, Objective, Pairs, weight_at
from stn3dmm.training.checkpoint import BEST, Checkpoint
from stn3dmm.training.config import TrainConfig
from stn3dmm.training.data import TrainingData
from stn3dmm.training.devices import placed
from stn3dmm.training.optimisation import clipped
from stn3dmm.training.pairs import paired
from stn3dmm.training.record import Progress, Record
from stn3dmm.training.state import TrainingState

__all__ = ["train", "training_step"]


def train(
    config: TrainConfig,
    folder: str | os.PathLike[str],
    *,
    resume: Checkpoint | None = None,
    device: str = "auto",
    watch: Callable[[Progress], object] = lambda progress: None,
) -> Path:
    """Trains a localiser and leaves last.pt, previous.pt, best.pt, config.toml, log.jsonl and pictures in a folder.

    Every random number is a function of the seed and the step, and every batch one of its number: a run that goes on
    from a checkpoint does on the CPU, to the bit, what it would have done. Started by `torchrun`, the processes share
    each batch.

    Args:
        config: what to do; docs/training.md.
        folder: where; it must not hold another run.
        resume: the checkpoint to go on from, made with ``config`` but for the number of steps and for where the model
            and the data are.
        device: "auto", "cpu", "cuda" or "cuda:N".
        watch: told now and then how the run stands, in the process that leads.

    Returns:
        The path of the best checkpoint: of the lowest normalised mean error, or the last one if nothing validates.

    Raises:
        ValueError: settings, model or data that do not fit each other; losses that are not finite; the folder holds
            a run already.
        OSError: files that cannot be read or written.
    """
    config = config.resolved()
    run = config.run
    with placed(device) as place:
        record = Record(folder, config, place, watch, resume)
        state = TrainingState(config, place, resume)
        data = TrainingData(config, place, state.landmark_set)
        state.learns_from(data.faces)
        objective = Objective(state.model, config.objective, state.landmark_set).to(place.device)
        if run.compile:
            state.localiser.compile()
        localiser = place.distributed(state.localiser)
        with record:
            for batch in record.timed(data.batches(state.step)):
                state.seed()
                faces, pairs = paired(batch.to(place.device), config.data.pairs, state.landmark_set)
                state.optimiser.zero_grad(set_to_none=True)
                progress = state.step / run.steps
                terms = training_step(localiser, objective, faces, pairs, progress, run.amp, state.anchor)
                norm = clipped(state.localiser, config.optimiser.clip)
                state.optimiser.step()
                state.schedule.step()
                state.step += 1
                if data.validates and state.due(run.validate_every):
                    record.check(state, terms, norm)
                    record.validated(state, data.error(state.localiser, objective))
                if state.due(run.log_every):
                    record.log(state, terms, norm)
                if run.sample_every and state.due(run.sample_every):
                    record.draw(state, objective, faces)
                if state.due(run.checkpoint_every):
                    record.keep(state, terms, norm)
            record.finished(data.validates)
    return Path(folder) / BEST


def training_step(
    localiser: nn.Module,
    objective: Objective,
    batch: FaceBatch,
    pairs: Pairs | None = None,
    progress: float = 0.0,
    amp: str = "none",
    anchor: nn.Module | None = None,
) -> LossTerms:
    """The losses of a batch and, in ``grad`` of the localiser's weights, their gradients.

    Args:
        localiser: image (B, 3, H, W) in 0..1 -> theta (B, 6 + K).
        objective: in float32, or in float64 with a localiser in float64.
        batch: faces on the localiser's device.
        pairs: which of them show one face.
        progress: share of the run that is done.
        amp: "bf16" lets the localiser compute in bfloat16; the objective never does.
        anchor: the localiser that the run started with, in evaluation mode; asked only while its loss weighs something.
    """
    dtype = objective.mean.dtype
    image = batch.image.to(dtype) / 255
    held = None
    with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=amp == "bf16"):
        theta = localiser(image)
        if anchor is not None and weight_at(objective.config.anchor, progress):
            with torch.no_grad():
                held = anchor(image).to(dtype)
    landmarks, visible = batch.landmarks.to(dtype), batch.visible.to(dtype)
    terms: LossTerms = objective(theta.to(dtype), image, landmarks, visible, pairs, progress, held)
    terms.total.backward()  # type: ignore[no-untyped-call]
    return terms
