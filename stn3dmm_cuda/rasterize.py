"""Points of a mesh -> which face each pixel shows, where in the face, and how deep."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks
from ._registration import register, register_backward
from ._short_way import operators
from .results import Fragments

LONGEST_SIDE = 2**24  # pixels: above it float32 cannot tell neighbours apart


def rasterize(points: torch.Tensor, faces: torch.Tensor, image_size: tuple[int, int]) -> Fragments:
    """Draws a mesh: an orthographic z-buffer, sampled at the pixels' centres.

    Convention:
        Pixels, x right, y down, centres at integers; a larger depth is nearer, equal depths go to the lowest face
        index. Both windings are drawn. A centre on an edge belongs to the face if that is a left or a top edge of it,
        so that an edge between two faces on its two sides is covered exactly once. Faces of zero area, with a corner
        that is not finite or with an index outside 0..N-1 draw nothing.

    Args:
        points: (B, N, 3) pixels, float32 or float64.
        faces: (F, 3), or (B, F, 3) for a mesh per image, int32 or int64.
        image_size: (H, W), up to 2^24 pixels a side.

    Returns:
        Fragments(face (B, H, W) int64, -1 where nothing is drawn, barycentric (B, H, W, 3) in the order of the
        face's vertices, depth (B, H, W)), the last two in the points' dtype and 0 where nothing is drawn.

    Differentiable once, in points, through barycentric and depth: which face a pixel shows is held constant, so
    silhouettes have no gradient. Deterministic, and equal on CPU and CUDA; on CUDA the gradient is deterministic
    under `torch.use_deterministic_algorithms(True)`.

    Raises:
        TypeError: dtypes do not go together.
        ValueError: a shape or a size does not fit.

    Source:
        docs/math.md#rasterize

    Example:
        >>> corners = torch.tensor([[[0.0, 0.0, 0.0], [3.0, 0.0, 3.0], [0.0, 3.0, 0.0]]])
        >>> fragments = rasterize(corners, torch.tensor([[0, 1, 2]]), (3, 4))
        >>> fragments.face[0].tolist()
        [[0, 0, 0, -1], [0, 0, -1, -1], [0, -1, -1, -1]]
        >>> fragments.depth[0].tolist()
        [[0.0, 1.0, 2.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    _checks.coordinates("rasterize", points=points)
    _checks.shape("rasterize", "points", points, "(B, N, 3)", (None, None, 3))
    _checks.faces("rasterize", points, faces)
    H, W = _checks.pair("rasterize", "image_size", image_size)
    if H > LONGEST_SIDE or W > LONGEST_SIDE or H * W >= 2**31:
        raise ValueError(
            f"rasterize: image_size must be at most {LONGEST_SIDE} pixels a side and fewer than 2^31 in all; "
            f"got {(H, W)}."
        )
    barycentric, depth, face = operators.rasterize(points, faces, H, W)
    return Fragments(face, barycentric, depth)


def _fake(points: torch.Tensor, faces: torch.Tensor, H: int, W: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    B = points.shape[0]
    face = points.new_empty(B, H, W, dtype=torch.int64)
    return points.new_empty(B, H, W, 3), points.new_empty(B, H, W), face  # opcheck asks for floating results first


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    points, faces, *_ = inputs
    barycentric, _, face = output
    ctx.save_for_backward(points, faces, face, barycentric)
    ctx.mark_non_differentiable(face)
    ctx.set_materialize_grads(False)


def _backward(
    ctx: Any, grad_barycentric: torch.Tensor | None, grad_depth: torch.Tensor | None, grad_face: None
) -> tuple[torch.Tensor | None, ...]:
    deterministic = torch.are_deterministic_algorithms_enabled()
    grad_points = operators.rasterize_backward(grad_barycentric, grad_depth, *ctx.saved_tensors, deterministic)
    return grad_points, None, None, None


def _backward_fake(
    grad_barycentric: torch.Tensor | None,
    grad_depth: torch.Tensor | None,
    points: torch.Tensor,
    faces: torch.Tensor,
    face: torch.Tensor,
    barycentric: torch.Tensor,
    deterministic: bool,
) -> torch.Tensor:
    return torch.empty_like(points, memory_format=torch.contiguous_format)


register("rasterize", fake=_fake, setup_context=_setup, backward=_backward)
register_backward("rasterize", fake=_backward_fake)
