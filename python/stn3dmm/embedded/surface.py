"""The mean face: head, features and lattice put together."""

from __future__ import annotations

import dataclasses

import numpy as np

from . import anatomy as at
from .ear import ear_relief
from .features import add_features
from .head import head_surface
from .lattice import lattice
from .shapes import Array, step

# The origin is midway between the ears and the tip of the nose: the box around the landmarks stays centred on it
# under rotation.
ORIGIN_DEPTH = at.PRONASALE_DEPTH / 2


@dataclasses.dataclass(frozen=True)
class FaceSurface:
    """The mean face on its grid."""

    x: Array  # (P, Q) mm
    y: Array  # (P, Q) mm
    z: Array  # (P, Q) mm, 0 at the tragion
    h: Array  # (P, Q) mm, front height of the row (see head.py)
    psi: Array  # (P, Q) radians, polar angle of the column


def face_surface(grid_shape: tuple[int, int]) -> FaceSurface:
    """The mean face, exactly symmetric under the flip of its columns."""
    h, psi = lattice(grid_shape)
    x, y, z = np.moveaxis(head_surface(h, psi), -1, 0)
    # Over the side of the head the front view is edge-on: the features fade out before it.
    z = z + (add_features(np.abs(x), y, z) - z) * step(np.abs(psi), 1.45, 1.05)
    x = x + np.sign(x) * ear_relief(y, z) * step(np.abs(psi), 1.25, 1.45)
    return FaceSurface(x=x, y=y, z=z, h=h, psi=psi)
