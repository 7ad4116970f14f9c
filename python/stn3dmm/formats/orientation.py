"""Which side of a surface is outside, and whether a face looks at the viewer."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from stn3dmm.morphable_mesh import MorphableMesh

Direction = npt.NDArray[np.float64]  # (3,)
Axes = npt.NDArray[np.float64]  # (3, 3), each row 1 or -1 along one axis

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


def check_upright(mesh: MorphableMesh, path: object, landmarks: object = None) -> None:
    """ValueError if the iBUG landmarks say that the mean face is not x right, y up, z towards the viewer.

    Faces fitted with a mesh that is turned would come out mirrored or upside down. Without these landmarks nothing can
    be said. ``landmarks`` is the file that the user named for them, if any: it may be what is wrong.
    """
    index = mesh.landmarks.get("ibug68")
    if index is None or min(index[[CHIN, NOSE_TIP, RIGHT_EYE, LEFT_EYE]]) < 0:
        return
    chin, nose_tip, right_eye, left_eye = mesh.mean[index[[CHIN, NOSE_TIP, RIGHT_EYE, LEFT_EYE]]].astype(np.float64)
    eyes = (right_eye + left_eye) / 2
    right, up, forward = left_eye - right_eye, eyes - chin, nose_tip - eyes
    axes = _nearest_axes(right, up, forward)
    if np.array_equal(axes, np.eye(3)) and right[0] > 0 and up[1] > 0 and forward[2] > 0:
        return
    remedy = "Or use the file as it was published."
    if landmarks is not None:
        remedy = (
            f"If the mesh is upright, {landmarks} is of another mesh or counted otherwise: lists count its vertices "
            "from 1, JSON and eos from 0."
        )
    raise ValueError(f"{path}: the mean face {_deviation(axes)} {remedy}")


def _nearest_axes(right: Direction, up: Direction, forward: Direction) -> Axes:
    """The rows are the axes of the file that are nearest a face's right, up and forward, of the face's handedness."""
    up = _unit(up)
    right = _unit(right - (right @ up) * up)
    forward = _unit(forward - (forward @ up) * up - (forward @ right) * right)
    frame = np.stack([right, up, forward])
    signs = np.array(list(itertools.product((1, -1), repeat=3)))
    candidates = [
        np.eye(3)[list(order)] * sign[:, None] for order in itertools.permutations(range(3)) for sign in signs
    ]
    handed = [axes for axes in candidates if np.linalg.det(axes) * np.linalg.det(frame) >= 0]
    return max(handed, key=lambda axes: float((axes * frame).sum()))


def _unit(direction: Direction) -> Direction:
    return np.asarray(direction / (np.linalg.norm(direction) or 1.0), dtype=np.float64)


def _deviation(axes: Axes) -> str:
    """What is wrong with a face whose right, up and forward lie along these axes, and what mends it."""
    if np.array_equal(axes, np.eye(3)):
        return "does not look at the viewer, by its eyes, nose and chin. Turn it so that y is up and z runs out of it."
    right, up, forward = (f"{'-' if row.min() < 0 else ''}{'xyz'[np.abs(row).argmax()]}" for row in axes)
    found = f"by its eyes, nose and chin, the image's right, up and the viewer lie along {right}, {up} and {forward}"
    mend = f"Write ({right}, {up}, {forward}) for (x, y, z)"
    if np.linalg.det(axes) < 0:
        return f"is mirrored: {found}. No turn helps. {mend}."
    # The trace of a turn by an angle is 1 + 2 cos(angle).
    angle = {1: "a quarter turn", -1: "half a turn", 0: "a third of a turn"}[round(float(np.trace(axes)))]
    blender = ": z is up, as in Blender" if up == "z" else ""
    return f"is {angle} off: {found}. {mend}{blender}."
