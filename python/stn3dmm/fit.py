"""Fitting a morphable model to landmarks: no network, no image, only points (docs/math.md#fitting)."""

from __future__ import annotations

import dataclasses
import math
import numbers

import numpy as np
import numpy.typing as npt
import torch

from stn3dmm.arguments import array, real_tensor
from stn3dmm.levenberg_marquardt import Problem, minimise
from stn3dmm.morphable_model import MorphableModel
from stn3dmm_cuda import _checks

__all__ = ["Fit", "UnusableLandmarksError", "fit_landmarks"]

MINIMUM_LANDMARKS = 4  # scaled orthography has six unknowns, and three points leave the mirrored depth possible
LARGEST_COORDINATE = 1e15  # pixels: double precision still tells neighbours apart, and squares are far from overflow
CHUNK = 128  # images solved at once: bounds the memory of the Jacobians


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """Fitted parameters and what they leave over."""

    theta: torch.Tensor  # (B, 6 + K): r (radians), t (pixels), log s, alpha
    error: torch.Tensor  # (B,) mean distance in pixels over the visible landmarks


class UnusableLandmarksError(ValueError):
    """Landmarks that no face can be fitted to."""

    def __init__(self, face: int, reason: str) -> None:
        super().__init__(f"fit_landmarks: face {face}: {reason}")
        self.face = face  # index in the batch
        self.reason = reason  # a sentence that needs no knowledge of the code


def fit_landmarks(
    model: MorphableModel,
    landmarks: torch.Tensor | npt.ArrayLike,
    *,
    visible: torch.Tensor | npt.ArrayLike | None = None,
    indices: str | npt.ArrayLike = "aflw21",
    image_size: tuple[int, int] | None = None,
    prior_weight: float = 1.0,
) -> Fit:
    """Fits theta to the landmarks of B faces by batched Levenberg-Marquardt.

    Minimises, for each face, the sum over visible landmarks of the squared pixel distance plus
    ``prior_weight * sum(alpha ** 2)``. Starts from r = 0 with scale and translation from the landmarks' box, and from
    faces turned left and right and rolled upright; the lowest minimum wins, the first of equals.

    Convention:
        Pixels, x right, y down, the centre of the top-left pixel at (0, 0); theta as in docs/conventions.md.

    Args:
        model: any `MorphableModel`.
        landmarks: (B, L, 2) or (L, 2) pixels. Invisible ones may hold anything, NaN included.
        visible: (B, L) or (L,), nonzero where the landmark counts; None = all that the model has a vertex for.
        indices: "aflw21", "ibug68", or (L,) vertex indices, -1 = no such vertex (the landmark is left out).
        image_size: (H, W) of the photograph; landmarks outside it then count as invisible. None = no such test.
        prior_weight: weight of the prior in pixels squared per unit of alpha squared; 0 = none.

    Returns:
        `Fit` on the landmarks' device; in their dtype for a float32 or float64 tensor, else float32. The work is done
        in float64.

    Differentiable: no. Deterministic: yes.

    Raises:
        UnusableLandmarksError: (a ValueError) fewer than four usable landmarks in a face; usable landmarks that are not
            finite, beyond 1e15 pixels, all on one point, or so placed that no finite fit exists.
        ValueError: shapes that do not match, an unknown landmark set, a negative prior weight.
        TypeError: landmarks or a prior weight that are not real numbers, sizes or indices that are not whole numbers.

    Example:
        >>> import numpy as np
        >>> from stn3dmm import embedded_model, fit_landmarks
        >>> model = embedded_model()
        >>> frontal = model.mean[model.landmarks["ibug68"]][:, :2] * (1.0, -1.0) + 112.0
        >>> fit = fit_landmarks(model, frontal, indices="ibug68")
        >>> bool(fit.error[0] < 1e-3)
        True
    """
    points = real_tensor("fit_landmarks", "landmarks", landmarks).detach()
    dtype = points.dtype if isinstance(landmarks, torch.Tensor) and points.dtype == torch.float64 else torch.float32
    target, weight, vertices = _checked(model, points, visible, indices, image_size)
    if not isinstance(prior_weight, numbers.Real):
        raise TypeError(f"fit_landmarks: prior_weight must be a number; got {type(prior_weight).__name__}.")
    if not (math.isfinite(prior_weight) and prior_weight >= 0):
        raise ValueError(f"fit_landmarks: prior_weight must be finite and not negative; got {prior_weight}.")
    mean = torch.as_tensor(model.mean[vertices], dtype=torch.float64, device=target.device)
    basis = torch.as_tensor(model.basis[:, vertices], dtype=torch.float64, device=target.device)
    with torch.no_grad():
        chunks = [
            minimise(Problem(mean, basis, target[first : first + CHUNK], weight[first : first + CHUNK], prior_weight))
            for first in range(0, len(target), CHUNK)
        ]
    theta = torch.cat([chunk[0] for chunk in chunks]) if chunks else target.new_zeros(0, 6 + model.mode_count)
    error = torch.cat([chunk[1] for chunk in chunks]) if chunks else target.new_zeros(0)
    fit = Fit(theta=theta.to(dtype), error=error.to(dtype))
    _check_finite(fit)
    return fit


def _checked(
    model: MorphableModel,
    points: torch.Tensor,
    visible: torch.Tensor | npt.ArrayLike | None,
    indices: str | npt.ArrayLike,
    image_size: tuple[int, int] | None,
) -> tuple[torch.Tensor, torch.Tensor, npt.NDArray[np.int64]]:
    """Target (B, L, 2) float64 with zeros where unused, weight (B, L) 0 or 1, vertex index (L,)."""
    vertices = _vertex_indices(model, indices)
    L = len(vertices)
    if points.ndim not in (2, 3) or points.shape[-2:] != (L, 2):
        named = f" of {indices!r}" if isinstance(indices, str) else ""
        raise ValueError(
            f"fit_landmarks: landmarks must be (B, {L}, 2) or ({L}, 2) for the {L} indices{named}; "
            f"got {tuple(points.shape)}. Choose the indices that belong to these landmarks."
        )
    target = points.to(torch.float64).reshape(-1, L, 2)
    used = _visibility(visible, points, target.shape[0], L)
    used &= torch.as_tensor(vertices >= 0, device=target.device)
    if image_size is not None:
        H, W = _checks.pair("fit_landmarks", "image_size", image_size)
        inside = (target >= 0).all(-1) & (target[..., 0] <= W - 1) & (target[..., 1] <= H - 1)
        # A landmark that is not finite is a fault to report, not one outside the picture.
        used &= inside | ~torch.isfinite(target).all(-1)
    _check_usable(target, used, "" if image_size is None else " and inside the picture")
    target = torch.where(used[..., None], target, torch.zeros_like(target))
    return target, used.to(torch.float64), np.maximum(vertices, 0)


def _vertex_indices(model: MorphableModel, indices: str | npt.ArrayLike) -> npt.NDArray[np.int64]:
    if not isinstance(indices, str):
        raw = array("fit_landmarks", "indices", indices)
        if raw.dtype.kind not in "iu":
            raise TypeError(f"fit_landmarks: indices must be whole numbers or the name of a set; got {raw.dtype}.")
    vertices = model.landmark_indices(indices)
    N = model.vertex_count
    if vertices.ndim != 1 or (len(vertices) and (vertices.min() < -1 or vertices.max() >= N)):
        raise ValueError(f"fit_landmarks: indices must be (L,) in -1..{N - 1} (-1 = no such vertex).")
    return vertices


def _visibility(visible: torch.Tensor | npt.ArrayLike | None, points: torch.Tensor, B: int, L: int) -> torch.Tensor:
    if visible is None:
        return torch.ones(B, L, dtype=torch.bool, device=points.device)
    flags = real_tensor("fit_landmarks", "visible", visible).detach().to(points.device)
    if flags.shape != points.shape[:-1]:
        raise ValueError(
            f"fit_landmarks: visible must be {tuple(points.shape[:-1])} as in landmarks; got {tuple(flags.shape)}."
        )
    if not torch.isfinite(flags).all():
        raise ValueError("fit_landmarks: visible holds NaN or infinity; use 0 or 1.")
    return (flags != 0).reshape(B, L)


def _check_usable(target: torch.Tensor, used: torch.Tensor, inside: str) -> None:
    broken = (used & ~torch.isfinite(target).all(-1)).nonzero()
    if len(broken):
        b, landmark = broken[0].tolist()
        raise UnusableLandmarksError(
            b, f"landmark {landmark} (counted from 0) is visible but not finite. Mark it as not visible."
        )
    far = (used & (target.abs() > LARGEST_COORDINATE).any(-1)).nonzero()
    if len(far):
        b, landmark = far[0].tolist()
        raise UnusableLandmarksError(
            b,
            f"landmark {landmark} (counted from 0) lies too far out at {target[b, landmark].tolist()}; coordinates "
            f"must be at most {LARGEST_COORDINATE:.0e} pixels. Correct it or mark it as not visible.",
        )
    counts = used.sum(dim=1)
    few = (counts < MINIMUM_LANDMARKS).nonzero()
    if len(few):
        b = int(few[0])
        raise UnusableLandmarksError(
            b,
            f"{int(counts[b])} usable landmarks; at least {MINIMUM_LANDMARKS} are needed that are visible, "
            f"known to the model{inside}.",
        )
    infinity = torch.full_like(target, math.inf)
    low = torch.where(used[..., None], target, infinity).amin(dim=1)
    high = torch.where(used[..., None], target, -infinity).amax(dim=1)
    point = ((high - low).amax(dim=1) <= 0).nonzero() if len(target) else few
    if len(point):
        raise UnusableLandmarksError(int(point[0]), "all usable landmarks lie on one point.")


def _check_finite(fit: Fit) -> None:
    broken = (~(torch.isfinite(fit.theta).all(dim=1) & torch.isfinite(fit.error))).nonzero()
    if len(broken):
        raise UnusableLandmarksError(
            int(broken[0]), "no finite fit was found; are the landmarks in pixels, and those of a face?"
        )
