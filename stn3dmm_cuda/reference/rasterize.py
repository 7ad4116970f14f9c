"""An orthographic z-buffer by brute force: docs/math.md#rasterize."""

from __future__ import annotations

import torch

from ..results import Fragments
from .visibility import _double_area, _edge_functions

TESTS_AT_ONCE = 2**21  # pixels x faces, for memory


def _keeps(points: torch.Tensor, faces: torch.Tensor, area: torch.Tensor) -> list[torch.Tensor]:
    """Per edge, opposite the corners 0, 1, 2, whether it is a left or a top edge of its face (F,).

    Walked so that the face lies on the right hand, as it is seen with y down, a left edge goes up and a top edge goes
    right.
    """
    keeps = []
    for opposite in range(3):
        start, end = points[faces[:, (opposite + 1) % 3]], points[faces[:, (opposite + 2) % 3]]
        turned = area[:, None] < 0
        tail, head = torch.where(turned, end, start), torch.where(turned, start, end)
        top = (head[:, 1] == tail[:, 1]) & (head[:, 0] > tail[:, 0])
        keeps.append((head[:, 1] < tail[:, 1]) | top)
    return keeps


def _barycentric(points: torch.Tensor, faces: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """(..., 3): the edge functions of the faces at the (x, y) of `at`, divided by their sum."""
    weights = torch.stack(_edge_functions(points, faces, at), dim=-1)
    return weights / (weights[..., 0] + weights[..., 1] + weights[..., 2])[..., None]


def _depth(points: torch.Tensor, faces: torch.Tensor, barycentric: torch.Tensor) -> torch.Tensor:
    """The depth there, kept between the corners' depths; rounding is no reason to lose the gradient."""
    a, b, c = barycentric.unbind(dim=-1)
    corners = points[..., 2][faces]
    plane = a * corners[..., 0] + b * corners[..., 1] + c * corners[..., 2]
    kept = plane.clamp(corners.amin(dim=-1), corners.amax(dim=-1)) + 0.0  # no negative zero
    return kept.detach() + (plane - plane.detach())


def _covering_depth(points: torch.Tensor, faces: torch.Tensor, area: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """(p, c): depth of face c at pixel p where the face covers it, else minus infinity."""
    at = at[:, None]
    corners = points[faces]
    # A pixel beyond the face's box is outside whatever rounding makes of the edge functions.
    low, high = corners.amin(dim=1)[:, :2], corners.amax(dim=1)[:, :2]
    inside = (at[..., :2] >= low).all(dim=-1) & (at[..., :2] <= high).all(dim=-1)
    values = _edge_functions(points, faces, at)
    for value, keeps in zip(values, _keeps(points, faces, area), strict=True):
        inside &= torch.where(area > 0, value > 0, value < 0) | ((value == 0) & keeps)
    total = values[0] + values[1] + values[2]
    inside &= total.isfinite() & (total != 0)
    depth = _depth(points, faces, _barycentric(points, faces, at))
    return torch.where(inside, depth, torch.full_like(depth, -torch.inf))


def _winners(points: torch.Tensor, faces: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """The face (H W,) that each pixel shows, -1 for none."""
    best = points.new_full((len(pixels),), -torch.inf)
    winner = torch.full((len(pixels),), -1, dtype=torch.int64, device=points.device)
    known = ((faces >= 0) & (faces < points.shape[0])).all(dim=-1).nonzero().flatten()
    area = _double_area(points[faces[known]])
    usable = points[faces[known]].isfinite().all(dim=-1).all(dim=-1) & area.isfinite() & (area != 0)
    drawable = known[usable]
    faces_at_once = max(1, TESTS_AT_ONCE // max(1, len(pixels)))
    for start in range(0, len(drawable), faces_at_once):
        part = drawable[start : start + faces_at_once]
        depth = _covering_depth(points, faces[part], _double_area(points[faces[part]]), pixels)
        deepest = depth.amax(dim=1)
        first = torch.where(depth == deepest[:, None], part, len(faces)).amin(dim=1)
        better = deepest > best  # faces come in ascending order, so of equal depths the first stays
        best, winner = torch.where(better, deepest, best), torch.where(better, first, winner)
    return winner


def _drawn(points: torch.Tensor, faces: torch.Tensor, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Of one image the faces (H W,), the barycentrics (H W, 3) and the depths (H W,)."""
    with torch.no_grad():
        winner = _winners(points.detach(), faces, pixels)
    shown = (winner >= 0).nonzero().flatten()
    corners = faces[winner[shown]]
    inside = _barycentric(points, corners, pixels[shown])
    barycentric = points.new_zeros(len(pixels), 3).index_put((shown,), inside)
    depth = points.new_zeros(len(pixels)).index_put((shown,), _depth(points, corners, inside))
    return winner, barycentric, depth


def rasterize(points: torch.Tensor, faces: torch.Tensor, image_size: tuple[int, int]) -> Fragments:
    """Which face each pixel shows, points (B, N, 3) pixels -> face (B, H, W), barycentric (B, H, W, 3), depth."""
    if points.ndim != 3 or points.shape[2] != 3:
        raise ValueError(f"rasterize: points must be (B, N, 3); got {tuple(points.shape)}.")
    B = points.shape[0]
    if faces.ndim not in (2, 3) or faces.shape[-1] != 3 or (faces.ndim == 3 and faces.shape[0] != B):
        raise ValueError(f"rasterize: faces must be (F, 3) or ({B}, F, 3); got {tuple(faces.shape)}.")
    H, W = image_size
    each = faces.long().expand(B, -1, 3)
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    pixels = torch.stack((x, y, torch.zeros_like(x)), dim=-1).reshape(-1, 3).to(points)
    images = [_drawn(points[b], each[b], pixels) for b in range(B)]
    if not images:
        images = [_drawn(points.new_zeros(0, 3), faces.new_zeros(0, 3).long(), pixels)]
    face, barycentric, depth = (torch.stack(parts)[:B] for parts in zip(*images, strict=True))
    return Fragments(face.reshape(B, H, W), barycentric.reshape(B, H, W, 3), depth.reshape(B, H, W))
