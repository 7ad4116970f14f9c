"""How well a localiser finds faces: `evaluate`, its figures and its pictures. docs/training.md#evaluation."""

from .evaluate import Evaluation, evaluate
from .metrics import BinnedError, binned_by_yaw, cumulative_error, normalised_mean_error

__all__ = [
    "BinnedError",
    "Evaluation",
    "binned_by_yaw",
    "cumulative_error",
    "evaluate",
    "normalised_mean_error",
]
