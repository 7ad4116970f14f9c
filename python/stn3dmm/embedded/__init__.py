"""The embedded face model: an average face written as formulas, the only model that the project ships.

`proportions` holds measurements that approximate published averages, and their sources; `anatomy` places the
landmarks that follow from them; `head`, `features` and `ear` are the surface, `lattice` its grid and `surface` the
sum; `identity` and `expression` are the modes, written in `fields`; `landmarks` finds the annotated points. No scan,
no mesh and no other model went into it.
"""

from __future__ import annotations

import functools

import numpy as np

from stn3dmm.morphable_model import MorphableModel

from .expression import EXPRESSION_MODES
from .identity import IDENTITY_MODES
from .landmarks import aflw21, ibug68
from .modes import Mode, displacement
from .surface import ORIGIN_DEPTH, face_surface

__all__ = ["MODES", "Mode", "describe", "embedded_model"]

MODES: tuple[Mode, ...] = IDENTITY_MODES + EXPRESSION_MODES
SMALLEST_GRID = 8  # rows and columns: fewer hold no face

NEGLIGIBLE = 1e-6  # mm


def embedded_model(grid_shape: tuple[int, int] = (112, 112)) -> MorphableModel:
    """The embedded model on a grid of P x Q vertices.

    Convention:
        Model frame: x to the image's right, y up (0 at subnasale), z towards the viewer (0 midway between the ears and
        the tip of the nose), millimetres. Row 0 crosses the forehead, column 0 the ear at the image's left; the last
        row lies under the chin. The mean is exactly symmetric under the flip of its columns.

    Args:
        grid_shape: (P, Q), each at least 8.

    Returns:
        The model, float32, with the landmark sets "aflw21" and "ibug68"; ``describe`` lists its modes. Built once per
        grid and shared: do not write into its arrays.

    Raises:
        ValueError: a grid smaller than 8 x 8.

    Source: docs/embedded_model.md.

    Example:
        >>> model = embedded_model()
        >>> model.mean.shape, model.grid_shape
        ((12544, 3), (112, 112))
        >>> left, right = model.mean[model.landmarks["ibug68"][[39, 42]]]  # the inner corners of the eyes
        >>> bool(abs(right[0] - left[0] - 32.5) < 1.5)
        True
    """
    P, Q = (int(size) for size in grid_shape)
    if min(P, Q) < SMALLEST_GRID:
        raise ValueError(
            f"embedded_model: grid_shape must be at least {SMALLEST_GRID} x {SMALLEST_GRID}; got {grid_shape}. "
            "Take (112, 112) unless memory forbids it."
        )
    return _build((P, Q))


@functools.lru_cache(maxsize=8)
def _build(grid_shape: tuple[int, int]) -> MorphableModel:
    face = face_surface(grid_shape)
    mean = np.stack([face.x, face.y, face.z - ORIGIN_DEPTH], axis=-1).reshape(-1, 3)
    basis = np.stack([displacement(mode, face).reshape(-1, 3) for mode in MODES])
    basis[np.abs(basis) < NEGLIGIBLE] = 0  # the fields' tails, down to subnormal numbers, which slow arithmetic
    return MorphableModel(
        mean=mean.astype(np.float32),
        basis=basis.astype(np.float32),
        grid_shape=grid_shape,
        valid=np.ones(len(mean), dtype=bool),
        mode_names=tuple(mode.name for mode in MODES),
        landmarks={"aflw21": aflw21(face), "ibug68": ibug68(face)},
        source="stn3dmm embedded model: formulas approximating published anthropometric averages",
        licence="Apache-2.0",
    )


def describe() -> str:
    """The modes as a Markdown table: name, peak displacement of one standard deviation, meaning.

    Example:
        >>> print("\\n".join(describe().splitlines()[:3]))
        | mode | mm | a positive coefficient |
        |---|---|---|
        | identity/face width | 4.0 | the whole face is broader |
    """
    rows = [f"| {mode.name} | {mode.size:.1f} | {mode.meaning} |" for mode in MODES]
    return "\n".join(["| mode | mm | a positive coefficient |", "|---|---|---|", *rows])
