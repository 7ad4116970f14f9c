"""Head pose in words that people use: yaw, pitch and roll in degrees."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from stn3dmm_cuda import axis_angle_to_matrix


class Angles(NamedTuple):
    """Turns of the head in degrees, applied in this order: first yaw, then pitch, then roll."""

    yaw: float  # positive: the nose points to the image's right
    pitch: float  # positive: the nose points up
    roll: float  # positive: the head leans to the image's right (clockwise as seen)


def head_angles(theta: torch.Tensor | npt.ArrayLike) -> Angles:
    """Yaw, pitch and roll of one theta (6 + K,) in degrees: R = Rz(-roll) Rx(-pitch) Ry(yaw).

    Example:
        >>> head_angles([0.0, 0.5, 0.0, 0, 0, 0]).yaw.__round__(2)
        28.65
    """
    r = torch.as_tensor(np.asarray(theta, dtype=np.float64))[:3]
    R = axis_angle_to_matrix(r[None])[0].tolist()
    return Angles(
        yaw=math.degrees(math.atan2(-R[2][0], R[2][2])),
        pitch=-math.degrees(math.asin(max(-1.0, min(1.0, R[2][1])))),
        roll=-math.degrees(math.atan2(-R[0][1], R[1][1])),
    )


def rotation_vector(yaw: float, pitch: float, roll: float) -> tuple[float, float, float]:
    """The axis-angle r in radians of R = Rz(-roll) Rx(-pitch) Ry(yaw), from degrees: the way back from `head_angles`.

    Example:
        >>> [round(value, 4) for value in rotation_vector(28.65, 0.0, 0.0)]
        [0.0, 0.5, 0.0]
    """
    # Half angles: the product of the quaternions (cosine, sine axis) of the three turns.
    (cz, sz), (cx, sx), (cy, sy) = (
        (math.cos(half), math.sin(half)) for half in (math.radians(angle) / 2 for angle in (-roll, -pitch, yaw))
    )
    cosine = cz * cx * cy - sz * sx * sy
    axis = (cz * sx * cy - sz * cx * sy, sz * sx * cy + cz * cx * sy, sz * cx * cy + cz * sx * sy)
    sine = math.sqrt(sum(value * value for value in axis))
    if sine == 0:
        return 0.0, 0.0, 0.0
    angle = 2 * math.atan2(sine, cosine)
    angle = angle - 2 * math.pi if angle > math.pi else angle
    x, y, z = (angle / sine * value + 0.0 for value in axis)  # no negative zero
    return x, y, z
