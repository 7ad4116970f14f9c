"""Which way a surface faces: heads with an open neck, hollow faces, flat reliefs."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import scipy.spatial
from stn3dmm.formats.orientation import check_upright, is_inside_out
from stn3dmm.morphable_mesh import MorphableMesh


def sphere(count=2000):
    """Points (V, 3) of a sphere and its triangles (F, 3), counter-clockwise seen from outside."""
    k = np.arange(count) + 0.5
    y, turn = 1 - 2 * k / count, k * np.pi * (3 - np.sqrt(5))
    r = np.sqrt(1 - y**2)
    points = np.stack([r * np.cos(turn), y, r * np.sin(turn)], axis=-1)
    triangles = scipy.spatial.ConvexHull(points).simplices
    a, b, c = (points[triangles[:, k]] for k in range(3))
    inwards = np.einsum("fi,fi->f", a, np.cross(b - a, c - a)) < 0
    triangles[inwards] = triangles[inwards][:, ::-1]
    return 100 * points, triangles


def without(vertices, triangles, removed):
    return vertices, triangles[~removed[triangles].any(axis=1)]


def surfaces():
    vertices, triangles = sphere()
    x, y, z = vertices.T
    yield "closed", vertices, triangles
    # What is missing of these tells nothing of the side: the rim of a neck points down, forwards or backwards.
    yield "open neck, forwards", *without(vertices, triangles, 0.9 * y - 0.4 * z < -80)
    yield "open neck, backwards", *without(vertices, triangles, 0.9 * y + 0.4 * z < -80)
    yield "mask", *without(vertices, triangles, z < 0)
    yield "ears behind the rim", *without(vertices, triangles, (z < 20) & (np.abs(x) < 80))
    front = without(vertices, triangles, z < 0)
    yield "relief", front[0] * (1, 1, 0.01), front[1]
    yield "flat", front[0] * (1, 1, 0), front[1]


@pytest.mark.parametrize(("name", "vertices", "triangles"), list(surfaces()), ids=[s[0] for s in surfaces()])
def test_is_inside_out(name, vertices, triangles):
    assert len(triangles) > 100, name
    assert not is_inside_out(vertices, triangles)
    assert is_inside_out(vertices, triangles[:, ::-1])
    assert not is_inside_out(vertices + np.array([500, -300, 200]), triangles)


def mesh_with(places):
    """A mesh with the given vertices for chin, nose tip, right and left eye."""
    landmarks = np.full(68, -1)
    landmarks[[8, 30, 36, 45]] = range(4)
    no_modes = np.empty((0, 4, 3), dtype=np.float32)
    return MorphableMesh(np.array(places), no_modes, np.array([[0, 1, 2]]), (), {"ibug68": landmarks})


UPRIGHT = np.array([[0, -70, 100], [0, 0, 130], [-40, 30, 80], [40, 30, 80]])


def test_check_upright():
    check_upright(mesh_with(UPRIGHT), "file")
    tilt = scipy.spatial.transform.Rotation.from_euler("xyz", (25, -20, 15), degrees=True)
    check_upright(mesh_with(tilt.apply(UPRIGHT)), "file")


@pytest.mark.parametrize("axes", ["-x y z", "x -y z", "y x z"])
def test_mirrored_faces_are_named(axes):
    written = re.escape(f"({', '.join(axes.split())})")
    with pytest.raises(
        ValueError, match=rf"^file: the mean face is mirrored: .*\. No turn helps\. Write {written} for"
    ):
        check_upright(mesh_with(seen_along(axes)), "file")


@pytest.mark.parametrize(
    ("axes", "angle"),
    [
        ("x z -y", "a quarter turn"), ("x -z y", "a quarter turn"), ("y -x z", "a quarter turn"),
        ("-z y x", "a quarter turn"), ("-x -y z", "half a turn"), ("-x y -z", "half a turn"),
        ("-x z y", "half a turn"), ("y z x", "a third of a turn"),
    ],
)  # fmt: skip
def test_turned_faces_are_named(axes, angle):
    vertices = seen_along(axes)
    with pytest.raises(ValueError, match=f"^file: the mean face is {angle} off: by its eyes") as caught:
        check_upright(mesh_with(vertices), "file")
    assert f"Write ({', '.join(axes.split())}) for (x, y, z)" in str(caught.value)
    assert ("Blender" in str(caught.value)) == (axes.split()[1] == "z")
    assert str(caught.value).endswith("Or use the file as it was published.")
    with pytest.raises(ValueError, match=r"If the mesh is upright, mine\.txt is of another mesh .* vertices from 1"):
        check_upright(mesh_with(vertices), "file", "mine.txt")


def test_landmarks_of_no_face_are_refused():
    for places in (UPRIGHT[[0, 0, 2, 3]] * (1, 1, 0), UPRIGHT * 0, UPRIGHT[[0, 2, 2, 3]]):
        with pytest.raises(ValueError, match=r"^file: the mean face "):
            check_upright(mesh_with(places), "file")


def seen_along(axes):
    """The upright face in a file whose axes, in these directions, are x, y and z of the face."""
    vertices = np.empty_like(UPRIGHT)
    for column, axis in enumerate(axes.split()):
        vertices[:, "xyz".index(axis[-1])] = UPRIGHT[:, column] * (-1 if axis[0] == "-" else 1)
    return vertices


def test_check_upright_needs_its_landmarks():
    turned = mesh_with(-UPRIGHT)
    for index in (8, 30, 36, 45):
        fewer = turned.landmarks["ibug68"].copy()
        fewer[index] = -1
        check_upright(dataclasses.replace(turned, landmarks={"ibug68": fewer}), "file")
    check_upright(dataclasses.replace(turned, landmarks={}), "file")
