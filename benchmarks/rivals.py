"""Rasterisers of other libraries behind the interface of `rasterize`, where they are installed.

Both take points (B, N, 3) in pixels with the depth larger towards the viewer, faces (F, 3) and (H, W), and return the
face index (B, H, W) and what they have of the pixel's depth, in pixels. Turning points into each library's own
coordinates is part of the call, as it would be of a user's.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

import torch

Rival = Callable[[torch.Tensor, torch.Tensor, tuple[int, int]], tuple[torch.Tensor, torch.Tensor]]
NAMES = {"nvdiffrast": "nvdiffrast.torch", "pytorch3d": "pytorch3d.renderer.mesh.rasterize_meshes"}
MARGIN = 1.0  # pixels between the nearest and the farthest vertex and the ends of the depth range


def missing(name: str, device: torch.device) -> str | None:
    """Why a library cannot be compared with, or None."""
    if importlib.util.find_spec(name) is None:
        return "not installed"
    if name == "nvdiffrast" and device.type != "cuda":
        return "draws on CUDA only"
    return None


def depth_range(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    low, high = points[..., 2].aminmax()
    return low - MARGIN, high + MARGIN


def clip_space(points: torch.Tensor, image_size: tuple[int, int]) -> torch.Tensor:
    """(B, N, 4): x and y of -1..1 from edge to edge of the image, y downwards; z of -1 (near) to 1."""
    H, W = image_size
    low, high = depth_range(points)
    x = (2 * points[..., 0] + 1) / W - 1
    y = (2 * points[..., 1] + 1) / H - 1
    z = 1 - 2 * (points[..., 2] - low) / (high - low)
    return torch.stack((x, y, z, torch.ones_like(z)), dim=-1)


def view_space(points: torch.Tensor, image_size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, N, 3) in PyTorch3D's frame, x to the left, y up, the shorter side -1 to 1, and the depth at its z = 0."""
    H, W = image_size
    _, high = depth_range(points)
    shorter = min(H, W)
    x = (W - 1 - 2 * points[..., 0]) / shorter
    y = (H - 1 - 2 * points[..., 1]) / shorter
    return torch.stack((x, y, high - points[..., 2]), dim=-1), high


def nvdiffrast() -> Rival:
    """Its CUDA rasteriser; row 0 of its picture is y = -1, the image's top here."""
    library = importlib.import_module(NAMES["nvdiffrast"])
    context = library.RasterizeCudaContext()

    def draw(
        points: torch.Tensor, faces: torch.Tensor, image_size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        drawn, _ = library.rasterize(context, clip_space(points, image_size), faces.int(), resolution=list(image_size))
        face = drawn[..., 3].long() - 1
        low, high = depth_range(points)
        return face, torch.where(face >= 0, low + (1 - drawn[..., 2]) / 2 * (high - low), -torch.inf)

    return draw


def pytorch3d() -> Rival:
    """One face a pixel, no blur."""
    library = importlib.import_module(NAMES["pytorch3d"])
    structures = importlib.import_module("pytorch3d.structures")

    def draw(
        points: torch.Tensor, faces: torch.Tensor, image_size: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        placed, high = view_space(points, image_size)
        meshes = structures.Meshes(placed, faces.expand(len(points), -1, -1))
        face, depth, _, _ = library.rasterize_meshes(
            meshes, image_size=image_size, blur_radius=0.0, faces_per_pixel=1, perspective_correct=False
        )
        first = torch.arange(len(points), device=points.device)[:, None, None] * len(faces)
        return (
            torch.where(face[..., 0] >= 0, face[..., 0] - first, -1),
            torch.where(face[..., 0] >= 0, high - depth[..., 0], -torch.inf),
        )

    return draw


MAKERS: dict[str, Callable[[], Rival]] = {"nvdiffrast": nvdiffrast, "pytorch3d": pytorch3d}


def available(device: torch.device) -> tuple[dict[str, Rival], dict[str, str]]:
    """Those that can draw here, by name, and why the others cannot."""
    tried = {name: _made(name, device) for name in MAKERS}
    rivals = {name: rival for name, rival in tried.items() if not isinstance(rival, str)}
    return rivals, {name: why for name, why in tried.items() if isinstance(why, str)}


def _made(name: str, device: torch.device) -> Rival | str:
    why = missing(name, device)
    if why is not None:
        return why
    try:
        return MAKERS[name]()
    except Exception as error:  # whatever a library that is built for something else raises
        return f"it does not load: {type(error).__name__}: {' '.join(str(error).split())}"


def seen(rival: Rival, image_size: tuple[int, int], bias: float) -> Callable[..., tuple[torch.Tensor]]:
    """Visibility by a z-buffer: a vertex is seen if it lies at most `bias` pixels behind its nearest pixel."""
    H, W = image_size

    def mask(points: torch.Tensor, faces: torch.Tensor) -> tuple[torch.Tensor]:
        _, depth = rival(points, faces, image_size)
        column, row = points[..., 0].round().long().clamp(0, W - 1), points[..., 1].round().long().clamp(0, H - 1)
        there = depth.flatten(1).gather(1, row * W + column)
        return ((points[..., 2] >= there - bias).to(points.dtype),)

    return mask
