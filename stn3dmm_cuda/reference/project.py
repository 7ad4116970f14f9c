"""Vertices -> image points by scaled orthography: docs/math.md#points."""

from __future__ import annotations

import torch


def project(
    vertices: torch.Tensor, rotation: torch.Tensor, translation: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """x = s (R X)_x + t_x, y = -s (R X)_y + t_y, depth = s (R X)_z: (B, N, 3) model units -> (B, N, 3) pixels."""
    B = vertices.shape[0]
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise ValueError(f"project: vertices must be (B, N, 3); got {tuple(vertices.shape)}.")
    for name, value, shape in (
        ("rotation", rotation, (B, 3, 3)),
        ("translation", translation, (B, 2)),
        ("scale", scale, (B,)),
    ):
        if value.shape != shape:
            raise ValueError(f"project: {name} must be {shape} as in vertices; got {tuple(value.shape)}.")
    # Sums of products, not a matrix product: TF32 and autocast would cost pixels.
    turned = (rotation[:, None] * vertices[:, :, None, :]).sum(dim=-1)
    x, y, z = (scale[:, None, None] * turned).unbind(dim=-1)
    return torch.stack((x + translation[:, :1], translation[:, 1:] - y, z), dim=-1)
