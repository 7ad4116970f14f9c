"""Ways to tell which vertices of a mesh are seen, to compare `stn3dmm_cuda.visibility` with, and the truth."""

from __future__ import annotations

import torch

import stn3dmm_cuda
from stn3dmm_cuda import reference

IMAGE_SIDE = 224  # pixels; the faces are framed for it
TOLERANCE = 0.01  # pixels, the operator's default
EPSILON = float(torch.finfo(torch.float32).eps)


def truth(points: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """(N,) bool: the definition by brute force, in float64 at these very points (N, 3)."""
    return reference.visibility(points.double()[None], faces, tolerance=TOLERANCE)[0] > 0


def double_areas(points: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """(F,) twice the signed areas in the image; negative faces the viewer, as y points down."""
    a, b, c = points[faces, :2].unbind(dim=1)
    ahead, aside = b - a, c - a
    return ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0]


def facing(points: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """(N,) bool: the normal test of Bas et al. 2017, normals added up properly; occlusion it knows nothing of."""
    total = points.new_zeros(len(points))
    areas = double_areas(points, faces)
    for corner in range(3):
        total.index_add_(0, faces[:, corner], areas)
    return total < 0


def depth_before(points: torch.Tensor, faces: torch.Tensor, side: int) -> torch.Tensor:
    """(N,) image pixels by which the z-buffer of side x side pixels is nearer than each vertex at its nearest pixel.

    Minus infinity where the pixel is empty; NaN for vertices outside the image, of which a z-buffer knows nothing.
    """
    factor = side / IMAGE_SIDE
    there = points * factor
    there[:, :2] += (factor - 1) / 2
    drawn = stn3dmm_cuda.rasterize(there[None], faces, (side, side))
    column, row = there[:, 0].round().long(), there[:, 1].round().long()
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    pixel = row.clamp(0, side - 1) * side + column.clamp(0, side - 1)
    buffer = torch.where(drawn.face[0] >= 0, drawn.depth[0], -torch.inf).flatten()
    before = (buffer[pixel] - there[:, 2]) / factor
    return torch.where(inside, before, torch.nan)


def in_image(points: torch.Tensor) -> torch.Tensor:
    """(N,) bool: vertices that lie on a pixel, and so on one of every z-buffer's."""
    return ((points[:, :2] >= -0.5) & (points[:, :2] < IMAGE_SIDE - 0.5)).all(dim=1)


def every_face(points: torch.Tensor, faces: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of each face (F,), seen from vertex n: whether it covers n and is not its own, its depth there, its distance.

    A second brute force with nothing in common with the first: barycentrics by Cramer's rule on offsets from n, every
    face, no boxes. The distance is from n to the nearest edge, in pixels.
    """
    offset = points[faces] - points[n]  # (F, 3, 3)
    x, y, z = offset.unbind(dim=-1)
    after = [1, 2, 0]
    cross = x * y[:, after] - y * x[:, after]  # of corner i and the next one: the weight of corner i + 2
    weights = cross[:, [1, 2, 0]]
    area = weights.sum(dim=1)
    foreign = (faces != n).all(dim=1) & (area != 0)
    covers = foreign & ((weights * area.sign()[:, None]) >= 0).all(dim=1)
    depth = points[n, 2] + (weights * z).sum(dim=1) / area
    start, along = offset[..., :2], offset[:, after, :2] - offset[..., :2]
    part = (-(start * along).sum(dim=-1) / along.square().sum(dim=-1).clamp_min(1e-300)).clamp(0, 1)
    distance = (start + part[..., None] * along).norm(dim=-1).amin(dim=1)
    return covers, depth, distance


def by_hand(points: torch.Tensor, faces: torch.Tensor, n: int) -> bool:
    """Whether vertex n of points (N, 3) in float64 is seen, by the second brute force."""
    covers, depth, _ = every_face(points, faces, n)
    areas = double_areas(points, faces)[(faces == n).any(dim=1)]
    return bool(areas.sum() < 0 and (points[n, 2] >= depth[covers] - TOLERANCE).all())


def within_rounding(points: torch.Tensor, faces: torch.Tensor, n: int) -> str | None:
    """What float32 cannot tell at vertex n of points (N, 3) in float64: "facing", "edge", "depth", or None.

    facing: its triangles' areas add up to less than the rounding of their products. edge: a foreign triangle's edge
    passes within a few units in the last place of the triangle's coordinates, and that triangle decides. depth: a
    covering triangle lies as far before it as the tolerance, to within the rounding of its plane.
    """
    a, b, c = points[faces, :2].unbind(dim=1)
    ahead, aside = b - a, c - a
    products = (ahead[:, 0] * aside[:, 1]).abs() + (ahead[:, 1] * aside[:, 0]).abs()
    areas = double_areas(points, faces)
    own = (faces == n).any(dim=1)
    if areas[own].sum().abs() <= 4 * EPSILON * products[own].sum():
        return "facing"
    covers, depth, distance = every_face(points, faces, n)
    corners = points[faces]
    size = corners[..., :2].abs().amax(dim=(1, 2)).clamp_min(float(points[n, :2].abs().max()))
    z = corners[..., 2]
    hides = z.amax(dim=1) > points[n, 2] + TOLERANCE
    if (~own & hides & (distance <= 4 * EPSILON * size)).any():
        return "edge"
    slack = (points[n, 2] - depth + TOLERANCE).abs()
    spread = z.amax(dim=1) - z.amin(dim=1)
    rounding = 8 * EPSILON * (spread * products / areas.abs() + z.abs().amax(dim=1) + 1)
    return "depth" if (covers & (slack <= rounding)).any() else None
