"""The operators as a good PyTorch user would write them: matrix products and grid_sample, no Python loops.

This is the only baseline for speed. `warp` makes the same texture and mask as ours without visibility.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from stn3dmm_cuda.results import Pose, Warp


def axis_angle_to_matrix(r: torch.Tensor) -> torch.Tensor:
    """(B, 3) radians -> (B, 3, 3), Rodrigues; the small constant keeps r = 0 differentiable."""
    angle = (r.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()
    x, y, z = (r / angle).unbind(dim=1)
    zero = torch.zeros_like(x)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=1).view(-1, 3, 3)
    angle = angle[:, :, None]
    identity = torch.eye(3, dtype=r.dtype, device=r.device)
    return identity + angle.sin() * skew + (1 - angle.cos()) * torch.bmm(skew, skew)


def pose(theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """theta (B, 6 + K) -> rotation, translation, scale, alpha; translation and alpha are views."""
    return axis_angle_to_matrix(theta[:, :3]), theta[:, 3:5], theta[:, 5].exp(), theta[:, 6:]


def vertices(alpha: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor) -> tuple[torch.Tensor]:
    """alpha (B, K) -> (B, N, 3)."""
    K, N, _ = basis.shape
    return (torch.addmm(mean.view(1, -1), alpha, basis.view(K, -1)).view(-1, N, 3),)


_KEPT: dict[tuple[tuple[float, ...], torch.dtype, torch.device], torch.Tensor] = {}


def _constant(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    """As a module keeps it in a buffer: made anew at each call it would make a GPU wait, and no graph allows that."""
    if torch.compiler.is_compiling():
        return torch.tensor(values, dtype=like.dtype, device=like.device)  # which then is part of the code
    key = values, like.dtype, like.device
    if key not in _KEPT:
        _KEPT[key] = torch.tensor(values, dtype=like.dtype, device=like.device)
    return _KEPT[key]


def _flip(like: torch.Tensor) -> torch.Tensor:
    return _constant((1.0, -1.0, 1.0), like)


def project(
    vertices: torch.Tensor, rotation: torch.Tensor, translation: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor]:
    """(B, N, 3) model units -> (B, N, 3) pixels and depth."""
    matrix = scale[:, None, None] * _flip(scale)[:, None] * rotation
    return (torch.baddbmm(F.pad(translation, (0, 1))[:, None], vertices, matrix.transpose(1, 2)),)


def grid(points: torch.Tensor, grid_shape: tuple[int, int], image_size: tuple[int, int]) -> tuple[torch.Tensor]:
    """points (B, N, 3) -> (B, P, Q, 2) for grid_sample."""
    P, Q = grid_shape
    H, W = image_size
    return ((points[..., :2] * _constant((2 / (W - 1), 2 / (H - 1)), points) - 1).view(-1, P, Q, 2),)


def sample(image: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor]:
    """image (B, C, H, W), points (B, N, 3) -> (B, C, N)."""
    H, W = image.shape[2:]
    (coordinates,) = grid(points, (points.shape[1], 1), (H, W))
    return (F.grid_sample(image, coordinates, mode="bilinear", padding_mode="zeros", align_corners=True)[..., 0],)


def points(theta: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """theta (B, 6 + K) -> (B, N, 3) pixels and depth: one product for the shapes, one for pose and projection."""
    rotation, translation, scale, alpha = pose(theta)
    return project(*vertices(alpha, mean, basis), rotation, translation, scale)[0]


def warp(
    image: torch.Tensor, theta: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor, grid_shape: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """(texture (B, C, P, Q), mask (B, 1, P, Q) of the vertices inside the image)."""
    return _sampled(image, points(theta, mean, basis), grid_shape)


def _sampled(
    image: torch.Tensor, placed: torch.Tensor, grid_shape: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    P, Q = grid_shape
    H, W = image.shape[2:]
    xy = placed[..., :2]
    last = _constant((W - 1.0, H - 1.0), xy)
    coordinates = (xy * _constant((2 / (W - 1), 2 / (H - 1)), xy) - 1).view(-1, P, Q, 2)
    texture = F.grid_sample(image, coordinates, mode="bilinear", padding_mode="zeros", align_corners=True)
    mask = ((xy >= 0) & (xy <= last)).all(dim=2).to(xy.dtype).view(-1, 1, P, Q)
    return texture, mask


def facing(points: torch.Tensor, faces: torch.Tensor) -> tuple[torch.Tensor]:
    """points (B, N, 3), faces (F, 3) -> (B, N): the normal test of Bas et al. 2017, which knows no occlusion."""
    a, b, c = points[:, faces, :2].unbind(dim=2)
    ahead, aside = b - a, c - a
    areas = ahead[..., 0] * aside[..., 1] - ahead[..., 1] * aside[..., 0]
    total = points.new_zeros(points.shape[:2])
    return ((total.index_add(1, faces.reshape(-1), areas.repeat_interleave(3, dim=1)) < 0).to(points.dtype),)


def _masked_difference(first: torch.Tensor, second: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    total = (weight * (first - second).square()).sum(dim=(1, 2, 3))
    return (total / weight.sum(dim=(1, 2, 3)).clamp(min=1)).mean()


def symmetry_loss(texture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """texture (B, C, P, Q), mask (B, 1, P, Q)."""
    return _masked_difference(texture, texture.flip(-1), mask * mask.flip(-1))


def siamese_loss(
    texture_a: torch.Tensor, mask_a: torch.Tensor, texture_b: torch.Tensor, mask_b: torch.Tensor
) -> torch.Tensor:
    """Two textures (B, C, P, Q) and masks (B, 1, P, Q)."""
    return _masked_difference(texture_a, texture_b, mask_a * mask_b)


class Operators:
    """The chain in the place of `stn3dmm_cuda` in an `Objective`: no visibility, whatever is asked for."""

    @staticmethod
    def pose(theta: torch.Tensor) -> Pose:
        return Pose(*pose(theta))

    @staticmethod
    def vertices(alpha: torch.Tensor, mean: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
        return vertices(alpha, mean, basis)[0]

    @staticmethod
    def project(
        vertices: torch.Tensor, rotation: torch.Tensor, translation: torch.Tensor, scale: torch.Tensor
    ) -> torch.Tensor:
        return project(vertices, rotation, translation, scale)[0]

    @staticmethod
    def warp(
        image: torch.Tensor,
        theta: torch.Tensor,
        mean: torch.Tensor,
        basis: torch.Tensor,
        grid_shape: tuple[int, int],
        *,
        landmarks: torch.Tensor,
        **_: object,
    ) -> Warp:
        placed = points(theta, mean, basis)
        return Warp(*_sampled(image, placed, grid_shape), placed[:, landmarks, :2])

    @staticmethod
    def symmetry_loss(texture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return symmetry_loss(texture, mask)

    @staticmethod
    def siamese_loss(
        texture_a: torch.Tensor, mask_a: torch.Tensor, texture_b: torch.Tensor, mask_b: torch.Tensor
    ) -> torch.Tensor:
        return siamese_loss(texture_a, mask_a, texture_b, mask_b)
