"""theta -> flattened texture, mask and landmarks, room by room: docs/math.md#warp."""

from __future__ import annotations

import torch

from ..results import Warp
from .pose import pose
from .project import project
from .sample import sample
from .vertices import vertices
from .visibility import visibility as vertex_visibility


def _points(theta: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """(B, N, 3) pixels; NaN with gradient 0 for an image whose pose is not finite."""
    with torch.no_grad():
        parts = pose(theta)
        sound = torch.cat([part.flatten(1) if part.ndim > 1 else part[:, None] for part in parts], dim=1)
        sound = sound.isfinite().all(dim=1) & theta.isfinite().all(dim=1)
    # A harmless theta stands in for an unsound one: a gradient of 0 times NaN would be NaN.
    stand_in = torch.where(sound[:, None], theta, torch.zeros_like(theta))
    rotation, translation, scale, alpha = pose(stand_in)
    points = project(vertices(alpha, mean, basis), rotation, translation, scale)
    return torch.where(sound[:, None, None], points, torch.full_like(points, torch.nan))


def select(points: torch.Tensor, landmarks: torch.Tensor | None) -> torch.Tensor:
    """x, y of the vertices landmarks (L,): (B, L, 2); NaN without gradient where the index names no vertex."""
    if landmarks is None:
        return points.new_zeros(points.shape[0], 0, 2)
    N = points.shape[1]
    exists = (landmarks >= 0) & (landmarks < N)
    if N == 0:
        return points.new_full((points.shape[0], landmarks.shape[0], 2), torch.nan)
    chosen = points[:, torch.where(exists, landmarks, 0), :2]
    return torch.where(exists[:, None], chosen, torch.full_like(chosen, torch.nan))


def warp(
    image: torch.Tensor,
    theta: torch.Tensor,
    mean: torch.Tensor,
    basis: torch.Tensor,
    grid_shape: tuple[int, int],
    *,
    visibility: str = "hard",
    landmarks: torch.Tensor | None = None,
    valid: torch.Tensor | None = None,
    tolerance: float = 0.01,
    temperature: float = 1.0,
) -> Warp:
    """pose -> vertices -> project -> sample and visibility: image (B, C, H, W), theta (B, 6 + K) -> Warp."""
    for name, constant in (("mean", mean), ("basis", basis)):
        if constant.requires_grad:
            raise ValueError(f"warp: {name} must not require grad; chain the operators, or pass {name}.detach().")
    if visibility not in ("hard", "soft", "none"):
        raise ValueError(f'warp: visibility must be "hard", "soft" or "none"; got {visibility!r}.')
    B, C, H, W = image.shape
    P, Q = grid_shape
    if theta.shape[0] != B or mean.shape[0] != P * Q:
        shapes = f"{tuple(theta.shape)} and {tuple(mean.shape)}"
        raise ValueError(f"warp: theta and mean must be ({B}, 6 + K) and ({P * Q}, 3); got {shapes}.")
    points = _points(theta, mean, basis)
    x, y = points[..., 0], points[..., 1]
    shown = (x >= 0) & (x <= W - 1) & (y >= 0) & (y <= H - 1) & points.isfinite().all(dim=-1)
    if valid is not None:
        shown = shown & valid
    mask = shown.to(theta.dtype)
    if visibility != "none":
        seen = vertex_visibility(points, None, grid_shape, visibility, tolerance, temperature)
        mask = mask * seen
    texture = sample(image, points)
    return Warp(texture.reshape(B, C, P, Q), mask.reshape(B, 1, P, Q), select(points, landmarks))
