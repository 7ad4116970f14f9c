"""Points of a mesh -> which vertices the viewer sees."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks
from ._registration import register, register_backward
from ._short_way import operators

MODES = ("hard", "soft")


def visibility(
    points: torch.Tensor,
    faces: torch.Tensor | None = None,
    grid_shape: tuple[int, int] | None = None,
    mode: str = "hard",
    tolerance: float = 0.01,
    temperature: float = 1.0,
) -> torch.Tensor:
    """Whether each vertex is seen: it faces the viewer and no triangle lies in front of it.

    Convention:
        The occluder depth of vertex n is the largest depth, at (x, y) of n, of all triangles that contain it in
        projection, edges included, and do not touch n. Vertex n is seen iff depth >= occluder depth - tolerance and
        the signed areas of its triangles, summed in pixels (y down), are negative. This is a z-buffer sampled exactly
        at the vertices: no resolution and no bias to tune. Triangles of zero area, with a corner that is not finite
        or with an index outside 0..N-1 occlude nothing; a vertex of no triangle, or not finite, is not seen.

        "soft" has sigmoid((depth - occluder depth + tolerance) / temperature) in place of the comparison, and 1 where
        no triangle covers the vertex; facing remains a condition.

    Args:
        points: (B, N, 3) pixels, float32 or float64; a larger depth is nearer.
        faces: (F, 3), or (B, F, 3) for a mesh per image, int32 or int64, counter-clockwise seen from outside.
        grid_shape: (P, Q) with P Q = N: the texture grid's own triangles. Exactly one of faces and grid_shape.
        mode: "hard" or "soft".
        tolerance: pixels by which a vertex may lie behind a triangle and still be seen.
        temperature: pixels, more than 0: the width of the soft step. Hard visibility has no use for it. A tolerance or
            temperature that the points' dtype cannot say becomes the nearest one that it can.

    Returns:
        (B, N) in the points' dtype, 0 or 1, or between them in mode "soft".

    The gradient of hard visibility is zero. Soft visibility is differentiable once, in points: the gradient reaches
    the vertex and, through its plane, the three corners of its deepest triangle, which triangle that is and facing
    held constant; there the value jumps where two triangles cross. It is finite unless the dtype cannot say how steep
    that triangle is, or the gradient itself. Deterministic, gradients included.

    Raises:
        TypeError: dtypes do not go together.
        ValueError: a shape or a choice does not fit.

    Source:
        docs/math.md#visibility

    Example:
        >>> near = torch.tensor([[0.0, 0, 1], [0, 9, 1], [9, 0, 1]])
        >>> far = torch.tensor([[1.0, 1, 0], [1, 2, 0], [2, 1, 0]])
        >>> two = torch.cat([near, far])[None]
        >>> visibility(two, torch.tensor([[0, 1, 2], [3, 4, 5]])).tolist()
        [[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]]
    """
    _checks.coordinates("visibility", points=points)
    _checks.shape("visibility", "points", points, "(B, N, 3)", (None, None, 3))
    _checks.choice("visibility", "mode", mode, MODES)
    _checks.finite("visibility", tolerance=tolerance, temperature=temperature)
    _checks.positive("visibility", temperature=temperature)
    if (faces is None) == (grid_shape is None):
        raise ValueError("visibility: exactly one of faces and grid_shape must be given.")
    P, Q = 0, 0
    if grid_shape is not None:
        P, Q = _checks.grid_shape("visibility", grid_shape, points.shape[1])
    if faces is not None:
        _checks.faces("visibility", points, faces)
    visible, _ = operators.visibility(points, faces, P, Q, mode, tolerance, temperature)
    return visible  # type: ignore[no-any-return]


def _fake(
    points: torch.Tensor, faces: torch.Tensor | None, P: int, Q: int, mode: str, tolerance: float, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    B, N, _ = points.shape
    return points.new_empty(B, N), points.new_empty((B, N) if mode == "soft" else (0,), dtype=torch.int64)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
    points, faces, P, Q, mode, tolerance, temperature = inputs
    visible, winner = output
    if mode == "hard":
        ctx.mark_non_differentiable(visible, winner)
        return
    ctx.mark_non_differentiable(winner)
    ctx.save_for_backward(points, faces, winner)
    ctx.numbers = P, Q, tolerance, temperature


def _backward(ctx: Any, grad_visible: torch.Tensor, _: None) -> tuple[torch.Tensor | None, ...]:
    grad_points = operators.visibility_backward(grad_visible, *ctx.saved_tensors, *ctx.numbers)
    return grad_points, *[None] * 6


def _backward_fake(
    grad_visible: torch.Tensor,
    points: torch.Tensor,
    faces: torch.Tensor | None,
    winner: torch.Tensor,
    P: int,
    Q: int,
    tolerance: float,
    temperature: float,
) -> torch.Tensor:
    return torch.empty_like(points, memory_format=torch.contiguous_format)


register("visibility", fake=_fake, setup_context=_setup, backward=_backward)
register_backward("visibility", fake=_backward_fake)
