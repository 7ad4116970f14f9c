"""How far landmarks lie from where they should: the normalised mean error, its bins by yaw, its distribution."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["YAW_BINS", "BinnedError", "binned_by_yaw", "cumulative_error", "normalised_mean_error"]

Array = npt.NDArray[np.float64]
# Degrees of |yaw|, the upper end included. Papers write 60 to 90; the few faces of AFLW2000-3D beyond 90 are in it.
YAW_BINS = ((0.0, 30.0), (30.0, 60.0), (60.0, 180.0))


def normalised_mean_error(points: torch.Tensor, target: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """The mean distance of the visible landmarks over sqrt(w h), w and h of their tight box in the target.

    Args:
        points: (B, L, 2) pixels, as found.
        target: (B, L, 2) pixels, as labelled; may be NaN where not visible.
        visible: (B, L) bool or weights: what counts where it is not 0.

    Returns:
        (B,) fractions: 0.05 is 5 %. NaN for a face with no visible landmark, or whose box has no area; infinity where
        a point that counts is not finite.

    The same for faces that are moved, scaled or mirrored together with their labels; a rotation changes their box.

    Source: Zhu et al. 2016 (AFLW2000-3D); docs/training.md#evaluation.

    Example:
        >>> target = torch.tensor([[[0.0, 0.0], [4.0, 0.0], [0.0, 9.0], [4.0, 9.0]]])
        >>> round(normalised_mean_error(target + torch.tensor([3.0, 0.0]), target, torch.ones(1, 4)).item(), 3)
        0.5
    """
    counts = visible != 0
    distance = (points - target).norm(dim=-1).where(counts, 0).sum(dim=1) / counts.sum(dim=1)
    high = target.where(counts[..., None], -torch.inf).amax(dim=1)
    low = target.where(counts[..., None], torch.inf).amin(dim=1)
    area = (high - low).prod(dim=1)
    usable = counts.any(dim=1) & (area > 0)
    error: torch.Tensor = (distance / area.clamp(min=0).sqrt()).nan_to_num(nan=torch.inf, posinf=torch.inf)
    return error.where(usable, torch.nan)


class BinnedError(NamedTuple):
    """Normalised mean errors by yaw; NaN where no face is."""

    bins: tuple[float, ...]  # mean of the faces of each of YAW_BINS
    counts: tuple[int, ...]
    mean_of_bins: float  # what papers publish; over the bins that have faces
    mean: float  # over all faces, those without a yaw too


def binned_by_yaw(errors: Array, yaw: Array) -> BinnedError:
    """Errors (n,), one a face, by |yaw| (n,) in degrees; faces whose error is NaN count nowhere.

    Example:
        >>> binned_by_yaw(np.array([0.02, 0.04, 0.09]), np.array([0.0, -30.0, 45.0])).mean_of_bins
        0.06
    """
    errors, turn = np.asarray(errors, dtype=np.float64), np.abs(np.asarray(yaw, dtype=np.float64))
    usable = ~np.isnan(errors)
    members = [
        usable & (turn <= high) & ((turn >= low) if number == 0 else (turn > low))
        for number, (low, high) in enumerate(YAW_BINS)
    ]
    bins = tuple(_mean(errors[inside]) for inside in members)
    return BinnedError(
        bins=bins,
        counts=tuple(int(inside.sum()) for inside in members),
        mean_of_bins=_mean(np.array([value for value in bins if np.isfinite(value)])),
        mean=_mean(errors[usable]),
    )


def cumulative_error(errors: Array, limits: Array) -> Array:
    """The share of faces (m,) whose error is at most each of ``limits`` (m,); a face that has none counts as beyond.

    Example:
        >>> cumulative_error(np.array([0.01, 0.03, np.nan]), np.array([0.02, 0.1])).round(3).tolist()
        [0.333, 0.667]
    """
    values = np.sort(np.nan_to_num(np.asarray(errors, dtype=np.float64), nan=np.inf))
    return np.searchsorted(values, limits, side="right") / max(len(values), 1)


def _mean(values: Array) -> float:
    return round(float(values.mean()), 12) if len(values) else float("nan")
