"""What a localiser is trained on: the losses of the paper over a batch of faces, weighted as a schedule says."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import stn3dmm_cuda
from stn3dmm.morphable_model import MorphableModel
from stn3dmm_cuda.losses import landmark_loss, prior_loss
from stn3dmm_cuda.results import Warp

__all__ = ["LossTerms", "Objective", "ObjectiveConfig", "Pairs", "weighs", "weight_at"]

VISIBILITIES = ("hard", "soft", "none")
WEIGHTS = ("landmark", "prior", "symmetry", "siamese", "anchor")
ANCHORED = 100  # vertices, at most, whose places the anchor compares
Weight = float | tuple[tuple[float, float], ...]  # one number, or (progress 0..1, weight) points, linear between them


class LossTerms(NamedTuple):
    """The losses of a batch, each () and not yet weighted, and their weighted sum; nan where none was computed."""

    total: torch.Tensor
    landmark: torch.Tensor  # pixels squared
    prior: torch.Tensor  # standard deviations squared
    symmetry: torch.Tensor  # colours (0..1) squared, summed over channels
    siamese: torch.Tensor  # the same
    anchor: torch.Tensor  # pixels squared


class Pairs(NamedTuple):
    """Which images of a batch show one face."""

    first: torch.Tensor  # (M,) int64, numbers of images within the batch
    second: torch.Tensor  # (M,)
    weight: torch.Tensor  # (M,) 1, or 0 for two images of which nothing says that they show one face
    mirrored: torch.Tensor  # (M,) bool, True where one of the two images is mirrored, as against the other


class Operators(Protocol):
    """Where transformer and losses come from: `stn3dmm_cuda`, or `stn3dmm_cuda.reference` to prove them by."""

    @property
    def warp(self) -> Any: ...
    @property
    def pose(self) -> Any: ...
    @property
    def vertices(self) -> Any: ...
    @property
    def project(self) -> Any: ...
    @property
    def symmetry_loss(self) -> Any: ...
    @property
    def siamese_loss(self) -> Any: ...


@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
    """The weights of the losses and how faces are seen.

    A weight is a number, or a list of points [progress, weight] through the run, progress 0 to 1, linear between
    them: ``[[0.0, 0.0], [0.5, 20.0]]`` lets a loss come in over the first half.
    """

    landmark: Weight = 1.0  # per pixel squared
    prior: Weight = 0.02  # per standard deviation squared
    symmetry: Weight = 0.0  # per squared difference of colours 0..1
    siamese: Weight = 0.0  # the same
    anchor: Weight = 0.0  # per pixel squared, to where the localiser that the run started with places the mesh
    siamese_flipped: bool = False  # flip a mirror image's texture back before it is compared
    visibility: str = "hard"  # "hard", "soft" or "none": what masks the textures
    tolerance: float = 0.01  # pixels
    temperature: float = 1.0  # pixels, of soft visibility

    def __post_init__(self) -> None:
        if self.visibility not in VISIBILITIES:
            known = ", ".join(VISIBILITIES)
            raise ValueError(f"objective.visibility must be one of {known}; got {self.visibility!r}.")
        for name in WEIGHTS:
            _check_weight(name, getattr(self, name))
        for name, smallest in (("tolerance", 0.0), ("temperature", 1e-6)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= smallest):
                raise ValueError(f"objective.{name} must be finite and at least {smallest}; got {value}.")


def _check_weight(name: str, weight: Weight) -> None:
    points = ((0.0, weight),) if isinstance(weight, int | float) else weight
    if not points:
        raise ValueError(f"objective.{name} has no points; give a number or [[progress, weight], ...].")
    if any(not (math.isfinite(value) and value >= 0) for _, value in points):
        raise ValueError(f"objective.{name}: weights must be finite and 0 or more; got {weight}.")
    progress = [place for place, _ in points]
    if progress != sorted(set(progress)) or not all(0 <= place <= 1 for place in progress):
        raise ValueError(f"objective.{name}: progress must rise from point to point within 0..1; got {weight}.")


def weighs(weight: Weight) -> bool:
    """Whether a weight is more than 0 anywhere in a run.

    Example:
        >>> weighs(((0.0, 0.0), (0.5, 20.0))), weighs(((0.0, 0.0), (0.5, 0.0)))
        (True, False)
    """
    return weight > 0 if isinstance(weight, int | float) else any(value > 0 for _, value in weight)


def weight_at(weight: Weight, progress: float) -> float:
    """The weight at a share of the run, constant before the first and after the last point.

    Example:
        >>> weight_at(((0.2, 0.0), (0.6, 8.0)), 0.3)
        2.0
    """
    if isinstance(weight, int | float):
        return float(weight)
    before = [point for point in weight if point[0] <= progress]
    after = [point for point in weight if point[0] > progress]
    if not before or not after:
        return float((before[-1] if before else after[0])[1])
    (start, low), (end, high) = before[-1], after[0]
    # Rounded, so that a run in tenths meets its weights exactly.
    return round(low + (high - low) * (progress - start) / (end - start), 12)


class Objective(nn.Module):
    """theta and a batch of faces -> the losses of the paper.

    Convention:
        Pixels, x right, y down, centres at integers; images 0..1; theta as in docs/conventions.md. Everything is
        computed in theta's dtype, which should be float32 or float64 whatever the localiser ran in.

    Args:
        model: the morphable model; its arrays become buffers.
        config: weights and visibility.
        landmark_set: which of the model's landmark sets the labels are; None without labels.
        operators: `stn3dmm_cuda`, or `stn3dmm_cuda.reference`.

    Textures are flattened only while the symmetry or the siamese loss weighs something; landmarks alone cost L
    vertices. Landmarks that the model lacks (-1) count nowhere. The anchor compares up to 100 vertices, spread evenly
    over the mesh, so that it needs no landmarks.

    Raises:
        ValueError: the model has no such landmarks; a landmark loss without a landmark set.

    Source: docs/math.md#losses; weights: docs/training.md.
    """

    mean: torch.Tensor
    basis: torch.Tensor
    valid: torch.Tensor
    indices: torch.Tensor
    exists: torch.Tensor
    anchored: torch.Tensor

    def __init__(
        self,
        model: MorphableModel,
        config: ObjectiveConfig,
        landmark_set: str | None,
        operators: Operators = stn3dmm_cuda,
    ) -> None:
        super().__init__()
        self.config = config
        self.grid_shape = model.grid_shape
        self.operators = operators
        indices = torch.zeros(0, dtype=torch.int64)
        if landmark_set is not None:
            indices = torch.tensor(model.landmark_indices(landmark_set))
        elif weighs(config.landmark):
            raise ValueError("Objective: a landmark loss needs a landmark set; set objective.landmark = 0 without one.")
        mean, basis = model.tensors()
        self.register_buffer("mean", mean)
        self.register_buffer("basis", basis)
        self.register_buffer("valid", torch.tensor(model.valid))
        self.register_buffer("exists", indices >= 0)
        self.register_buffer("indices", indices.clamp(min=0))
        self.register_buffer("anchored", torch.tensor(_evenly_spread(model, ANCHORED)))

    def forward(
        self,
        theta: torch.Tensor,
        image: torch.Tensor,
        landmarks: torch.Tensor,
        visible: torch.Tensor,
        pairs: Pairs | None = None,
        progress: float = 0.0,
        anchor: torch.Tensor | None = None,
    ) -> LossTerms:
        """The losses of a batch.

        Args:
            theta: (B, 6 + K).
            image: (B, C, H, W) in 0..1, theta's dtype.
            landmarks: (B, L, 2) pixels; may be NaN where not visible.
            visible: (B, L) weights.
            pairs: which images show one face; None = none.
            progress: share of the run that is done, 0..1, for the schedules.
            anchor: (B, 6 + K), what the localiser that the run started with answers; gets no gradient. None = none.
        """
        config = self.config
        weights = {name: weight_at(getattr(config, name), progress) for name in WEIGHTS}
        absent = theta.new_full((), torch.nan)
        terms = dict.fromkeys(weights, absent)
        flattened = self.flattened(image, theta) if weights["symmetry"] or weights["siamese"] else None
        if weights["landmark"]:
            points = self.landmarks(theta) if flattened is None else flattened.landmarks
            terms["landmark"] = landmark_loss(points, landmarks, visible * self.exists)
        if weights["prior"]:
            terms["prior"] = prior_loss(theta[:, 6:])
        if flattened is not None and weights["symmetry"]:
            terms["symmetry"] = self.operators.symmetry_loss(flattened.texture, flattened.mask)
        if flattened is not None and weights["siamese"] and pairs is not None:
            terms["siamese"] = self._siamese(flattened, pairs)
        if weights["anchor"] and anchor is not None:
            terms["anchor"] = self._drift(theta, anchor.detach())
        total = 0 * theta.sum()  # has a gradient even on steps on which nothing weighs anything
        for name, weight in weights.items():
            if terms[name] is not absent:
                total = total + weight * terms[name]
        return LossTerms(total, **terms)

    def landmarks(self, theta: torch.Tensor) -> torch.Tensor:
        """(B, L, 2) pixels; a landmark that the model lacks lies where its first vertex does."""
        return self._posed(theta, self.mean[self.indices], self.basis[:, self.indices])[..., :2]

    def points(self, theta: torch.Tensor) -> torch.Tensor:
        """(B, N, 3) pixels and depth of all vertices."""
        return self._posed(theta, self.mean, self.basis)

    def flattened(self, image: torch.Tensor, theta: torch.Tensor) -> Warp:
        """Textures, masks and landmarks of a batch."""
        config = self.config
        flattened: Warp = self.operators.warp(
            image,
            theta,
            self.mean,
            self.basis,
            self.grid_shape,
            visibility=config.visibility,
            landmarks=self.indices,
            valid=self.valid,
            tolerance=config.tolerance,
            temperature=config.temperature,
        )
        return flattened

    def _posed(self, theta: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
        operators = self.operators
        pose = operators.pose(theta)
        vertices = operators.vertices(pose.alpha, mean, basis)
        points: torch.Tensor = operators.project(vertices, pose.rotation, pose.translation, pose.scale)
        return points

    def _siamese(self, flattened: Warp, pairs: Pairs) -> torch.Tensor:
        (texture, mask), (other, other_mask) = (_faces(flattened, images) for images in (pairs.first, pairs.second))
        weight = pairs.weight[:, None, None, None].to(mask.dtype)
        if self.config.siamese_flipped:
            flipped = pairs.mirrored[:, None, None, None]
            other, other_mask = (torch.where(flipped, value.flip(-1), value) for value in (other, other_mask))
        loss: torch.Tensor = self.operators.siamese_loss(texture, mask * weight, other, other_mask)
        return loss

    def _drift(self, theta: torch.Tensor, anchor: torch.Tensor) -> torch.Tensor:
        mean, basis = self.mean[self.anchored], self.basis[:, self.anchored]
        points, target = (self._posed(parameters, mean, basis)[..., :2] for parameters in (theta, anchor))
        loss: torch.Tensor = landmark_loss(points, target, torch.ones_like(points[..., 0]))
        return loss

    def extra_repr(self) -> str:
        return f"{self.config}, landmarks={len(self.indices)}"


def _faces(flattened: Warp, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Texture and mask of some images; on CUDA the gradient of an index in brackets would sort the indices."""
    return flattened.texture.index_select(0, images), flattened.mask.index_select(0, images)


def _evenly_spread(model: MorphableModel, count: int) -> npt.NDArray[np.int64]:
    """Up to ``count`` valid vertices, each the one that is farthest from those before it on the mean face."""
    candidates = np.flatnonzero(model.valid)
    positions = model.mean[candidates]
    nearest = np.full(len(candidates), np.inf)  # squared distance to what is chosen
    chosen: list[int] = []
    for _ in range(min(count, len(candidates))):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.square(positions - positions[chosen[-1]]).sum(axis=1))
    return candidates[chosen].astype(np.int64)
