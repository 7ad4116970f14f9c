"""The files of Bas et al. 2017 (arXiv:1708.07199): resampled model, demonstration photographs, old parameters.

Their conventions are converted here, once, on reading. In ``model.mat`` the vertices are in row-major grid order
already (row 0 at the forehead, column 0 at the image's left), x right, y up, z towards the viewer, millimetres.
Their image frame is 1-based with y up: x = x_label - 1 and y = H - y_label (H = 224).
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from stn3dmm.formats.matlab import numeric_array, read_matlab
from stn3dmm.morphable_model import MorphableModel

GRID_SHAPE = (112, 112)
IMAGE_SHAPE = (224, 224)  # (H, W) pixels of their photographs
SCALE_BASE = 0.99  # their layer computes s = 0.99 ** value where the paper says exp

# Vertex indices of the landmarks on the 112 x 112 grid, 0-based. Published by the authors as 1-based lists,
# Landmarks21_112.anl and Landmarks68_112.anl (repository anilbas/3DMMasSTN, util/landmarks, Apache-2.0).
# fmt: off
AFLW21_INDICES = (
    2488, 2278, 2177, 2190, 2313, 2551, 3282, 3176, 3181, 3202, 3207, 3325, 7176, 4978, 4535, 4989, 7271, 6879, 6663,
    6896, 9127,
)
IBUG68_INDICES = (
    4374, 5835, 7071, 7972, 8762, 9108, 9117, 9011, 9239, 9020, 9138, 9147, 8709, 8043, 7152, 5924, 4473, 2602, 2159,
    2053, 2170, 2175, 2192, 2197, 2202, 2320, 2549, 2968, 3527, 4087, 4535, 5315, 5430, 5544, 5433, 5324, 3281, 3061,
    2954, 3181, 3401, 3509, 3202, 2982, 3098, 3326, 3546, 3430, 6991, 6435, 6214, 6328, 6218, 6445, 7008, 7229, 7338,
    7335, 7333, 7106, 6880, 6661, 6663, 6666, 6895, 6666, 6664, 6997,
)
# fmt: on


@dataclasses.dataclass(frozen=True, eq=False)
class Demodata:
    """The authors' six demonstration photographs with their AFLW-21 landmarks."""

    images: npt.NDArray[np.uint8]  # (B, H, W, 3) RGB
    landmarks: npt.NDArray[np.float64]  # (B, 21, 2) pixels, x right, y down, 0-based; NaN where missing
    visible: npt.NDArray[np.bool_]  # (B, 21) False where missing


def is_model(names: Iterable[str]) -> bool:
    """Whether a MATLAB file with arrays of these names is the authors' resampled model."""
    return {"shapeMU", "shapePC", "faces", "nverts"} <= set(names)


def read_model(path: str | os.PathLike[str]) -> MorphableModel:
    """Reads the authors' resampled model (``model.mat``): N = 112 x 112 vertices, 5 identity and 5 expression modes.

    The modes are taken as they are stored: the identity modes are scaled by their standard deviations, the expression
    modes have the length in which the authors wrote them, with prior N(0, 1) all the same.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is something else.
    """
    content = read_matlab(path, "the authors' resampled model (model.mat)")
    mean = numeric_array(content, "shapeMU", path).reshape(-1)
    basis = numeric_array(content, "shapePC", path)
    N = GRID_SHAPE[0] * GRID_SHAPE[1]
    if mean.shape != (3 * N,) or basis.ndim != 2 or basis.shape[0] != 3 * N:
        raise ValueError(
            f"{path}: shapeMU must be ({3 * N}, 1) and shapePC ({3 * N}, K) for the 112 x 112 grid; "
            f"got {content['shapeMU'].shape} and {content['shapePC'].shape}."
        )
    K = basis.shape[1]
    return MorphableModel(
        mean=mean.reshape(N, 3).astype(np.float32),
        basis=basis.T.reshape(K, N, 3).astype(np.float32),
        grid_shape=GRID_SHAPE,
        valid=np.ones(N, dtype=bool),
        mode_names=_mode_names(K),
        landmarks={"aflw21": np.array(AFLW21_INDICES), "ibug68": np.array(IBUG68_INDICES)},
        source="Basel Face Model resampled by Bas et al. 2017 (model.mat)",
        licence="derived from the Basel Face Model: research only",
    )


def _mode_names(K: int) -> tuple[str, ...]:
    # 5 + 5 is the authors' published model; another split cannot be told from the file.
    identity = 5 if K == 10 else K
    return tuple(f"identity/{k + 1}" if k < identity else f"expression/{k - identity + 1}" for k in range(K))


def read_demodata(path: str | os.PathLike[str]) -> Demodata:
    """Reads the authors' photographs and labels (``demodata.mat``); a label with x = 0 is a missing landmark.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is something else.
    """
    content = read_matlab(path, "the authors' demonstration data (demodata.mat)")
    images = numeric_array(content, "Images", path)
    labels = numeric_array(content, "Labels", path)
    if images.ndim != 4 or images.shape[2] != 3:
        raise ValueError(f"{path}: Images must be (H, W, 3, B); got {images.shape}.")
    H, B = images.shape[0], images.shape[3]
    if labels.shape != (1, 2, 21, B):
        raise ValueError(f"{path}: Labels must be (1, 2, 21, {B}) as in Images; got {labels.shape}.")
    labels = labels[0].transpose(2, 1, 0)  # (B, 21, 2), 1-based, y up
    visible = labels[..., 0] != 0
    landmarks = np.stack([labels[..., 0] - 1, H - labels[..., 1]], axis=-1)
    landmarks[~visible] = np.nan
    pixels = np.clip(np.rint(images.transpose(3, 0, 1, 2)), 0, 255).astype(np.uint8)
    return Demodata(images=pixels, landmarks=landmarks, visible=visible)


def convert_authors_theta(
    parameters: npt.ArrayLike, image_shape: tuple[int, int] = IMAGE_SHAPE
) -> npt.NDArray[np.float64]:
    """Parameters of the authors' network as this project's theta, so that both put every vertex on the same pixel.

    Convention:
        Theirs: image points ``0.99 ** value * (R X)_xy + t`` in pixels, 1-based, y up. Ours: design of theta in
        docs/conventions.md. The rotation and alpha are the same; log s = value ln 0.99; t_x loses the 1-based offset;
        t_y is turned over.

    Args:
        parameters: (6 + K,) or (B, 6 + K): r (3) axis-angle in radians, t (2) pixels, their log scale, alpha (K).
        image_shape: (H, W) of the photograph.

    Returns:
        theta of the same shape, float64.

    Raises:
        ValueError: the last dimension is shorter than 6.

    Example:
        >>> convert_authors_theta([0, 0, 0, 112.5, 112.5, -50]).round(4).tolist()
        [0.0, 0.0, 0.0, 111.5, 111.5, 0.5025]
    """
    theta = np.array(parameters, dtype=np.float64)
    if theta.ndim not in (1, 2) or theta.shape[-1] < 6:
        raise ValueError(
            f"convert_authors_theta: parameters must be (6 + K,) or (B, 6 + K); got {theta.shape}. "
            "The order is r (3), t (2), log scale (1), alpha (K)."
        )
    theta[..., 3] -= 1.0
    theta[..., 4] = image_shape[0] - theta[..., 4]
    theta[..., 5] *= math.log(SCALE_BASE)
    return theta
