"""The least that an operator must move and compute, whoever writes it: the limit that a time is held against.

Bytes: every input is read once and every output written once, by forward and again by backward, in the dtype of the
interface; what one pass makes and uses itself is free. Of an image a pass reads at most the four texels around each
vertex. Points are read with their depth, since whole cache lines are. A grid's triangles are not read, listed ones are.

Operations: float32 additions and multiplications, two for a fused one; a function such as sine counts one. Visibility
and rasterisation count one signed area a triangle (two differences twice, two products, one more difference) and
nothing for what a cleverer search could save: their true limit is higher.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

FLOAT, INDEX = 4, 8  # bytes
POSE, PROJECT, AREA, WEIGHTS = 60, 20, 7, 8  # operations: of an image, a vertex, a triangle, a sampled place
TEXEL = 7  # operations of one channel of a sampled place: four products, three sums

Sizes = Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Pass:
    """One way through the data, forward or backward: the memory and the processor work at the same time."""

    bytes: int
    operations: int


def both(forward: Pass, backward: Pass, with_backward: bool) -> tuple[Pass, ...]:
    return (forward, backward) if with_backward else (forward,)


def vertices_of(sizes: Sizes) -> int:
    return sizes["P"] * sizes["Q"]


def faces_of(sizes: Sizes) -> int:
    return sizes.get("F", 2 * (sizes["P"] - 1) * (sizes["Q"] - 1))


def pose(sizes: Sizes, backward: bool) -> tuple[Pass, ...]:
    B, K = sizes["B"], sizes["K"]
    theta, outputs = 6 + K, 12 + K
    return both(
        Pass(FLOAT * B * (theta + outputs), POSE * B),
        Pass(FLOAT * B * (3 + outputs + theta), 2 * POSE * B),
        backward,
    )


def vertices(sizes: Sizes, backward: bool) -> tuple[Pass, ...]:
    """Backward to alpha."""
    B, N, K = sizes["B"], vertices_of(sizes), sizes["K"]
    moved, operations = FLOAT * (3 * N * (K + B) + B * K), 6 * B * K * N
    return both(Pass(moved + FLOAT * 3 * N, operations), Pass(moved, operations), backward)


def project(sizes: Sizes, backward: bool) -> tuple[Pass, ...]:
    B, N = sizes["B"], vertices_of(sizes)
    return both(
        Pass(FLOAT * B * (6 * N + 12), PROJECT * B * N),
        Pass(FLOAT * B * (9 * N + 24), 2 * PROJECT * B * N),
        backward,
    )


def grid(sizes: Sizes, backward: bool) -> tuple[Pass, ...]:
    B, N = sizes["B"], vertices_of(sizes)
    return both(Pass(FLOAT * 5 * B * N, 4 * B * N), Pass(FLOAT * 5 * B * N, 2 * B * N), backward)


def image_bytes(sizes: Sizes) -> int:
    """Of the texels that the vertices see."""
    return FLOAT * sizes["B"] * sizes["C"] * min(sizes["H"] * sizes["W"], 4 * vertices_of(sizes))


def whole_image_bytes(sizes: Sizes) -> int:
    """A gradient to the image is written everywhere, zeros too."""
    return FLOAT * sizes["B"] * sizes["C"] * sizes["H"] * sizes["W"]


def sample(sizes: Sizes, backward: bool, to_image: bool) -> tuple[Pass, ...]:
    B, N, C = sizes["B"], vertices_of(sizes), sizes["C"]
    read = image_bytes(sizes) + FLOAT * 3 * B * N + FLOAT * C * B * N
    operations = B * N * (WEIGHTS + TEXEL * C)
    extra = whole_image_bytes(sizes) if to_image else 0
    return both(Pass(read, operations), Pass(read + FLOAT * 3 * B * N + extra, 2 * operations), backward)


def visibility(sizes: Sizes, backward: bool = False, listed: bool = False) -> tuple[Pass, ...]:
    B, N, F = sizes["B"], vertices_of(sizes), faces_of(sizes)
    faces = 3 * INDEX * F if listed else 0
    return both(Pass(FLOAT * 4 * B * N + faces, AREA * B * F), Pass(FLOAT * 7 * B * N, PROJECT * B * N), backward)


def rasterize(sizes: Sizes, backward: bool) -> tuple[Pass, ...]:
    B, N, F = sizes["B"], vertices_of(sizes), faces_of(sizes)
    pixels = B * sizes["H"] * sizes["W"]
    fragments, points = (INDEX + 4 * FLOAT) * pixels, FLOAT * 3 * B * N
    return both(
        Pass(points + 3 * INDEX * F + fragments, AREA * B * F),
        Pass(2 * points + 3 * INDEX * F + fragments, 0),
        backward,
    )


def losses(sizes: Sizes, backward: bool, textures: int, to_masks: bool) -> tuple[Pass, ...]:
    """Of one texture (symmetry) or two (siamese) and their masks; gradients to the textures, or to the masks too."""
    B, N, C = sizes["B"], vertices_of(sizes), sizes["C"]
    read, operations = FLOAT * textures * B * N * (C + 1), B * N * (3 * C + 2)
    written = FLOAT * textures * B * N * (C + (1 if to_masks else 0))
    return both(Pass(read, operations), Pass(read + written, operations), backward)


def warp(sizes: Sizes, backward: bool, to_image: bool, visibility: str) -> tuple[Pass, ...]:
    """The fused chain. With visibility the points are written once: every triangle must be known before any vertex."""
    B, N, K, C = sizes["B"], vertices_of(sizes), sizes["K"], sizes["C"]
    model = FLOAT * 3 * N * (K + 1)
    texture, theta = FLOAT * B * C * N, FLOAT * B * (6 + K)
    once = B * (POSE + N * (PROJECT + WEIGHTS + TEXEL * C))
    product = 6 * B * N * K  # a backward may keep the shapes, so its least is the gradient's product alone
    seen = image_bytes(sizes) + texture + model + theta
    points = 0 if visibility == "none" else FLOAT * 3 * B * N
    areas = 0 if visibility == "none" else AREA * B * faces_of(sizes)
    extra = whole_image_bytes(sizes) if to_image else 0
    soft = points if visibility == "soft" else 0
    return both(
        Pass(seen + FLOAT * B * N + points, once + product + areas),
        Pass(seen + theta + extra + soft, 2 * once + product),
        backward,
    )
