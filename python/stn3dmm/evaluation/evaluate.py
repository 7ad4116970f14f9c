"""A localiser measured on the labelled faces of a data set."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from stn3dmm.data.crops import FACE_SIZE
from stn3dmm.data.faces import FaceSource
from stn3dmm.data.stream import DamageReport, EvaluationStream, evaluation_stream, loader
from stn3dmm.evaluation.metrics import YAW_BINS, BinnedError, binned_by_yaw, cumulative_error, normalised_mean_error
from stn3dmm.evaluation.predict import Prediction, predictions
from stn3dmm.morphable_model import MorphableModel
from stn3dmm.objective import Objective, ObjectiveConfig

__all__ = ["CURVE_LIMITS", "Evaluation", "evaluate"]

Array = npt.NDArray[np.float64]
CURVE_LIMITS = np.linspace(0.0, 0.1, 101)  # normalised mean errors of the cumulative curve


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """The errors of a localiser on n faces."""

    landmark_set: str  # "aflw21" or "ibug68"
    landmarks_used: int  # landmarks of the set that the model has
    names: tuple[str, ...]  # (n,) of the faces, in the data set's order
    numbers: npt.NDArray[np.int64]  # (n,) of the faces in the data set
    yaw: Array  # (n,) degrees, nan = unknown
    errors: Array  # (n,) normalised mean errors, fractions; nan = no landmarks to measure by
    theta: torch.Tensor  # (n, 6 + K), of the crops
    untrained: Array | None  # (n,) errors of what the localiser answered before it was trained
    damaged: tuple[str, ...]  # what is damaged and is not among the n, a sentence each

    @property
    def binned(self) -> BinnedError:
        """The errors by yaw, and both means."""
        return binned_by_yaw(self.errors, self.yaw)

    @property
    def measured(self) -> int:
        """The number of faces that have an error."""
        return int((~np.isnan(self.errors)).sum())

    def worst(self, count: int) -> npt.NDArray[np.int64]:
        """Where in ``names`` the faces with the largest errors are, the worst first; at most ``count``."""
        order = np.argsort(-np.nan_to_num(self.errors, nan=-np.inf), kind="stable")
        return order[: min(count, self.measured)].astype(np.int64)

    def as_dict(self) -> dict[str, Any]:
        """Everything but theta in what JSON can hold; nan is None."""
        faces = [
            {"name": name, "yaw": _number(yaw), "error": _number(error)}
            for name, yaw, error in zip(self.names, self.yaw.tolist(), self.errors.tolist(), strict=True)
        ]
        return {
            "landmark_set": self.landmark_set,
            "landmarks_used": self.landmarks_used,
            "trained": _figures(self.errors, self.yaw),
            "untrained": None if self.untrained is None else _figures(self.untrained, self.yaw),
            "faces": faces,
            "damaged": list(self.damaged),
        }


def evaluate(
    localiser: nn.Module,
    model: MorphableModel,
    source: FaceSource,
    image_size: tuple[int, int],
    *,
    landmark_set: str | None = None,
    untrained: torch.Tensor | None = None,
    face_size: float = FACE_SIZE,
    batch_size: int = 32,
    workers: int = 0,
    device: torch.device | str = "cpu",
    amp: str = "none",
    step: Callable[[str], object] = lambda name: None,
) -> Evaluation:
    """Measures a localiser by the normalised mean error over the landmarks of each face.

    Faces are cropped as in training, around their box or their landmarks, without augmentation. Every visible landmark
    counts that the model has a vertex for. Photographs or labels that are damaged are left out, logged, and listed.

    Args:
        localiser: images (B, 3, H, W) in 0..1 -> theta (B, 6 + K); on ``device``.
        model: the model that theta belongs to.
        source: labelled faces (`stn3dmm.data.sources.open_source`).
        image_size: (H, W) of the localiser's images.
        landmark_set: "aflw21" or "ibug68"; None: those of the source. The localiser may have learnt from others.
        untrained: (6 + K,) theta to measure beside it: what the localiser answered to everything before its training,
            ``localiser.head.offset``.
        face_size: longer side of the whole face in shorter sides of the crop, as in training.
        batch_size: faces at a time.
        workers: processes that read photographs.
        device: where to compute.
        amp: "none", or "bf16": the localiser computes in bfloat16.
        step: told the name of each face that is done.

    Raises:
        ValueError: the source has no landmarks, or others than asked for; nothing in it can be read, or measured; an
            answer to a labelled face is not finite.

    Source: the protocol of AFLW2000-3D, Zhu et al. 2016; docs/training.md#evaluation.

    Example:
        >>> import stn3dmm
        >>> from stn3dmm.data.sources import open_source
        >>> from stn3dmm.localiser import LocaliserConfig, build_localiser
        >>> model = stn3dmm.embedded_model((40, 40))
        >>> faces = open_source("synthetic", landmark_set="ibug68", length=3, image_size=[64, 64], grid_shape=[40, 40])
        >>> localiser = build_localiser(LocaliserConfig(width=0.25), model, (64, 64))
        >>> evaluate(localiser, model, faces, (64, 64)).measured
        3
    """
    landmark_set = source.landmark_set if landmark_set is None else landmark_set
    if landmark_set is None or source.landmark_set is None:
        raise ValueError("The data set has no landmarks to measure by; evaluate on one that is labelled.")
    objective = Objective(model, ObjectiveConfig(), landmark_set).to(device)
    stream = evaluation_stream(source, image_size, landmark_set, face_size=face_size)
    start = None if untrained is None else untrained.to(objective.mean)
    measured = _Measured(objective, start, source.left_out)
    answers = _answers(localiser, objective, stream, batch_size, workers, amp)
    for answer in answers:
        measured.add(answer)
        for name in answer.batch.name:
            step(name)
    evaluation = measured.evaluation(landmark_set)
    if not evaluation.names:
        raise ValueError(f"All {len(source)} faces of the data set are damaged; the first: {evaluation.damaged[0]}")
    if not evaluation.measured:
        raise ValueError(
            f"None of the {len(source)} faces has visible landmarks that the model has too; choose another landmark "
            "set or model."
        )
    return evaluation


def _answers(
    localiser: nn.Module, objective: Objective, stream: EvaluationStream, batch_size: int, workers: int, amp: str
) -> Iterator[Prediction]:
    pinned = objective.mean.device.type == "cuda"
    batches = loader(stream, batch_size, 0, -(-len(stream) // batch_size), workers=workers, pinned=pinned)
    return predictions(localiser, objective, batches, amp)


class _Measured:
    """The answers so far."""

    def __init__(self, objective: Objective, untrained: torch.Tensor | None, left_out: Sequence[str]) -> None:
        self.objective, self.left_out = objective, left_out
        self.start = None if untrained is None else objective.landmarks(untrained[None]).cpu()  # (1, L, 2)
        self.names: list[str] = []
        self.columns: dict[str, list[torch.Tensor]] = {}
        self.damage = DamageReport()

    def add(self, answer: Prediction) -> None:
        batch = answer.batch
        self.damage.add(batch)
        sound = torch.tensor([not damage for damage in batch.damage])
        self.names += [name for name, damage in zip(batch.name, batch.damage, strict=True) if not damage]
        columns = {"number": batch.number, "yaw": batch.yaw, "error": answer.error, "theta": answer.theta}
        if self.start is not None:
            seen = (batch.visible != 0) & self.objective.exists.cpu()
            columns["untrained"] = normalised_mean_error(self.start, batch.landmarks.to(self.start), seen)
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(values[sound])

    def evaluation(self, landmark_set: str) -> Evaluation:
        columns = {name: torch.cat(parts) for name, parts in self.columns.items()}
        untrained = columns.get("untrained")
        return Evaluation(
            landmark_set=landmark_set,
            landmarks_used=int(self.objective.exists.sum()),
            names=tuple(self.names),
            numbers=columns["number"].numpy(),
            yaw=columns["yaw"].double().numpy(),
            errors=columns["error"].double().numpy(),
            theta=columns["theta"],
            untrained=None if untrained is None else untrained.double().numpy(),
            damaged=(*self.left_out, *self.damage.messages),
        )


def _figures(errors: Array, yaw: Array) -> dict[str, Any]:
    """What papers print, as fractions."""
    binned = binned_by_yaw(errors, yaw)
    measured = errors[~np.isnan(errors)]
    return {
        "mean_of_bins": _number(binned.mean_of_bins),
        "mean": _number(binned.mean),
        "median": _number(float(np.median(measured))) if len(measured) else None,
        "bins": [
            {"yaw": list(limits), "mean": _number(mean), "count": count}
            for limits, mean, count in zip(YAW_BINS, binned.bins, binned.counts, strict=True)
        ],
        "count": len(measured),
        "curve": {"limits": CURVE_LIMITS.round(6).tolist(), "share": cumulative_error(errors, CURVE_LIMITS).tolist()},
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
