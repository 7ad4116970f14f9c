"""Normals of a mesh, and the light that it sends back."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from stn3dmm_cuda import _checks


class Lights(NamedTuple):
    """What shines on a matt surface; C colour channels, M lights."""

    ambient: torch.Tensor  # (B or 1, C) light from everywhere
    directions: torch.Tensor  # (B or 1, M, 3) towards the lights, view frame, unit length
    colours: torch.Tensor  # (B or 1, M, C)


def normals(points: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """The normals of the vertices: the mean of their faces' normals, weighted with the areas.

    Convention:
        Faces are counter-clockwise seen from outside; a normal with z > 0 faces the viewer.

    Args:
        points: (B, N, 3) pixels and depth.
        faces: (F, 3) or (B, F, 3).

    Returns:
        (B, N, 3) of unit length in the view frame (y up), 0 for a vertex of no face.

    Differentiable: with respect to points. Deterministic: on the CPU.

    Example:
        >>> import stn3dmm_cuda
        >>> square = torch.tensor([[[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 0]]])
        >>> normals(square, stn3dmm_cuda.grid_faces((2, 2)))[0, 0].tolist()
        [0.0, 0.0, 1.0]
    """
    _checks.coordinates("normals", points=points)
    _checks.shape("normals", "points", points, "(B, N, 3)", (None, None, 3))
    upright = points * points.new_tensor([1.0, -1.0, 1.0])
    each = faces.long().expand(points.shape[0], -1, 3)
    corners = upright.gather(1, each.reshape(len(each), -1, 1).expand(-1, -1, 3)).reshape(*each.shape, 3)
    a, b, c = corners.unbind(dim=2)
    across = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(upright)
    for corner in range(3):
        total = total.scatter_add(1, each[..., corner, None].expand(-1, -1, 3), across)
    return F.normalize(total, dim=-1, eps=torch.finfo(points.dtype).tiny)


def shade(normals: torch.Tensor, lights: Lights) -> torch.Tensor:
    """The light that matt skin of white colour sends back: ambient + sum of max(0, n . l) colour.

    Args:
        normals: (B, N, 3) unit length, view frame.
        lights: in the view frame.

    Returns:
        (B, N, C), 0 or more for lights of 0 or more.

    Differentiable: with respect to normals and lights.

    Example:
        >>> lamp = Lights(torch.tensor([[0.25]]), torch.tensor([[[0.0, 0.0, 1.0]]]), torch.tensor([[[0.5]]]))
        >>> shade(torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]]), lamp).flatten().tolist()
        [0.75, 0.25]
    """
    facing = (normals @ lights.directions.mT).clamp_min(0)
    return lights.ambient[:, None] + facing @ lights.colours
