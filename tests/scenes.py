"""Inputs of the operators: a small smooth face on a grid, its photographs and poses, and sheets folded at random."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from .backends import Backend


class Size(NamedTuple):
    """B images of C x H x W, a P x Q grid, K modes."""

    B: int = 2
    C: int = 2
    H: int = 11
    W: int = 13
    P: int = 5
    Q: int = 6
    K: int = 3


SMALL = Size()
# More than one block of 256 vertices and a rest, one group of 8 images and a rest, and modes in chunks 8 + 4 + 2 + 1.
BLOCKS = Size(B=11, C=3, H=17, W=21, P=17, Q=19, K=15)


@dataclass(frozen=True)
class Scene:
    """Arguments of warp."""

    image: torch.Tensor  # (B, C, H, W)
    theta: torch.Tensor  # (B, 6 + K)
    mean: torch.Tensor  # (N, 3)
    basis: torch.Tensor  # (K, N, 3)
    grid_shape: tuple[int, int]

    def to(self, dtype: torch.dtype) -> Scene:
        tensors = {name: getattr(self, name).to(dtype) for name in ("image", "theta", "mean", "basis")}
        return replace(self, **tensors)

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.image, self.theta, self.mean, self.basis


def random(
    *shape: int, seed: int = 0, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Standard normal numbers, the same on every device."""
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return numbers.to(device=device, dtype=dtype)


def half_cylinder(P: int, Q: int) -> torch.Tensor:
    """(P Q, 3): a face of 10 x 8 units, bent about its vertical axis, with a nose."""
    v, u = torch.meshgrid(torch.linspace(1, -1, P).double(), torch.linspace(-1, 1, Q).double(), indexing="ij")
    nose = 4 * torch.exp(-8 * (u.square() + v.square()))
    return torch.stack((5 * torch.sin(1.5 * u), 4 * v, 5 * torch.cos(1.5 * u) + nose), dim=-1).reshape(-1, 3)


def poses(size: Size, seed: int = 0) -> torch.Tensor:
    """(B, 6 + K): heads turned to either side, the face about as wide as the image and partly outside it."""
    generator = torch.Generator().manual_seed(seed)
    theta = torch.randn(size.B, 6 + size.K, generator=generator, dtype=torch.float64)
    theta[:, :3] *= torch.tensor([0.15, 0.6, 0.1])
    theta[:, 3:5] = torch.tensor([(size.W - 1) / 2, (size.H - 1) / 2]) + theta[:, 3:5]
    theta[:, 5] = math.log(size.W / 10) + 0.1 * theta[:, 5]
    return theta


def photographed(backend: Backend, size: Size = SMALL, dtype: torch.dtype = torch.float64, seed: int = 0) -> Scene:
    """The half cylinder under random modes and poses, before a smooth random image."""
    N = size.P * size.Q
    basis = 0.1 * random(size.K, N, 3, seed=seed + 1)
    rough = random(size.B, size.C, 4, 5, seed=seed + 2)
    image = torch.nn.functional.interpolate(rough, (size.H, size.W), mode="bicubic", align_corners=True)
    scene = Scene(image, poses(size, seed), half_cylinder(size.P, size.Q), basis, (size.P, size.Q))
    moved = [tensor.to(backend.device, torch.float32) for tensor in scene.tensors()]  # one scene in every dtype
    return Scene(*moved, scene.grid_shape).to(dtype)


def points_of(scene: Scene, operators: object) -> torch.Tensor:
    """(B, N, 3): where the chained operators see the scene's vertices."""
    rotation, translation, scale, alpha = operators.pose(scene.theta)  # type: ignore[attr-defined]
    shape = operators.vertices(alpha, scene.mean, scene.basis)  # type: ignore[attr-defined]
    points: torch.Tensor = operators.project(shape, rotation, translation, scale)  # type: ignore[attr-defined]
    return points


def is_clear_of_kinks(points: torch.Tensor, clearance: float = 1e-3) -> bool:
    """No coordinate near an integer, where bilinear sampling has kinks and finite differences mean nothing."""
    return bool(((points[..., :2] - points[..., :2].round()).abs() > clearance).all())


def around_the_image(
    B: int, N: int, image_size: tuple[int, int], seed: int = 0, dtype: torch.dtype = torch.float64
) -> torch.Tensor:
    """(B, N, 3) points inside, across every border of and beyond an image, clear of kinks."""
    H, W = image_size
    place = torch.rand(B, N, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    points = torch.tensor([W + 3.0, H + 3.0, 1.0], dtype=torch.float64) * place - 2
    points = points.floor() + (points - points.floor()).clamp(0.05, 0.95)
    return points.float().to(dtype)


def crumpled(B: int, P: int, Q: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """(B, P Q, 3): sheets folded over themselves at random, the same in every dtype."""
    row, column = torch.meshgrid(torch.arange(P), torch.arange(Q), indexing="ij")
    place = torch.stack((column, row, torch.zeros_like(row)), dim=-1).double().reshape(-1, 3)
    return (place + random(B, P * Q, 3, seed=seed)).float().to(dtype)


def strided(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, every second element of a larger and transposed tensor."""
    wide = torch.empty(*[2 * size for size in reversed(tensor.shape)], dtype=tensor.dtype, device=tensor.device)
    view = wide.permute(*range(tensor.ndim - 1, -1, -1))[tuple(slice(None, None, 2) for _ in tensor.shape)]
    view.copy_(tensor)
    return view
