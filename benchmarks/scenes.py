"""Faces to measure on: the embedded model at common poses, filling most of the image, the same in every run."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from stn3dmm.embedded import embedded_model

import stn3dmm_cuda

SHARE = 0.8  # of the image's shorter side that a frontal face fills
Sizes = Mapping[str, int]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@functools.lru_cache(maxsize=4)
def _model(grid_shape: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    return embedded_model(grid_shape).tensors()


def model(P: int, Q: int, K: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(mean (N, 3), basis (K, N, 3)); modes beyond those of the model are repeated."""
    mean, modes = _model((P, Q))
    return mean.clone(), modes[torch.arange(K) % modes.shape[0]].contiguous()


def scale_for(mean: torch.Tensor, H: int, W: int) -> float:
    """Pixels per model unit."""
    extent = mean[:, :2].amax(dim=0) - mean[:, :2].amin(dim=0)
    return float(SHARE * min(H, W) / extent.max())


def theta(B: int, K: int, scale: float, H: int, W: int) -> torch.Tensor:
    """(B, 6 + K): turned by some ten degrees, a little off the centre."""
    result = torch.zeros(B, 6 + K)
    result[:, :3] = 0.2 * random(B, 3, seed=1)
    result[:, 3:5] = torch.tensor([W / 2, H / 2]) + 0.02 * min(H, W) * random(B, 2, seed=2)
    result[:, 5] = math.log(scale) + 0.05 * random(B, seed=3)
    result[:, 6:] = 0.3 * random(B, K, seed=4)
    return result


def photographs(B: int, C: int, H: int, W: int) -> torch.Tensor:
    """(B, C, H, W): noise as smooth as a photograph, in which a point has much the same gradient in the next texel."""
    rough = torch.rand(B, C, 28, 28, generator=torch.Generator().manual_seed(5))
    return F.interpolate(rough, (H, W), mode="bicubic", align_corners=True)


def face(sizes: Sizes) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(image (B, C, H, W), theta, mean, basis): the arguments of `warp`."""
    mean, basis = model(sizes["P"], sizes["Q"], sizes["K"])
    H, W = sizes["H"], sizes["W"]
    image = photographs(sizes["B"], sizes["C"], H, W)
    return image, theta(sizes["B"], sizes["K"], scale_for(mean, H, W), H, W), mean, basis


def points(sizes: Sizes, yaw: float | None = None) -> torch.Tensor:
    """(B, N, 3) pixels and depth: faces at common poses, or the mean face turned by `yaw` degrees."""
    H, W = sizes["H"], sizes["W"]
    mean, basis = model(sizes["P"], sizes["Q"], sizes.get("K", 10))
    scale = scale_for(mean, H, W)
    posed = theta(sizes["B"], basis.shape[0], scale, H, W)
    if yaw is not None:
        posed = torch.zeros_like(posed)
        posed[:, 1] = math.radians(yaw)
        posed[:, 3:6] = torch.tensor([W / 2, H / 2, math.log(scale)])
    pose = stn3dmm_cuda.pose(posed)
    vertices = stn3dmm_cuda.vertices(pose.alpha, mean, basis)
    return stn3dmm_cuda.project(vertices, pose.rotation, pose.translation, pose.scale)
