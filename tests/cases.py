"""A call of every operator, large enough for several blocks and images: what orders, graphs and streams try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from . import (
    test_grid,
    test_losses_operators,
    test_pose,
    test_project,
    test_rasterize,
    test_sample,
    test_vertices,
    test_visibility,
    test_visibility_soft,
    test_warp,
)
from .backends import Backend
from .properties import Call
from .scenes import BLOCKS, SMALL

SEVERAL = BLOCKS._replace(B=3)  # more than one block an image, a warp that is not full, more than one image
MANY = BLOCKS._replace(B=33, C=1, K=3)  # groups of as many images as warp ever takes together, and a rest


def with_half_images(call: Call, dtype: torch.dtype) -> Call:
    """One kind of half images in place of each dtype: their coordinates are float32."""
    image, *others = call.cast(torch.float32).arguments
    return call.on(image.to(torch.float16 if dtype == torch.float32 else torch.bfloat16), *others)


def with_faces_of_each_image(call: Call) -> Call:
    """The same triangles listed for every image, in another order in each."""
    points, faces = call.arguments
    return call.on(points, torch.stack([faces.roll(b, dims=0) for b in range(len(points))]))


CASES: dict[str, Callable[[Backend, torch.dtype], Call]] = {
    "pose": lambda backend, dtype: test_pose.call_of(backend, "pose", dtype, B=300),
    "axis_angle_to_matrix": lambda backend, dtype: test_pose.call_of(backend, "axis_angle_to_matrix", dtype, B=300),
    "vertices": lambda backend, dtype: test_vertices.call_of(backend, BLOCKS, dtype),
    "vertices by the library": lambda backend, dtype: test_vertices.call_of(backend, test_vertices.LIBRARY, dtype),
    "vertices without the basis' gradient": lambda backend, dtype: replace(
        test_vertices.call_of(backend, BLOCKS, dtype), learnt=(0, 1)
    ),
    "project": lambda backend, dtype: test_project.call_of(backend, BLOCKS, dtype),
    "grid": lambda backend, dtype: test_grid.call_of(backend, dtype, grid_shape=(17, 19)),
    "sample": lambda backend, dtype: test_sample.call_of(backend, dtype, N=600),
    "sample of half images": lambda backend, dtype: with_half_images(test_sample.call_of(backend, N=600), dtype),
    "visibility": lambda backend, dtype: test_visibility.call_of(backend, dtype),
    "visibility of faces": lambda backend, dtype: test_visibility.call_of(backend, dtype, listed=torch.int32),
    "visibility of wide faces": lambda backend, dtype: test_visibility.call_of(backend, dtype, listed=torch.int64),
    "visibility of each image's faces": lambda backend, dtype: with_faces_of_each_image(
        test_visibility.call_of(backend, dtype, listed=torch.int32)
    ),
    "soft visibility": lambda backend, dtype: test_visibility_soft.call_of(backend, dtype),
    "soft visibility of faces": lambda backend, dtype: test_visibility_soft.call_of(backend, dtype, listed=torch.int64),
    "rasterize": lambda backend, dtype: test_rasterize.call_of(backend, dtype),
    "rasterize of narrow faces": lambda backend, dtype: test_rasterize.call_of(backend, dtype, index=torch.int32),
    "rasterize of each image's faces": lambda backend, dtype: with_faces_of_each_image(
        test_rasterize.call_of(backend, dtype)
    ),
    "rasterize of huge faces": test_rasterize.call_of_huge_faces,
    "warp": lambda backend, dtype: test_warp.call_of(backend, SEVERAL, dtype),
    "warp of half images": lambda backend, dtype: with_half_images(test_warp.call_of(backend, SEVERAL), dtype),
    "warp of few": lambda backend, dtype: test_warp.call_of(backend, SMALL, dtype),
    "warp with soft visibility": lambda backend, dtype: test_warp.call_of(backend, SEVERAL, dtype, "soft"),
    "warp without visibility": lambda backend, dtype: test_warp.call_of(backend, BLOCKS, dtype, "none"),
    "warp of many": lambda backend, dtype: test_warp.call_of(backend, MANY, dtype, "none"),
    **{
        name: lambda backend, dtype, name=name: test_losses_operators.call_of(backend, name, dtype, (3, 3, 37, 113))
        for name in test_losses_operators.LOSSES
    },
    "symmetry_loss of hard masks": lambda backend, dtype: test_losses_operators.hard(
        test_losses_operators.call_of(backend, "symmetry_loss", dtype, (3, 3, 37, 113))
    ),
}
# The forward of these is PyTorch's matrix product, unless under deterministic algorithms.
LEFT_TO_THE_LIBRARY = ["vertices by the library"]
SUMS_TO_THE_IMAGE = [name for name in CASES if name.startswith(("sample", "rasterize", "warp"))]
