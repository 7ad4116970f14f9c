"""The model of Deep3DFaceReconstruction: its exact layout, and every kind of damage."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.io
from stn3dmm.formats import deep3d, read_mesh
from stn3dmm.formats.mesh_landmarks import aflw21_of_ibug68

from .model_files import V, deep3d_content, expression_modes, face, identity_modes, landmarks, triangles


@pytest.fixture
def content():
    return deep3d_content()


@pytest.fixture
def model(tmp_path, content):
    path = tmp_path / "BFM_model_front.mat"
    scipy.io.savemat(path, content)
    return path


def test_by_hand(model):
    """Decimetres become millimetres, the basis stays, indices from 1 become indices from 0."""
    mesh = read_mesh(model)
    assert mesh.mean == pytest.approx(face(), rel=1e-6)
    assert mesh.basis == pytest.approx(np.concatenate([identity_modes(), expression_modes()]), rel=1e-6)
    assert mesh.triangles.tolist() == triangles().tolist()
    assert mesh.landmarks["ibug68"].tolist() == landmarks().tolist()
    assert mesh.landmarks["aflw21"].tolist() == aflw21_of_ibug68(landmarks()).tolist()
    assert mesh.mode_names == (
        *(f"identity/{k}" for k in (1, 2, 3, 4)),
        *(f"expression/{k}" for k in (1, 2, 3)),
    )


def test_clockwise_triangles_are_turned_over(model, content):
    scipy.io.savemat(model, content | {"tri": content["tri"][:, ::-1]})
    corners = face()[read_mesh(model).triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).all()


@pytest.mark.parametrize("compressed", [False, True])
def test_reads_any_number_type(model, content, compressed):
    typed = {name: value.astype(np.float64) for name, value in content.items()}
    typed |= {"tri": content["tri"].astype(np.int32), "keypoints": content["keypoints"].astype(np.uint16).T}
    scipy.io.savemat(model, typed, do_compression=compressed)
    mesh = read_mesh(model)
    assert mesh.triangles.tolist() == triangles().tolist()
    assert mesh.landmarks["ibug68"].tolist() == landmarks().tolist()


def changed(content, name, place, value):
    array = content[name].astype(np.float64)
    array[place] = value
    return {name: array}


# Each is a change of the content, and what the error says.
FAULTS = {
    "no_triangles": (lambda c: {"tri": None}, "lacks the array 'tri'"),
    "no_keypoints": (lambda c: {"keypoints": None}, "lacks the array 'keypoints'"),
    "text": (lambda c: {"meanshape": "text"}, "meanshape is of class char, not an array of real numbers"),
    "cell": (lambda c: {"tri": np.array([1, "a"], dtype=object)}, "tri is of class cell"),
    "struct": (lambda c: {"idBase": {"a": 1}}, "idBase is of class struct"),
    "sparse": (lambda c: {"idBase": scipy.sparse.csc_matrix(c["idBase"])}, "idBase is of class sparse"),
    "complex": (lambda c: {"idBase": c["idBase"] * 1j}, "idBase is of class complex, not an array of real numbers"),
    "empty": (lambda c: {"meanshape": np.zeros((0, 0))}, "meanshape must hold real numbers; got \\(0, 0\\)"),
    "two_rows": (lambda c: {"meanshape": np.zeros((2, 3 * V))}, "meanshape must hold x, y, z"),
    "no_triple": (lambda c: {"meanshape": np.zeros((1, 3 * V - 1))}, "meanshape must hold x, y, z"),
    "short_mean": (lambda c: {"meanshape": c["meanshape"][:, :30]}, r"idBase must be \(30, K\) for 10 vertices"),
    "turned_basis": (lambda c: {"idBase": c["idBase"].T}, r"idBase must be \(297, K\)"),
    "short_basis": (
        lambda c: {"exBase": c["exBase"][:-3]},
        r"exBase must be \(297, K\) for 99 vertices; got \(294, 3\)",
    ),
    "four_corners": (lambda c: {"tri": np.ones((5, 4))}, r"tri must be \(F, 3\) or \(3, F\)"),
    "index_0": (lambda c: changed(c, "tri", (0, 0), 0), "tri must hold whole numbers in 1..99"),
    "index_past_end": (lambda c: changed(c, "tri", (0, 0), V + 1), "tri must hold whole numbers in 1..99"),
    "index_huge": (lambda c: changed(c, "tri", (0, 0), 1e300), "tri must hold whole numbers"),
    "index_half": (lambda c: changed(c, "tri", (0, 0), 1.5), "tri must hold whole numbers"),
    "index_nan": (lambda c: changed(c, "tri", (0, 0), np.nan), "tri holds NaN or infinity"),
    "keypoint_0": (lambda c: changed(c, "keypoints", (0, 3), 0), "keypoints must hold whole numbers in 1..99"),
    "keypoints_67": (lambda c: {"keypoints": c["keypoints"][:, 1:]}, "keypoints must be 68 vertex indices; got 67"),
    "nan": (lambda c: changed(c, "meanshape", (0, 9), np.nan), "meanshape holds NaN or infinity"),
    "infinity": (lambda c: changed(c, "exBase", (0, 2), np.inf), "exBase holds NaN or infinity"),
    "too_large": (lambda c: changed(c, "exBase", (0, 2), 1e300), "basis holds NaN or infinity"),
    "upside_down": (
        lambda c: {"meanshape": (face() * (1, -1, 1)).reshape(1, -1)},
        r"the mean face is mirrored: .* Write \(x, -y, z\)",
    ),
    "mirrored": (
        lambda c: {"meanshape": (face() * (-1, 1, 1)).reshape(1, -1)},
        r"the mean face is mirrored: .* Write \(-x, y, z\)",
    ),
    "from_behind": (lambda c: {"meanshape": (face() * (-1, 1, -1)).reshape(1, -1)}, "half a turn off"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_rejects(model, content, name):
    change, message = FAULTS[name]
    faulty = {key: value for key, value in (content | change(content)).items() if value is not None}
    scipy.io.savemat(model, faulty)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(model)
    assert str(caught.value).startswith(str(model))
    assert str(caught.value).count("\n") == 0
    assert [entry.name for entry in model.parent.iterdir()] == [model.name]


@pytest.mark.parametrize("compressed", [False, True])
def test_rejects_truncated(model, content, compressed):
    scipy.io.savemat(model, content, do_compression=compressed)
    whole = model.read_bytes()
    for part in np.linspace(128, len(whole) - 1, 40).astype(int):
        model.write_bytes(whole[:part])
        with pytest.raises(ValueError, match=re.escape(str(model))):
            deep3d.read(model)


def test_rejects_a_size_that_the_file_cannot_hold(model, content):
    """The header of a matrix says how large it is before its data say otherwise."""
    scipy.io.savemat(model, content)
    size = np.array([1, 3 * V], dtype="<i4").tobytes()
    assert model.read_bytes().count(size) == 2  # meanshape and meantex
    model.write_bytes(model.read_bytes().replace(size, np.array([2**30, 2**30], dtype="<i4").tobytes()))
    with pytest.raises(ValueError, match=r"meanshape announces \(1073741824, 1073741824\), and 1188 bytes of type 7"):
        deep3d.read(model)


def test_rejects_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file; expected the model of Deep3DFaceReconstruction"):
        deep3d.read(tmp_path / "model.mat")
