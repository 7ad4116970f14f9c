"""The layers that the paper names, as thin modules over the operators, and the whole of them fused.

By hand, in the order of the data's way (the result equals `SpatialTransformer3DMM`):

    alpha -> MorphableModelLayer -> Rotation3D -> OrthographicProjection -> Scale2D -> Translation2D -> points
    points -> BilinearSampler -> texture; points -> Visibility -> mask; texture, mask -> Masking
    points -> Selection -> landmarks

Rotations come from AxisAngleToRotation, scales from LogScaleToScale. Shapes, units and frames: docs/conventions.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

from . import _checks
from ._buffers import copied, indices_copied
from .grid import grid
from .losses import masked
from .pose import axis_angle_to_matrix
from .results import Warp
from .sample import sample
from .vertices import vertices
from .visibility import MODES, visibility
from .warp import VISIBILITIES, warp


class Model(Protocol):
    """What the layers ask of a morphable model; arrays may be NumPy's or PyTorch's."""

    @property
    def mean(self) -> Any: ...  # (N, 3) model units
    @property
    def basis(self) -> Any: ...  # (K, N, 3) model units per standard deviation
    @property
    def grid_shape(self) -> tuple[int, int]: ...  # (P, Q)
    @property
    def valid(self) -> Any: ...  # (N,) bool
    @property
    def landmarks(self) -> Mapping[str, Any]: ...  # name -> (L,) vertex indices, -1 = no such vertex


def _register_shape(layer: nn.Module, model: Model) -> None:
    layer.register_buffer("mean", copied(model.mean))
    layer.register_buffer("basis", copied(model.basis))


class MorphableModelLayer(nn.Module):
    """alpha (B, K) standard deviations -> vertices (B, N, 3) in the model frame."""

    mean: torch.Tensor
    basis: torch.Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        _register_shape(self, model)

    def forward(self, alpha: torch.Tensor) -> torch.Tensor:
        return vertices(alpha, self.mean, self.basis)

    def extra_repr(self) -> str:
        return f"vertices={self.mean.shape[0]}, modes={self.basis.shape[0]}"


class AxisAngleToRotation(nn.Module):
    """r (B, 3) radians -> rotation (B, 3, 3)."""

    def forward(self, r: torch.Tensor) -> torch.Tensor:
        return axis_angle_to_matrix(r)


class Rotation3D(nn.Module):
    """vertices (B, N, 3), rotation (B, 3, 3) -> R X (B, N, 3), y up."""

    def forward(self, vertices: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
        # Sums of products, not a matrix product: TF32 and autocast would cost pixels.
        return (rotation[:, None] * vertices[:, :, None, :]).sum(dim=-1)


class OrthographicProjection(nn.Module):
    """turned vertices (B, N, 3), y up -> (x, -y, z) (B, N, 3), y down; the third component stays as the depth."""

    def forward(self, vertices: torch.Tensor) -> torch.Tensor:
        x, y, z = vertices.unbind(dim=-1)
        return torch.stack((x, -y, z), dim=-1)


class LogScaleToScale(nn.Module):
    """log s (B,), natural logarithm -> s (B,) pixels per model unit."""

    def forward(self, log_scale: torch.Tensor) -> torch.Tensor:
        return log_scale.exp()


class Scale2D(nn.Module):
    """points (B, N, 3), scale (B,) -> s times the points, depth included."""

    def forward(self, points: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return scale[:, None, None] * points


class Translation2D(nn.Module):
    """points (B, N, 3), translation (B, 2) pixels -> points (B, N, 3) pixels; the depth stays."""

    def forward(self, points: torch.Tensor, translation: torch.Tensor) -> torch.Tensor:
        return torch.cat((points[..., :2] + translation[:, None], points[..., 2:]), dim=-1)


class Grid(nn.Module):
    """points (B, N, 2 or 3) pixels -> (B, P, Q, 2) for `grid_sample(..., align_corners=True)`."""

    def __init__(self, grid_shape: tuple[int, int], image_size: tuple[int, int]) -> None:
        super().__init__()
        self.grid_shape = grid_shape
        self.image_size = image_size

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return grid(points, self.grid_shape, self.image_size)

    def extra_repr(self) -> str:
        return f"grid_shape={self.grid_shape}, image_size={self.image_size}"


class BilinearSampler(nn.Module):
    """image (B, C, H, W), points (B, N, 2 or 3) pixels -> texture (B, C, P, Q)."""

    def __init__(self, grid_shape: tuple[int, int]) -> None:
        super().__init__()
        self.grid_shape = grid_shape

    def forward(self, image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return sample(image, points).reshape(*image.shape[:2], *self.grid_shape)

    def extra_repr(self) -> str:
        return f"grid_shape={self.grid_shape}"


class Visibility(nn.Module):
    """points (B, N, 3) pixels -> mask (B, 1, P, Q): seen by the viewer, inside the image, and valid.

    Without an image size nothing is outside the image; without `valid` (N,) every vertex is valid.
    """

    valid: torch.Tensor | None

    def __init__(
        self,
        grid_shape: tuple[int, int],
        image_size: tuple[int, int] | None = None,
        valid: Any = None,
        *,
        mode: str = "hard",
        tolerance: float = 0.01,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        _checks.choice("Visibility", "mode", mode, MODES)
        self.grid_shape = grid_shape
        self.image_size = image_size
        self.mode = mode
        self.tolerance = tolerance
        self.temperature = temperature
        self.register_buffer("valid", None if valid is None else copied(valid, torch.bool))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        seen = visibility(points, None, self.grid_shape, self.mode, self.tolerance, self.temperature)
        if self.image_size is not None:
            H, W = self.image_size
            x, y = points[..., 0], points[..., 1]
            seen = seen * ((x >= 0) & (x <= W - 1) & (y >= 0) & (y <= H - 1))
        if self.valid is not None:
            seen = seen * self.valid
        return seen.reshape(points.shape[0], 1, *self.grid_shape)

    def extra_repr(self) -> str:
        return (
            f"grid_shape={self.grid_shape}, image_size={self.image_size}, mode={self.mode!r}, "
            f"tolerance={self.tolerance}, temperature={self.temperature}"
        )


class Masking(nn.Module):
    """texture (B, C, P, Q), mask (B, 1, P, Q) -> the texture where it is seen, 0 elsewhere."""

    def forward(self, texture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return masked(texture, mask)


class Selection(nn.Module):
    """points (B, N, 2 or 3) -> landmarks (B, L, 2) pixels; NaN where the index (-1) names no vertex."""

    indices: torch.Tensor

    def __init__(self, indices: Any) -> None:
        super().__init__()
        self.register_buffer("indices", indices_copied("Selection", indices))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        exists = (self.indices >= 0) & (self.indices < points.shape[1])
        chosen = points[:, self.indices.where(exists, 0), :2]
        return chosen.where(exists[:, None], torch.nan)

    def extra_repr(self) -> str:
        return f"landmarks={self.indices.shape[0]}"


class SpatialTransformer3DMM(nn.Module):
    """The 3DMM as a spatial transformer, fused: image (B, C, H, W), theta (B, 6 + K) -> Warp.

    Convention:
        theta = (r[3] radians, t[2] pixels, log s, alpha[K] standard deviations); vertices lie on the model's
        P x Q texture grid. mean, basis, valid and the landmark indices are buffers: no gradient reaches them.

    Args:
        model: anything with mean, basis, grid_shape, valid and landmarks, such as `stn3dmm.MorphableModel`.
        visibility: "hard", "soft" or "none".
        landmarks: a landmark set of the model, "ibug68" or "aflw21" for instance; None for no landmarks.
        tolerance: pixels of depth by which a vertex may lie behind what covers it and still be seen.
        temperature: pixels of depth, as in `visibility`.

    Raises:
        ValueError: the model has no such landmarks, its arrays do not fit its grid, or visibility is unknown.

    Source:
        Bas et al. 2017, section 3; docs/math.md#warp

    Example:
        >>> from types import SimpleNamespace
        >>> mean = torch.tensor([[-1.0, 1, 0], [1, 1, 0], [-1, -1, 0], [1, -1, 0]])
        >>> square = SimpleNamespace(
        ...     mean=mean, basis=torch.zeros(0, 4, 3), grid_shape=(2, 2), valid=[True] * 4, landmarks={}
        ... )
        >>> theta = torch.tensor([[0, 0, 0, 1.0, 1, 0]])  # frontal, centred at (1, 1), one pixel per unit
        >>> SpatialTransformer3DMM(square)(torch.arange(9.0).reshape(1, 1, 3, 3), theta).texture.tolist()
        [[[[0.0, 2.0], [6.0, 8.0]]]]
    """

    mean: torch.Tensor
    basis: torch.Tensor
    valid: torch.Tensor
    landmark_indices: torch.Tensor | None

    def __init__(
        self,
        model: Model,
        visibility: str = "hard",
        *,
        landmarks: str | None = None,
        tolerance: float = 0.01,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        _checks.choice(type(self).__name__, "visibility", visibility, VISIBILITIES)
        if landmarks is not None:
            _checks.choice(type(self).__name__, "landmarks of this model", landmarks, tuple(sorted(model.landmarks)))
        self.grid_shape = (int(model.grid_shape[0]), int(model.grid_shape[1]))
        self.visibility = visibility
        self.landmarks = landmarks
        self.tolerance = tolerance
        self.temperature = temperature
        _register_shape(self, model)
        self.register_buffer("valid", copied(model.valid, torch.bool))
        indices = None if landmarks is None else indices_copied(type(self).__name__, model.landmarks[landmarks])
        self.register_buffer("landmark_indices", indices)
        self._check_grid()

    def _check_grid(self) -> None:
        name = type(self).__name__
        P, Q = self.grid_shape
        N, K = P * Q, self.basis.shape[0]
        _checks.shape(name, "mean", self.mean, "(N, 3)", (N, 3), like="grid_shape")
        _checks.shape(name, "basis", self.basis, "(K, N, 3)", (K, N, 3), like="grid_shape")
        _checks.shape(name, "valid", self.valid, "(N,)", (N,), like="grid_shape")

    def forward(self, image: torch.Tensor, theta: torch.Tensor) -> Warp:
        return warp(
            image,
            theta,
            self.mean,
            self.basis,
            self.grid_shape,
            visibility=self.visibility,
            landmarks=self.landmark_indices,
            valid=self.valid,
            tolerance=self.tolerance,
            temperature=self.temperature,
        )

    def extra_repr(self) -> str:
        return (
            f"grid_shape={self.grid_shape}, modes={self.basis.shape[0]}, visibility={self.visibility!r}, "
            f"landmarks={self.landmarks!r}, tolerance={self.tolerance}, temperature={self.temperature}"
        )
