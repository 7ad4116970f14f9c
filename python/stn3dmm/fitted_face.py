"""One photograph taken all the way: landmarks, fit, flattened texture, and the pictures that show them."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import torch

import stn3dmm_cuda
from stn3dmm import drawing
from stn3dmm.angles import Angles, head_angles
from stn3dmm.fit import UnusableLandmarksError, fit_landmarks
from stn3dmm.fit_file import FitRecord
from stn3dmm.flattening import Flattened, flatten
from stn3dmm.formats.labels import Annotation
from stn3dmm.morphable_model import MorphableModel


@dataclasses.dataclass(frozen=True, eq=False)
class FittedFace:
    """A fitted photograph."""

    name: str
    photograph: npt.NDArray[np.uint8]  # (H, W, 3)
    annotation: Annotation
    record: FitRecord
    points: npt.NDArray[np.float64]  # (N, 3) pixels and depth
    landmarks: npt.NDArray[np.float64]  # (L, 2) pixels of the fitted landmarks; NaN where the model has no vertex
    texture: torch.Tensor  # (3, P, Q) in 0..1
    mask: torch.Tensor  # (1, P, Q)

    @property
    def angles(self) -> Angles:
        """Yaw, pitch and roll in degrees."""
        return head_angles(self.record.theta)

    @property
    def scale(self) -> float:
        """Pixels per model unit."""
        return float(np.exp(self.record.theta[5]))

    @property
    def landmarks_used(self) -> int:
        """How many landmarks took part in the fit."""
        return int((self.annotation.visible & np.isfinite(self.landmarks).all(axis=1)).sum())

    @property
    def normalised_error(self) -> float:
        """The error as a fraction of sqrt(w h), the visible landmarks' box."""
        size = np.ptp(self.annotation.points[self.annotation.visible], axis=0)
        return self.record.error / float(max(np.sqrt(size.prod()), 1e-9))

    def pictures(self) -> dict[str, drawing.Pixels]:
        """Pictures by name: overlay (landmarks and mesh), landmarks, mesh, texture, mask, masked
        (the texture where it is seen, black elsewhere)."""
        shown = self.mask[0].flatten().numpy() > 0.5
        view = drawing.view_of_face(self.photograph, self.points[:, :2])
        landmarks = (self.annotation.points, self.annotation.visible, self.landmarks)
        grid_shape = (self.mask.shape[1], self.mask.shape[2])
        mesh = drawing.draw_mesh(view, self.points, shown, grid_shape)
        return {
            "overlay": drawing.draw_landmarks(dataclasses.replace(view, pixels=mesh), *landmarks),
            "landmarks": drawing.draw_landmarks(view, *landmarks),
            "mesh": mesh,
            "texture": drawing.texture_pixels(self.texture),
            "mask": drawing.mask_pixels(self.mask),
            "masked": drawing.texture_pixels(self.texture * self.mask),
        }


def fit_photograph(
    model: MorphableModel,
    name: str,
    photograph: npt.NDArray[np.uint8],
    annotation: Annotation,
    prior_weight: float = 1.0,
) -> FittedFace:
    """Fits the model to the landmarks of one photograph (H, W, 3) and flattens the face.

    Raises:
        ValueError: the landmarks do not suit the photograph or the model.
    """
    H, W = photograph.shape[:2]
    used = annotation.points[annotation.visible]
    inside = (used >= -0.5).all(axis=1) & (used[:, 0] <= W - 0.5) & (used[:, 1] <= H - 0.5)
    if len(used) and not inside.any():
        raise ValueError(f"{name}: no landmark lies in the {W} x {H} photograph; do they belong to another one?")
    landmark_set = annotation.landmark_set
    try:
        fit = fit_landmarks(
            model,
            torch.from_numpy(annotation.points),
            visible=annotation.visible,
            indices=landmark_set,
            prior_weight=prior_weight,
        )
    except UnusableLandmarksError as error:
        raise ValueError(f"{name}: {error.reason}") from error
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    record = FitRecord(
        theta=fit.theta[0].numpy(),
        error=float(fit.error[0]),
        image=name,
        image_size=(H, W),
        landmark_set=landmark_set,
        model=model.source,
        mode_names=model.mode_names,
    )
    texture, mask = flatten(photograph, model, record.theta)
    points = posed_points(model, fit.theta)[0].numpy()
    vertices = model.landmark_indices(landmark_set)
    landmarks = np.where(vertices[:, None] >= 0, points[vertices, :2], np.nan)
    return FittedFace(name, photograph, annotation, record, points, landmarks, texture[0], mask[0])


def posed_points(model: MorphableModel, theta: torch.Tensor) -> torch.Tensor:
    """All vertices in the image, (B, N, 3) pixels and depth, in theta's dtype."""
    pose = stn3dmm_cuda.pose(theta)
    mean, basis = model.tensors(theta.device, theta.dtype)
    vertices = stn3dmm_cuda.vertices(pose.alpha, mean, basis)
    return stn3dmm_cuda.project(vertices, pose.rotation, pose.translation, pose.scale)


def flatten_record(photograph: npt.NDArray[np.uint8], name: str, model: MorphableModel, record: FitRecord) -> Flattened:
    """Flattens a photograph (H, W, 3) with the fit that was made for it.

    Raises:
        ValueError: the fit belongs to another model, or to a photograph of another size.
    """
    record.check_model(model)
    if photograph.shape[:2] != record.image_size:
        H, W = photograph.shape[:2]
        height, width = record.image_size
        raise ValueError(
            f"{name}: {W} x {H} pixels, but the fit was made on {width} x {height} ({record.image}); fit it again."
        )
    return flatten(photograph, model, record.theta)
