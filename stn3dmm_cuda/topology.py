"""The faces of the texture grid."""

from __future__ import annotations

import torch

from . import _checks


def grid_faces(grid_shape: tuple[int, int], device: torch.device | str | None = None) -> torch.Tensor:
    """The triangles of a P x Q grid of vertices.

    Convention:
        Vertex k = row Q + column. Cell (r, c) has the faces 2 (r (Q - 1) + c) = (r,c) (r+1,c) (r,c+1) and the
        next one, (r+1,c+1) (r,c+1) (r+1,c): counter-clockwise seen from outside.

    Args:
        grid_shape: (P, Q) rows and columns.
        device: where the faces are made.

    Returns:
        (F, 3) int64 with F = 2 (P - 1) (Q - 1); F = 0 for a grid of one row or one column.

    Raises:
        ValueError: not two sizes, or a negative one.
        TypeError: sizes that are not integers.

    Source:
        docs/conventions.md#texture-grid

    Example:
        >>> grid_faces((2, 2)).tolist()
        [[0, 2, 1], [3, 1, 2]]
    """
    P, Q = _checks.pair("grid_faces", "grid_shape", grid_shape)
    index = torch.arange(P * Q, dtype=torch.int64, device=device).reshape(P, Q)
    here, right = index[:-1, :-1], index[:-1, 1:]
    below, opposite = index[1:, :-1], index[1:, 1:]
    upper = torch.stack((here, below, right), dim=-1)
    lower = torch.stack((opposite, right, below), dim=-1)
    return torch.stack((upper, lower), dim=-2).reshape(-1, 3)
