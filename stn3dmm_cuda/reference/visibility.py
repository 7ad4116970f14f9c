"""Exact per-vertex visibility by brute force: docs/math.md#visibility."""

from __future__ import annotations

import torch

from ..topology import grid_faces

FACES_AT_ONCE = 64  # memory, and how well the boxes prune


def _double_area(corners: torch.Tensor) -> torch.Tensor:
    """Twice the signed area in (x, y), of corners (..., 3, 2 or 3); negative faces the viewer, as y points down."""
    first, second, third = corners.unbind(dim=-2)
    ahead, aside = second - first, third - first
    return ahead[..., 0] * aside[..., 1] - ahead[..., 1] * aside[..., 0]


def _edge_functions(points: torch.Tensor, faces: torch.Tensor, at: torch.Tensor) -> list[torch.Tensor]:
    """The three edge functions of each face, opposite its corners 0, 1, 2, at the (x, y) of `at`.

    Each is evaluated from the edge's lower vertex to its higher one and then signed, so that two faces sharing an
    edge get exactly opposite values and no point slips between them. faces (..., 3) must broadcast with at (..., 3).
    """
    values = []
    for opposite in range(3):
        start, end = faces[..., (opposite + 1) % 3], faces[..., (opposite + 2) % 3]
        low, high = points[torch.minimum(start, end)], points[torch.maximum(start, end)]
        along, across = high - low, at - low
        value = along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0]
        values.append(torch.where(start < end, value, -value))
    return values


def _plane_depth(points: torch.Tensor, faces: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """The depth of each face's plane at the (x, y) of `at`, by barycentrics from its edge functions."""
    w0, w1, w2 = _edge_functions(points, faces, at)
    z0, z1, z2 = points[..., 2][faces].unbind(dim=-1)
    return (w0 * z0 + w1 * z1 + w2 * z2) / (w0 + w1 + w2)


def _plane_of_shares(points: torch.Tensor, faces: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """The same but for rounding, where products of areas and depths may overflow."""
    weights = torch.stack(_edge_functions(points, faces, at), dim=-1)
    return (weights / weights.sum(dim=-1, keepdim=True) * points[..., 2][faces]).sum(dim=-1)


def _covering_depth(points: torch.Tensor, faces: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """(m, c): depth of face c at vertex m where the face contains it and does not touch it, else minus infinity."""
    at = points[candidates][:, None]  # (m, 1, 3)
    corners = points[faces]  # (c, 3, 3)
    area = _double_area(corners)
    inside = (faces != candidates[:, None, None]).all(dim=-1)
    # A point beyond the triangle's box is outside whatever rounding makes of the edge functions.
    inside &= (at[..., :2] >= corners.amin(dim=1)[:, :2]).all(dim=-1)
    inside &= (at[..., :2] <= corners.amax(dim=1)[:, :2]).all(dim=-1)
    for value in _edge_functions(points, faces, at):
        inside &= torch.where(area > 0, value >= 0, value <= 0)
    # Inside, the plane lies between its corners, whatever rounding makes of a sliver.
    depth = _plane_depth(points, faces, at).clamp(corners.amin(dim=1)[:, 2], corners.amax(dim=1)[:, 2])
    return torch.where(inside & ~depth.isnan(), depth, torch.full_like(depth, -torch.inf))


def _sweep_order(low: torch.Tensor) -> torch.Tensor:
    """An order of faces, given the low corners (F, 2) of their boxes, in which neighbours lie close together."""
    F = low.shape[0]
    by_x = low[:, 0].argsort(stable=True)
    rank = low[:, 1].argsort(stable=True).argsort(stable=True)
    strip = rank // max(1, round((F * FACES_AT_ONCE) ** 0.5))
    return by_x[strip[by_x].argsort(stable=True)]


def _occluder(points: torch.Tensor, faces: torch.Tensor, usable: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Per vertex the occluder depth (N,), minus infinity if none, and the winning face (N,), F if none."""
    N, F = points.shape[0], faces.shape[0]
    best = points.new_full((N,), -torch.inf)
    winner = torch.full((N,), F, dtype=torch.int64, device=points.device)
    finite = points.isfinite().all(dim=-1)
    chosen = usable.nonzero().flatten()
    low, high = points[faces[chosen]].amin(dim=1)[:, :2], points[faces[chosen]].amax(dim=1)[:, :2]
    order = _sweep_order(low)
    for start in range(0, len(order), FACES_AT_ONCE):
        part = order[start : start + FACES_AT_ONCE]
        in_box = (points[:, :2] >= low[part].amin(dim=0)) & (points[:, :2] <= high[part].amax(dim=0))
        candidates = (finite & in_box.all(dim=-1)).nonzero().flatten()
        index = chosen[part]
        if candidates.numel() == 0:
            continue
        depth = _covering_depth(points, faces[index], candidates)
        deepest = depth.amax(dim=1)
        first = torch.where(depth == deepest[:, None], index, F).amin(dim=1)
        old, old_winner = best[candidates], winner[candidates]
        better = (deepest > old) | ((deepest == old) & (deepest > -torch.inf) & (first < old_winner))
        best[candidates] = torch.where(better, deepest, old)
        winner[candidates] = torch.where(better, first, old_winner)
    return best, winner


def _facing(points: torch.Tensor, faces: torch.Tensor, area: torch.Tensor) -> torch.Tensor:
    """(N,) bool: the areas (F,) of each vertex's triangles, added in ascending face order, are negative."""
    total = points.new_zeros(points.shape[0])
    total.index_add_(0, faces.flatten(), area.repeat_interleave(3))
    return total < 0


def _visible(
    points: torch.Tensor, faces: torch.Tensor, mode: str, tolerance: float, temperature: float
) -> torch.Tensor:
    """The visibility (N,) of one image's points (N, 3) under its own faces (F, 3)."""
    dtype = torch.finfo(points.dtype)
    tolerance, temperature = min(max(tolerance, dtype.min), dtype.max), min(max(temperature, dtype.tiny), dtype.max)
    with torch.no_grad():
        fixed = points.detach()
        faces = faces[((faces >= 0) & (faces < points.shape[0])).all(dim=-1)]
        area = _double_area(fixed[faces])
        usable = fixed[faces].isfinite().all(dim=-1).all(dim=-1) & area.isfinite()
        area = torch.where(usable, area, torch.zeros_like(area))
        depth, winner = _occluder(fixed, faces, usable & (area != 0))
        candidate = _facing(fixed, faces, area) & fixed.isfinite().all(dim=-1)
        if mode == "hard":
            return (candidate & (fixed[:, 2] >= depth - tolerance)).to(points.dtype)
        covered = winner < faces.shape[0]
        index = (candidate & covered).nonzero().flatten()
        result = (candidate & ~covered).to(points.dtype)
    plane = _plane_of_shares(points, faces[winner[index]], points[index])
    # The depth that made it the winner, kept between its corners; that corrects rounding and has no derivative.
    occluder = depth[index] + (plane - plane.detach())
    soft = torch.sigmoid((points[index, 2] - occluder + tolerance) / temperature)
    return result.index_put((index,), soft)


def visibility(
    points: torch.Tensor,
    faces: torch.Tensor | None = None,
    grid_shape: tuple[int, int] | None = None,
    mode: str = "hard",
    tolerance: float = 0.01,
    temperature: float = 1.0,
) -> torch.Tensor:
    """Whether each vertex is seen, points (B, N, 3) pixels -> (B, N): 0 or 1, or between them in mode "soft"."""
    if points.ndim != 3 or points.shape[2] != 3:
        raise ValueError(f"visibility: points must be (B, N, 3); got {tuple(points.shape)}.")
    if (faces is None) == (grid_shape is None):
        raise ValueError("visibility: exactly one of faces and grid_shape must be given.")
    if mode not in ("hard", "soft"):
        raise ValueError(f'visibility: mode must be "hard" or "soft"; got {mode!r}.')
    B, N, _ = points.shape
    if grid_shape is not None:
        if grid_shape[0] * grid_shape[1] != N:
            raise ValueError(f"visibility: grid_shape must have P Q = {N} as in points; got {grid_shape}.")
        faces = grid_faces(grid_shape, points.device)
    assert faces is not None
    if faces.ndim not in (2, 3) or faces.shape[-1] != 3 or (faces.ndim == 3 and faces.shape[0] != B):
        raise ValueError(f"visibility: faces must be (F, 3) or ({B}, F, 3); got {tuple(faces.shape)}.")
    each = faces.long().expand(B, -1, 3)
    rows = [_visible(points[b], each[b], mode, tolerance, temperature) for b in range(B)]
    return torch.stack(rows) if rows else points.new_zeros(B, N)
