"""Which side of a surface is outside, and whether a face looks at the viewer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stn3dmm.morphable_mesh import MorphableMesh

# Seen from the middle of its vertices, 73 % of the Basel face's area looks outwards; a flat relief comes to nearly 0.
HOLLOW = 0.1

# What the axes are read from, in the order of iBUG-68. The person's right eye is at the image's left.
CHIN, NOSE_TIP, RIGHT_EYE, LEFT_EYE = 8, 30, 36, 45


def is_inside_out(vertices: npt.NDArray[np.floating], triangles: npt.NDArray[np.integer]) -> bool:
    """Whether the triangles (F, 3) of a face or head (V, 3), y up and z forward, are wound clockwise seen from outside.

    The surface of a head, and of a face that is hollow behind, looks away from its middle; that of a flat relief looks
    forward.
    """
    a, b, c = (np.asarray(vertices, dtype=np.float64)[triangles[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    from_middle = (a + b + c) / 3 - a.mean(axis=0)
    outwards = np.einsum("fi,fi->f", from_middle, area)
    most = np.einsum("f,f->", np.linalg.norm(from_middle, axis=1), np.linalg.norm(area, axis=1))
    if abs(outwards.sum()) > HOLLOW * most:
        return bool(outwards.sum() < 0)
    return bool(area[:, 2].sum() < 0)


def check_upright(mesh: MorphableMesh, path: object) -> None:
    """ValueError if the iBUG landmarks say that the mean face is not x right, y up, z towards the viewer.

    For formats whose axes are known: this file was turned by someone, and faces fitted with it as it is would come out
    mirrored or upside down. Without these landmarks nothing can be said.
    """
    index = mesh.landmarks.get("ibug68")
    if index is None or min(index[[CHIN, NOSE_TIP, RIGHT_EYE, LEFT_EYE]]) < 0:
        return
    chin, nose_tip, right_eye, left_eye = mesh.mean[index[[CHIN, NOSE_TIP, RIGHT_EYE, LEFT_EYE]]]
    extents = {
        "x": left_eye[0] - right_eye[0],
        "y": (right_eye[1] + left_eye[1]) / 2 - chin[1],
        "z": nose_tip[2] - (right_eye[2] + left_eye[2]) / 2,
    }
    turned = [axis for axis, extent in extents.items() if not extent > 0]
    if turned:
        run = "run" if len(turned) > 1 else "runs"
        raise ValueError(
            f"{path}: the mean face is turned: by its eyes, nose and chin, {' and '.join(turned)} {run} the other way; "
            "expected x to the image's right, y up, z towards the viewer. Turn it, or use the file as it was published."
        )
