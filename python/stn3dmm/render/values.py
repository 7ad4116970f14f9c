"""Fragments -> values at the pixels: attributes of the vertices, places on the texture grid, edges."""

from __future__ import annotations

import torch

from stn3dmm_cuda import _checks
from stn3dmm_cuda.results import Fragments


def interpolate(attributes: torch.Tensor, fragments: Fragments, faces: torch.Tensor) -> torch.Tensor:
    """Values at the vertices, carried to the pixels by the barycentric coordinates.

    Args:
        attributes: (B, N, A), or (1, N, A) for all images.
        fragments: of B images, as `stn3dmm_cuda.rasterize` returns them.
        faces: (F, 3) or (B, F, 3), the faces that were rasterized.

    Returns:
        (B, A, H, W), 0 where no face is drawn.

    Differentiable: with respect to the attributes, and to the points through the barycentric coordinates.

    Raises:
        ValueError: shapes that do not match.

    Example:
        >>> import stn3dmm_cuda
        >>> corners = torch.tensor([[[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]])
        >>> faces = torch.tensor([[0, 1, 2]])
        >>> fragments = stn3dmm_cuda.rasterize(corners, faces, (2, 6))
        >>> interpolate(torch.tensor([[[0.0], [8.0], [0.0]]]), fragments, faces)[0, 0, 0].tolist()
        [0.0, 2.0, 4.0, 6.0, 0.0, 0.0]
    """
    B, H, W = fragments.face.shape
    if attributes.ndim != 3 or attributes.shape[0] not in (1, B):
        raise ValueError(
            f"interpolate: attributes must be (B, N, A) with B = {B} as in fragments, or (1, N, A); "
            f"got {tuple(attributes.shape)}."
        )
    if faces.ndim not in (2, 3) or faces.shape[-1] != 3 or (faces.ndim == 3 and faces.shape[0] != B):
        raise ValueError(f"interpolate: faces must be (F, 3) or ({B}, F, 3); got {tuple(faces.shape)}.")
    A = attributes.shape[2]
    if 0 in (faces.shape[-2], attributes.shape[1]):
        return attributes.new_zeros(B, A, H, W)
    first_vertex = _starts(attributes, B)
    first_face = _starts(faces, B) if faces.ndim == 3 else torch.zeros_like(first_vertex)
    face = (fragments.face.clamp_min(0).reshape(B, -1) + first_face).flatten()
    table = attributes.reshape(-1, A)
    weights = fragments.barycentric.reshape(-1, 3)
    values = attributes.new_zeros(())
    for corner in range(3):
        vertex = faces[..., corner].flatten().long().index_select(0, face).reshape(B, -1) + first_vertex
        values = values + table.index_select(0, vertex.flatten()) * weights[:, corner, None]
    return values.reshape(B, H, W, A).permute(0, 3, 1, 2)


def _starts(batched: torch.Tensor, B: int) -> torch.Tensor:
    """(B, 1): where the rows of each image begin in the flattened (B or 1, rows, ...)."""
    step = batched.shape[1] if batched.shape[0] > 1 else 0
    return step * torch.arange(B, device=batched.device)[:, None]


def grid_coordinates(fragments: Fragments, grid_shape: tuple[int, int]) -> torch.Tensor:
    """Where on the texture grid each pixel lies, for the faces of `stn3dmm_cuda.grid_faces`.

    Args:
        fragments: of B images.
        grid_shape: (P, Q), rows and columns of vertices.

    Returns:
        (B, H, W, 2): column and row, fractions between the vertices; 0 where no face is drawn.

    Differentiable: with respect to the points, through the barycentric coordinates.

    Raises:
        ValueError: grid_shape is no pair of sizes.

    Example:
        >>> import stn3dmm_cuda
        >>> points = torch.tensor([[[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 0]]])
        >>> fragments = stn3dmm_cuda.rasterize(points, stn3dmm_cuda.grid_faces((2, 2)), (4, 4))
        >>> grid_coordinates(fragments, (2, 2))[0, 1, 3].tolist()
        [0.75, 0.25]
    """
    _, Q = _checks.pair("grid_coordinates", "grid_shape", grid_shape)
    face = fragments.face.clamp_min(0)
    cell, second = face // 2, face % 2
    # Of a cell's first face corner 0 is the cell's own vertex, of its second face the opposite one.
    sign = (1 - 2 * second).to(fragments.barycentric.dtype)
    column = cell % max(Q - 1, 1) + second + sign * fragments.barycentric[..., 2]
    row = cell // max(Q - 1, 1) + second + sign * fragments.barycentric[..., 1]
    return torch.stack((column, row), dim=-1) * (fragments.face >= 0)[..., None]


def wireframe(points: torch.Tensor, faces: torch.Tensor, fragments: Fragments, width: float = 1.0) -> torch.Tensor:
    """The edges of the faces that are seen, as opacity.

    Args:
        points: (B, N, 3) pixels.
        faces: (F, 3) or (B, F, 3).
        fragments: of these points and faces.
        width: of a line in pixels; a face shows its half of it.

    Returns:
        (B, 1, H, W), 1 on an edge and 0 away from it.

    Differentiable: with respect to points, where a pixel lies on the rim of a line.

    Raises:
        ValueError: shapes that do not match, a width of 0 or less.

    Example:
        >>> import stn3dmm_cuda
        >>> corners = torch.tensor([[[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]])
        >>> faces = torch.tensor([[0, 1, 2]])
        >>> fragments = stn3dmm_cuda.rasterize(corners, faces, (4, 4))
        >>> wireframe(corners, faces, fragments)[0, 0, 2].tolist()
        [1.0, 0.0, 0.0, 0.0]
    """
    if not width > 0:
        raise ValueError(f"wireframe: width must be more than 0 pixels; got {width}.")
    B = fragments.face.shape[0]
    each = faces.long().expand(B, -1, 3)
    corners = points[..., :2].gather(1, each.reshape(B, -1, 1).expand(-1, -1, 2)).reshape(B, -1, 3, 2)
    edges = corners.roll(-2, dims=2) - corners.roll(-1, dims=2)  # opposite the corners 0, 1, 2
    area = (edges[:, :, 0, 0] * edges[:, :, 1, 1] - edges[:, :, 0, 1] * edges[:, :, 1, 0]).abs()
    height = area[..., None] / edges.norm(dim=-1).clamp_min(torch.finfo(points.dtype).tiny)
    if height.shape[1] == 0:
        return points.new_zeros(B, 1, *fragments.face.shape[1:])
    picked = fragments.face.clamp_min(0).reshape(B, -1, 1).expand(-1, -1, 3)
    away = (height.gather(1, picked).reshape(fragments.barycentric.shape) * fragments.barycentric).amin(dim=-1)
    opacity = (width / 2 + 0.5 - away).clamp(0, 1)
    return torch.where(fragments.face >= 0, opacity, torch.zeros_like(opacity))[:, None]
