"""A localiser's answers to the faces of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import nn

from stn3dmm.data.stream import FaceBatch
from stn3dmm.evaluation.metrics import normalised_mean_error
from stn3dmm.localiser.head import NOT_FINITE
from stn3dmm.objective import Objective


class Prediction(NamedTuple):
    """What a localiser made of a batch of faces, on the CPU."""

    batch: FaceBatch
    theta: torch.Tensor  # (B, 6 + K), of the crops
    landmarks: torch.Tensor  # (B, L, 2) pixels of the crops
    error: torch.Tensor  # (B,) normalised mean error, a fraction; nan where there are no landmarks


def predictions(
    localiser: nn.Module, objective: Objective, batches: Iterable[FaceBatch], amp: str = "none"
) -> Iterator[Prediction]:
    """The answers to all batches; the localiser is put in evaluation mode, and back afterwards.

    Raises:
        ValueError: an answer to a labelled face is not finite.
    """
    device, dtype = objective.mean.device, objective.mean.dtype
    trains = localiser.training
    localiser.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                moved = batch.to(device)
                image = moved.image.to(dtype) / 255
                with torch.autocast(device.type, dtype=torch.bfloat16, enabled=amp == "bf16"):
                    theta = localiser(image)
                theta = theta.to(dtype)
                landmarks = objective.landmarks(theta)
                seen = (moved.visible != 0) & objective.exists
                error = normalised_mean_error(landmarks, moved.landmarks.to(dtype), seen).cpu()
                broken = error.isinf().nonzero()
                if len(broken):
                    raise ValueError(f"{batch.name[int(broken[0])]}: {NOT_FINITE}")
                yield Prediction(batch, theta.cpu(), landmarks.cpu(), error)
    finally:
        localiser.train(trains)


def mean_error(localiser: nn.Module, objective: Objective, batches: Iterable[FaceBatch], amp: str = "none") -> float:
    """The normalised mean error over all faces that have landmarks, a fraction; nan if none has.

    Raises:
        ValueError: an answer to a labelled face is not finite.
    """
    answers = predictions(localiser, objective, batches, amp)
    errors = torch.cat([answer.error for answer in answers] or [torch.zeros(0)])
    return float(errors.nanmean())
