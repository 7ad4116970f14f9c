"""The last layer: from features to the parameters of pose and shape, each in its natural unit."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from stn3dmm.morphable_model import MorphableModel

FACE_SIZE = 0.75  # longer side of the mean face's box, in shorter sides of the image
POSE = 6  # entries of theta before alpha
NOT_FINITE = "the localiser's answer is not finite; are its weights those of a sound training?"
ROTATION_STEP = 0.5  # radians
TRANSLATION_STEP = 1 / 8  # shorter sides of the image
LOG_SCALE_STEP = 0.25
INITIAL_STEP = 1e-3  # what features of length sqrt(F) move an untrained output by, in units


class ThetaHead(nn.Module):
    """theta = offset + unit * (W features + b), with small W and b = 0 to begin with.

    An untrained network so answers `offset`, the mean face at the image's centre; and because a step of any output is
    a natural step of its parameter, one ordinary learning rate serves them all. Computed in the dtype of the weights
    even under autocast: bfloat16 cannot tell pixels beyond the 256th apart.

    Convention:
        theta (B, 6 + K) = axis-angle r[3] in radians, t[2] in pixels, log s (natural, s in pixels per model unit),
        alpha[K] in standard deviations, as in docs/conventions.md.

    Args:
        features: F, the length of a feature vector.
        model: whose modes alpha has, and whose mean face is placed.
        image_size: (H, W) pixels.
        face_size: longer side of the mean face's box to begin with, in shorter sides of the image.

    Raises:
        ValueError: no features, an image without pixels, a model whose valid mean face has no extent.

    Example:
        >>> import stn3dmm
        >>> head = ThetaHead(16, stn3dmm.embedded_model(), image_size=(112, 112))
        >>> head(torch.zeros(2, 16)).shape, head.offset[3].item() == 55.5
        (torch.Size([2, 48]), True)
    """

    offset: torch.Tensor  # (6 + K,)
    unit: torch.Tensor  # (6 + K,)

    def __init__(
        self, features: int, model: MorphableModel, image_size: tuple[int, int], face_size: float = FACE_SIZE
    ) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"ThetaHead: features must be 1 or more; got {features}.")
        offset = mean_face_theta(model, image_size, face_size)
        unit = torch.ones_like(offset)
        unit[:3] = ROTATION_STEP
        unit[3:5] = TRANSLATION_STEP * min(image_size)
        unit[5] = LOG_SCALE_STEP
        self.register_buffer("offset", offset)
        self.register_buffer("unit", unit)
        self.linear = nn.Linear(features, len(offset))
        nn.init.normal_(self.linear.weight, std=INITIAL_STEP / math.sqrt(features))
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (B, F) to theta (B, 6 + K)."""
        with torch.autocast(features.device.type, enabled=False):
            step: torch.Tensor = self.linear(features.to(self.linear.weight.dtype))
            return self.offset + self.unit * step


def mean_face_theta(model: MorphableModel, image_size: tuple[int, int], face_size: float = FACE_SIZE) -> torch.Tensor:
    """theta (6 + K,), float32, of the mean face, frontal: the box of its valid vertices on the image's centre.

    Args:
        model: the morphable model.
        image_size: (H, W) pixels; the centre is ((W - 1) / 2, (H - 1) / 2).
        face_size: longer side of the box, in shorter sides of the image.

    Raises:
        ValueError: an image without pixels, a size that is not positive, a model without a valid mean face.

    Example:
        >>> import stn3dmm
        >>> mean_face_theta(stn3dmm.embedded_model(), (112, 96))[:3].tolist()
        [0.0, 0.0, 0.0]
    """
    H, W = image_size
    if min(H, W) < 1:
        raise ValueError(f"mean_face_theta: image_size must be (H, W) of 1 or more; got {image_size}.")
    if not (math.isfinite(face_size) and face_size > 0):
        raise ValueError(f"mean_face_theta: face_size must be positive; got {face_size}.")
    outline = model.mean[model.valid][:, :2].astype(np.float64)
    if not len(outline) or not np.ptp(outline, axis=0).max() > 0:
        raise ValueError(f"mean_face_theta: the model ({model.source or 'unnamed'}) has no valid mean face.")
    low, high = outline.min(axis=0), outline.max(axis=0)
    scale = face_size * min(H, W) / (high - low).max()
    x, y = (low + high) / 2
    theta = torch.zeros(POSE + model.mode_count)
    theta[3], theta[4] = (W - 1) / 2 - scale * x, (H - 1) / 2 + scale * y  # y is up in the model, down in the image
    theta[5] = math.log(scale)
    return theta
