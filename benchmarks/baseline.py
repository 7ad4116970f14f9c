"""The chain as a good PyTorch user would write it: matrix products and grid_sample, no Python loops.

This is the only baseline for speed. It makes the same texture and mask as `warp` without visibility.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def axis_angle_to_matrix(r: torch.Tensor) -> torch.Tensor:
    """(B, 3) radians -> (B, 3, 3), Rodrigues; the small constant keeps r = 0 differentiable."""
    angle = (r.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()
    x, y, z = (r / angle).unbind(dim=1)
    zero = torch.zeros_like(x)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=1).view(-1, 3, 3)
    angle = angle[:, :, None]
    identity = torch.eye(3, dtype=r.dtype, device=r.device)
    return identity + angle.sin() * skew + (1 - angle.cos()) * torch.bmm(skew, skew)


def points(theta: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """theta (B, 6 + K) -> (B, N, 3) pixels and depth: one product for the shapes, one for pose and projection."""
    K, N, _ = basis.shape
    flip = torch.tensor([1.0, -1.0, 1.0], dtype=theta.dtype, device=theta.device)
    pose = theta[:, 5].exp()[:, None, None] * flip[:, None] * axis_angle_to_matrix(theta[:, :3])
    shift = F.pad(theta[:, 3:5], (0, 1))[:, None]
    vertices = torch.addmm(mean.view(1, -1), theta[:, 6:], basis.view(K, -1)).view(-1, N, 3)
    return torch.baddbmm(shift, vertices, pose.transpose(1, 2))


def warp(
    image: torch.Tensor, theta: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor, grid_shape: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(texture (B, C, P, Q), mask (B, 1, P, Q) of the vertices inside the image)."""
    P, Q = grid_shape
    H, W = image.shape[2:]
    xy = points(theta, mean, basis)[..., :2]
    last = torch.tensor([W - 1, H - 1], dtype=theta.dtype, device=theta.device)
    grid = (xy * (2 / last) - 1).view(-1, P, Q, 2)
    texture = F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
    mask = ((xy >= 0) & (xy <= last)).all(dim=2).to(theta.dtype).view(-1, 1, P, Q)
    return texture, mask
