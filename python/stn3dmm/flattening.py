"""Photograph in, flattened face out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

import stn3dmm_cuda
from stn3dmm.arguments import real_tensor
from stn3dmm.formats.images import as_rgb
from stn3dmm.morphable_model import MorphableModel

__all__ = ["Flattened", "flatten"]

Photograph = torch.Tensor | Image.Image | npt.NDArray[Any]


class Flattened(NamedTuple):
    """A face on the model's texture grid."""

    texture: torch.Tensor  # (B, 3, P, Q) the photograph sampled at every vertex, 0..1, not multiplied by the mask
    mask: torch.Tensor  # (B, 1, P, Q) 1 where the photograph shows the vertex, 0 where it is hidden or outside


def flatten(image: Photograph, model: MorphableModel, theta: torch.Tensor | npt.ArrayLike) -> Flattened:
    """Samples a photograph at every vertex of the fitted model: the face in the canonical texture grid.

    Convention:
        Texture row 0 is the forehead, column 0 the image's left: upright and not mirrored. Values are 0..1.

    Args:
        image: (H, W, 3) uint8 RGB array, a Pillow image, or a (B, 3, H, W) floating tensor in 0..1. One photograph
            may go with several theta: several faces in it.
        model: the model that theta belongs to.
        theta: (6 + K,) or (B, 6 + K), as `fit_landmarks` returns it.

    Returns:
        `Flattened`: texture (B, 3, P, Q) and mask (B, 1, P, Q), as `stn3dmm_cuda.warp` gives them.

    Differentiable: with respect to a tensor image and theta. Deterministic: yes, on the CPU.

    Raises:
        ValueError: shapes that do not match each other or the model; a picture whose numbers have no agreed white.
        TypeError: something that is no picture; theta that is not real numbers.

    Example:
        >>> import numpy as np
        >>> from stn3dmm import embedded_model, flatten
        >>> model = embedded_model()
        >>> theta = np.concatenate([[0, 0, 0, 112, 112, 0], np.zeros(model.mode_count)])
        >>> texture, mask = flatten(np.full((224, 224, 3), 255, dtype=np.uint8), model, theta)
        >>> tuple(texture.shape), tuple(mask.shape)
        ((1, 3, 112, 112), (1, 1, 112, 112))
    """
    picture = as_batch(image)
    working = picture.dtype if picture.dtype == torch.float64 else torch.float32
    parameters = real_tensor("flatten", "theta", theta).to(device=picture.device, dtype=working)
    parameters = parameters[None] if parameters.ndim == 1 else parameters
    if parameters.ndim != 2 or parameters.shape[1] != 6 + model.mode_count:
        raise ValueError(
            f"flatten: theta must be (B, {6 + model.mode_count}) for the {model.mode_count} modes of this model; "
            f"got {tuple(parameters.shape)}. Use the model that theta was fitted with."
        )
    B = parameters.shape[0]
    if picture.shape[0] == 1 and B != 1:
        picture = picture.expand(B, -1, -1, -1)
    if picture.shape[0] != B:
        raise ValueError(f"flatten: {picture.shape[0]} images but {B} theta; pass one theta for each image.")
    mean, basis = model.tensors(picture.device, working)
    valid = torch.as_tensor(model.valid, device=picture.device)
    warped = stn3dmm_cuda.warp(picture.contiguous(), parameters, mean, basis, model.grid_shape, valid=valid)
    return Flattened(warped.texture, warped.mask)


def as_batch(image: Photograph) -> torch.Tensor:
    """A photograph as a floating tensor (B, 3, H, W) in 0..1."""
    if isinstance(image, torch.Tensor):
        if image.ndim != 4 or image.shape[1] != 3 or not image.is_floating_point():
            raise ValueError(
                f"flatten: a tensor image must be (B, 3, H, W), floating, 0..1; got {tuple(image.shape)} {image.dtype}."
            )
        return image
    if isinstance(image, Image.Image):
        try:
            image = as_rgb(image)
        except ValueError as error:
            raise ValueError(f"flatten: {error}") from error
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"flatten: image must be an (H, W, 3) uint8 array, a Pillow image or a (B, 3, H, W) tensor; "
            f"got {type(image).__name__}."
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"flatten: an array image must be (H, W, 3) uint8 RGB; got {image.shape} {image.dtype}. "
            "Pass floating images as (B, 3, H, W) tensors in 0..1."
        )
    pixels = torch.from_numpy(np.ascontiguousarray(image)).to(torch.float32) / 255
    return pixels.permute(2, 0, 1)[None].contiguous()
