"""Points of a mesh -> which vertices the viewer sees."""

from __future__ import annotations

from typing import Any

import torch

from . import _checks
from ._library import operators
from ._registration import register

MODES = ("hard",)


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

    Args:
        points: (B, N, 3) pixels, float32 or float64; a larger depth is nearer.
        faces: (F, 3), or (B, F, 3) for a mesh per image, int32 or int64, counter-clockwise seen from outside.
        grid_shape: (P, Q) with P Q = N: the texture grid's own triangles. Exactly one of faces and grid_shape.
        mode: "hard".
        tolerance: pixels by which a vertex may lie behind a triangle and still be seen.
        temperature: pixels, the width of soft visibility, which only `stn3dmm_cuda.reference` has so far.

    Returns:
        (B, N), 0 or 1 in the points' dtype.

    The gradient of hard visibility is zero. Deterministic.

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
    if mode == "soft":
        raise ValueError('visibility: mode "soft" has no kernel yet. Use stn3dmm_cuda.reference.visibility for it.')
    _checks.choice("visibility", "mode", mode, MODES)
    _checks.finite("visibility", tolerance=tolerance, temperature=temperature)
    if (faces is None) == (grid_shape is None):
        raise ValueError("visibility: exactly one of faces and grid_shape must be given.")
    P, Q = 0, 0
    if grid_shape is not None:
        P, Q = _checks.grid_shape("visibility", grid_shape, points.shape[1])
    if faces is not None:
        _check_faces(points, faces)
    visible: torch.Tensor = operators.visibility(points, faces, P, Q, tolerance)
    return visible


def _check_faces(points: torch.Tensor, faces: torch.Tensor) -> None:
    _checks.tensors("visibility", points=points, faces=faces)
    if faces.dtype not in (torch.int32, torch.int64):
        raise TypeError(f"visibility: faces must be int32 or int64; got {faces.dtype}. Use faces.long().")
    B = points.shape[0]
    per_image = faces.ndim == 3 and faces.shape[0] == B
    if not (faces.ndim == 2 or per_image) or faces.shape[-1] != 3:
        raise ValueError(
            f"visibility: faces must be (F, 3) or (B, F, 3) with B = {B} as in points; got {tuple(faces.shape)}."
        )


def _fake(points: torch.Tensor, faces: torch.Tensor | None, P: int, Q: int, tolerance: float) -> torch.Tensor:
    return points.new_empty(points.shape[0], points.shape[1])


def _setup(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    ctx.mark_non_differentiable(output)


def _backward(ctx: Any, grad_visible: torch.Tensor) -> tuple[None, ...]:
    return None, None, None, None, None


register("visibility", fake=_fake, setup_context=_setup, backward=_backward)
