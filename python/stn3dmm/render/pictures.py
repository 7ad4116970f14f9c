"""Points and colours or a texture -> pictures, and pictures over photographs."""

from __future__ import annotations

from typing import NamedTuple

import torch

import stn3dmm_cuda
from stn3dmm_cuda import _checks
from stn3dmm_cuda.results import Fragments

from .light import Lights, normals, shade
from .values import grid_coordinates, interpolate


class Rendering(NamedTuple):
    """A mesh drawn on nothing."""

    image: torch.Tensor  # (B, C, H, W) premultiplied by the coverage
    coverage: torch.Tensor  # (B, 1, H, W) how much of the pixel the mesh covers, 0 to 1
    depth: torch.Tensor  # (B, 1, H, W) pixels, mean over what is covered, 0 where nothing is


def magnify(points: torch.Tensor, factor: int) -> torch.Tensor:
    """Points (B, N, 3) of an image in one of ``factor`` times its height and width, over the same scene.

    Example:
        >>> magnify(torch.tensor([[[0.0, 1.0, 2.0]]]), 2).flatten().tolist()
        [0.5, 2.5, 4.0]
    """
    return points * factor + points.new_tensor([(factor - 1) / 2, (factor - 1) / 2, 0.0])


def reduce(image: torch.Tensor, factor: int) -> torch.Tensor:
    """An image (B, C, factor H, factor W) averaged over squares of pixels: (B, C, H, W)."""
    if factor == 1:
        return image
    parts = [image[..., row::factor, column::factor] for row in range(factor) for column in range(factor)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total / factor**2


def render(
    points: torch.Tensor,
    faces: torch.Tensor,
    colours: torch.Tensor,
    image_size: tuple[int, int],
    *,
    lights: Lights | None = None,
    supersampling: int = 2,
) -> Rendering:
    """Draws a mesh whose vertices have colours; anything else at the vertices, normals for instance, does as well.

    Args:
        points: (B, N, 3) pixels and depth.
        faces: (F, 3) or (B, F, 3).
        colours: (B, N, C), or (1, N, C) for all images.
        image_size: (H, W).
        lights: what shines on the mesh; None = the colours as they are.
        supersampling: samples along each side of a pixel; 1 leaves edges hard.

    Returns:
        `Rendering`: image (B, C, H, W), coverage (B, 1, H, W), depth (B, 1, H, W).

    Differentiable: with respect to colours, lights and points; silhouettes have no gradient.

    Raises:
        ValueError: shapes that do not match, a supersampling below 1.
        TypeError: dtypes that do not go together.

    Example:
        >>> square = torch.tensor([[[1.0, 1, 0], [3, 1, 0], [1, 3, 0], [3, 3, 0]]])
        >>> drawn = render(square, stn3dmm_cuda.grid_faces((2, 2)), torch.ones(1, 4, 3), (5, 5), supersampling=4)
        >>> drawn.coverage[0, 0, 2].tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    fragments = _fragments("render", points, faces, image_size, supersampling)
    lit = colours if lights is None else colours * shade(normals(points, faces), lights)
    return _rendering(interpolate(lit, fragments, faces), fragments, supersampling)


def render_texture(
    points: torch.Tensor,
    grid_shape: tuple[int, int],
    texture: torch.Tensor,
    image_size: tuple[int, int],
    *,
    lights: Lights | None = None,
    supersampling: int = 2,
) -> Rendering:
    """Draws a face whose vertices form a texture grid, with its texture: `render` with texels for colours.

    Args:
        points: (B, N, 3) pixels and depth, N = P Q.
        grid_shape: (P, Q).
        texture: (B, C, p, q), or (1, C, p, q) for all images; its corners lie on the corners of the grid, so that a
            texture of P x Q, as `flatten` gives it, has one texel a vertex, and a finer one has texels between them.
        image_size, lights, supersampling: as of `render`, and so are what is returned, raised and differentiable.

    Example:
        >>> square = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [2, 2, 0]]])
        >>> texture = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
        >>> render_texture(square, (2, 2), texture, (2, 2), supersampling=1).image[0, 0].tolist()
        [[0.0, 0.5], [0.0, 0.5]]
    """
    faces = stn3dmm_cuda.grid_faces(grid_shape, points.device)
    _checks.grid_shape("render_texture", grid_shape, points.shape[1] if points.ndim == 3 else -1)
    _checks.image("render_texture", texture, "points", points)
    fragments = _fragments("render_texture", points, faces, image_size, supersampling)
    (B, H, W), C = fragments.face.shape, texture.shape[1]
    if texture.shape[0] not in (1, B):
        raise ValueError(
            f"render_texture: texture must be (B, C, p, q) with B = {B} as in points, or (1, C, p, q); "
            f"got {tuple(texture.shape)}."
        )
    P, Q = grid_shape
    texels = points.new_tensor([(texture.shape[3] - 1) / max(Q - 1, 1), (texture.shape[2] - 1) / max(P - 1, 1)])
    at = grid_coordinates(fragments, grid_shape) * texels  # in texels
    colours = stn3dmm_cuda.sample(texture.expand(B, -1, -1, -1).contiguous(), at.reshape(B, -1, 2))
    if lights is not None:
        light = interpolate(shade(normals(points, faces), lights), fragments, faces)
        colours = colours * light.reshape(B, -1, H * W)
    drawn = colours.reshape(B, C, H, W) * (fragments.face >= 0)[:, None]
    return _rendering(drawn, fragments, supersampling)


def overlay(
    image: torch.Tensor, rendering: Rendering, opacity: float = 1.0, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """A rendering over photographs or backgrounds.

    Args:
        image: (B, C, H, W), or (1, C, H, W) below all renderings.
        rendering: of images of that size.
        opacity: 0 shows the image alone, 1 hides it where the mesh covers it.
        mask: (B, 1, H, W) in 0..1, where the rendering may show; None = everywhere.

    Returns:
        (B, C, H, W).

    Differentiable: with respect to all tensors.

    Raises:
        ValueError: sizes that do not match, an opacity outside 0..1.

    Example:
        >>> half = Rendering(torch.full((1, 3, 1, 1), 0.5), torch.full((1, 1, 1, 1), 0.5), torch.zeros(1, 1, 1, 1))
        >>> overlay(torch.full((1, 3, 1, 1), 0.2), half).flatten().tolist() == [0.6000000238418579] * 3
        True
    """
    if image.ndim != 4 or image.shape[1:] != rendering.image.shape[1:]:
        raise ValueError(
            f"overlay: image must be (B, {', '.join(map(str, rendering.image.shape[1:]))}) as in rendering; "
            f"got {tuple(image.shape)}."
        )
    if not 0 <= opacity <= 1:
        raise ValueError(f"overlay: opacity must lie in 0..1; got {opacity}.")
    weight = opacity if mask is None else opacity * mask
    return image * (1 - weight * rendering.coverage) + weight * rendering.image


def _fragments(
    operator: str, points: torch.Tensor, faces: torch.Tensor, image_size: tuple[int, int], supersampling: int
) -> Fragments:
    if supersampling < 1:
        raise ValueError(f"{operator}: supersampling must be 1 or more; got {supersampling}.")
    H, W = _checks.pair(operator, "image_size", image_size)
    _checks.coordinates(operator, points=points)
    _checks.shape(operator, "points", points, "(B, N, 3)", (None, None, 3))
    return stn3dmm_cuda.rasterize(
        magnify(points, supersampling).contiguous(), faces, (supersampling * H, supersampling * W)
    )


def _rendering(image: torch.Tensor, fragments: Fragments, factor: int) -> Rendering:
    coverage = reduce((fragments.face >= 0)[:, None].to(fragments.depth.dtype), factor)
    # Magnified points are deeper by the factor, too.
    depth = reduce(fragments.depth[:, None], factor) / factor / coverage.clamp_min(1 / factor**2)
    return Rendering(reduce(image, factor), coverage, depth)
