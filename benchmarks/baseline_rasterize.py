"""A z-buffer as one would write it in PyTorch without loops: every pixel of every face's box is a candidate.

The deepest candidate that its face covers wins a pixel by `scatter_reduce`. It makes the same picture as `rasterize`
but for pixels on an edge.
"""

from __future__ import annotations

import torch

from stn3dmm_cuda import Fragments


def rasterize(points: torch.Tensor, faces: torch.Tensor, image_size: tuple[int, int]) -> Fragments:
    """points (B, N, 3), faces (F, 3); both windings are drawn, ties go to the lowest face."""
    B, (H, W) = points.shape[0], image_size
    corners = points[:, faces].reshape(-1, 3, 3)  # of all faces of all images
    with torch.no_grad():
        face, pixel, depth = _candidates(corners, len(faces), H, W)
        deepest = depth.new_full((B * H * W,), -torch.inf).scatter_reduce(0, pixel, depth, "amax")
        wins = depth == deepest[pixel]
        none = len(corners)
        winner = face.new_full((B * H * W,), none).scatter_reduce(0, pixel[wins], face[wins], "amin")
        shown = (winner < none).nonzero().flatten()
    seen = corners[winner[shown]]
    at = torch.stack((shown % W, shown // W % H), dim=1).to(points)
    inside = _barycentric(seen, at)
    barycentric = points.new_zeros(B * H * W, 3).index_put((shown,), inside)
    depths = points.new_zeros(B * H * W).index_put((shown,), (inside * seen[..., 2]).sum(dim=1))
    drawn = torch.where(winner < none, winner % len(faces), -1)
    return Fragments(drawn.reshape(B, H, W), barycentric.reshape(B, H, W, 3), depths.reshape(B, H, W))


def _candidates(corners: torch.Tensor, F: int, H: int, W: int) -> tuple[torch.Tensor, ...]:
    """Of every pixel that a face covers: the face, the pixel and the depth there."""
    last = torch.tensor([W - 1, H - 1], device=corners.device)
    low = corners[..., :2].amin(dim=1).ceil().long().clamp_min(0)
    high = torch.minimum(corners[..., :2].amax(dim=1).floor().long(), last)
    columns, rows = (high - low + 1).clamp_min(0).unbind(1)
    count = columns * rows
    face = torch.repeat_interleave(count)
    place = torch.arange(len(face), device=corners.device) - (count.cumsum(0) - count)[face]
    across = columns[face]
    x, y = low[face, 0] + place % across, low[face, 1] + place // across
    inside = _barycentric(corners[face], torch.stack((x, y), dim=1).to(corners))
    covered = (inside >= 0).all(dim=1)  # false for NaN, of faces without area
    depth = (inside * corners[face, :, 2]).sum(dim=1)
    return face[covered], ((face // F * H + y) * W + x)[covered], depth[covered]


def _barycentric(corners: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """(n, 3) of the places `at` (n, 2) in triangles (n, 3, 2 or 3)."""
    away = corners[..., :2] - at[:, None]
    (ax, ay), (bx, by), (cx, cy) = (corner.unbind(1) for corner in away.unbind(1))
    areas = torch.stack((bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx), dim=1)
    return areas / areas.sum(dim=1, keepdim=True)
