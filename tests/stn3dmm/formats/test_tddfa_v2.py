"""The model of 3DDFA_V2: its exact layout, and every kind of damage."""

from __future__ import annotations

import os
import pickle
import re
import zlib

import numpy as np
import pytest
from stn3dmm.formats import read_mesh, tddfa_v2
from stn3dmm.formats.mesh_landmarks import aflw21_of_ibug68

from .model_files import (
    V,
    expression_modes,
    face,
    identity_modes,
    landmarks,
    tddfa_v2_content,
    triangle_pickle,
    triangles,
)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "bfm_noneck_v3.pkl"
    path.write_bytes(pickle.dumps(tddfa_v2_content(), protocol=3))
    (tmp_path / "tri.pkl").write_bytes(triangle_pickle())
    return path


def test_by_hand(model):
    mesh = read_mesh(model)
    assert mesh.mean == pytest.approx(face(), rel=1e-6)
    # 575.4211 m is the deviation of the first identity coefficient, micrometres times an orthonormal basis.
    assert mesh.basis[0] == pytest.approx(575421.1 * 1e-3 * identity_modes()[0] / 1000, rel=1e-5)
    assert mesh.basis[3] == pytest.approx(255163.1 * 1e-3 * identity_modes()[3] / 1000, rel=1e-5)
    assert mesh.basis[4] == pytest.approx(1.587083 * expression_modes()[0], rel=1e-5)
    assert mesh.mode_names[4] == "expression/1"
    assert sorted(map(sorted, mesh.triangles.tolist())) == sorted(map(sorted, triangles().tolist()))
    corners = face()[mesh.triangles]
    assert (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0).all()
    assert mesh.landmarks["ibug68"].tolist() == landmarks().tolist()
    assert mesh.landmarks["aflw21"].tolist() == aflw21_of_ibug68(landmarks()).tolist()


def test_keeps_the_modes_whose_deviations_are_published(model):
    content = tddfa_v2_content()
    wide = {name: np.tile(content[name], (1, 30)) for name in ("w_shp", "w_exp")}
    model.write_bytes(pickle.dumps(content | wide))
    names = read_mesh(model).mode_names
    assert names == (*(f"identity/{k}" for k in range(1, 41)), *(f"expression/{k}" for k in range(1, 11)))


def test_published_deviations():
    for deviations, count in ((tddfa_v2.IDENTITY_DEVIATIONS, 40), (tddfa_v2.EXPRESSION_DEVIATIONS, 10)):
        assert len(deviations) == count
        assert min(deviations) > 0
    # A slip of a digit, or two numbers that change places, changes the checksum.
    digits = " ".join(f"{value:.7g}" for value in (*tddfa_v2.IDENTITY_DEVIATIONS, *tddfa_v2.EXPRESSION_DEVIATIONS))
    assert zlib.crc32(digits.encode()) == 1366382125


def test_triangles_must_lie_beside(model):
    (model.parent / "tri.pkl").unlink()
    with pytest.raises(FileNotFoundError, match=r"tri\.pkl: no such file; expected the triangles .*beside the model"):
        read_mesh(model)
    with pytest.raises(FileNotFoundError, match="no such file; expected the model of 3DDFA_V2"):
        tddfa_v2.read(model.parent / "other.pkl")


FAULTS = {
    "no_keypoints": (lambda c: {"keypoints": None}, "lacks the array 'keypoints'"),
    "list": (lambda c: {"u": c["u"].tolist()}, "expected an array; got list"),
    "objects": (lambda c: {"u": c["u"].astype(object)}, "something else than real numbers"),
    "text": (lambda c: {"u": np.array("text")}, "something else than real numbers"),
    "complex": (lambda c: {"u": c["u"] * 1j}, "something else than real numbers"),
    "empty": (lambda c: {"u": np.zeros((0, 1))}, "u must hold real numbers|not a readable pickle"),
    "square": (lambda c: {"u": np.zeros((4, 4))}, "u must hold x, y, z"),
    "nan": (lambda c: {"u": c["u"] * np.nan}, "u holds NaN or infinity"),
    "nan_mode": (lambda c: {"w_exp": c["w_exp"] * np.nan}, "w_exp holds NaN or infinity"),
    "vector_basis": (lambda c: {"w_shp": c["w_shp"][:, 0]}, r"w_shp must be \(297, K\)"),
    "number_basis": (lambda c: {"w_shp": np.array(1.0)}, r"w_shp must be \(297, K\)"),
    "short_basis": (lambda c: {"w_exp": c["w_exp"][:-3]}, r"w_exp must be \(297, K\) for 99 vertices; got \(294, 3\)"),
    "keypoints_67": (lambda c: {"keypoints": c["keypoints"][3:]}, "keypoints must be the x, y and z rows of 68"),
    "keypoints_of_vertices": (lambda c: {"keypoints": np.arange(204)[::-1]}, "keypoints must be the x, y and z rows"),
    "keypoints_past_end": (lambda c: {"keypoints": c["keypoints"] + 3 * V}, "keypoints must hold whole numbers"),
    "upside_down": (lambda c: {"u": (face() * (1, -1, 1)).reshape(-1, 1)}, "the mean face is mirrored"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_rejects(model, name):
    change, message = FAULTS[name]
    content = tddfa_v2_content()
    faulty = {key: value for key, value in (content | change(content)).items() if value is not None}
    model.write_bytes(pickle.dumps(faulty))
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(model)
    assert str(caught.value).startswith(str(model))
    assert str(caught.value).count("\n") == 0
    assert sorted(entry.name for entry in model.parent.iterdir()) == [model.name, "tri.pkl"]


@pytest.mark.parametrize(
    ("triangles", "message"),
    [
        (np.zeros((4, 4), dtype=int), r"tri\.pkl must be \(F, 3\) or \(3, F\)"),
        (np.full((3, 5), V), r"tri\.pkl must hold whole numbers in 0..98"),
        (np.full((3, 5), -1), r"tri\.pkl must hold whole numbers in 0..98"),
        (np.full((3, 5), 0.5), r"tri\.pkl must hold whole numbers in 0..98"),
        ({"tri": np.zeros((3, 5))}, "expected an array; got dict"),
        (None, "expected an array; got NoneType"),
    ],
)
def test_rejects_triangles(model, triangles, message):
    (model.parent / "tri.pkl").write_bytes(pickle.dumps(triangles))
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(model)
    assert str(model.parent / "tri.pkl") in str(caught.value)


def test_rejects_truncated(model):
    for path in (model, model.parent / "tri.pkl"):
        whole = path.read_bytes()
        for part in np.linspace(0, len(whole) - 1, 40).astype(int):
            path.write_bytes(whole[:part])
            with pytest.raises(ValueError, match=re.escape(str(path))):
                tddfa_v2.read(model)
        path.write_bytes(whole)


def test_executes_nothing(model, monkeypatch):
    """Code in the model, and in the triangles beside it."""

    class Hostile:
        def __reduce__(self):
            return os.system, ("touch proof",)

    monkeypatch.chdir(model.parent)
    for path, content in ((model, tddfa_v2_content() | {"tri": Hostile()}), (model.parent / "tri.pkl", Hostile())):
        whole = path.read_bytes()
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match=r"it wants to load posix\.system"):
            read_mesh(model)
        path.write_bytes(whole)
    assert not (model.parent / "proof").exists()
