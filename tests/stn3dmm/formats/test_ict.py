"""ICT-FaceKit: a folder written by hand, the real one, and every kind of damage."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from scipy.spatial import cKDTree
from stn3dmm.formats import ict, read_mesh

from .mesh_files import ict_folder, ict_vertices


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return ict_folder(tmp_path_factory.mktemp("FaceXModel"))


@pytest.fixture
def folder(written, tmp_path):
    """A copy to damage."""
    return shutil.copytree(written, tmp_path / "FaceXModel")


def test_by_hand(written):
    mesh = read_mesh(written)
    assert (mesh.vertex_count, len(mesh.triangles)) == (9409, 2 * (6560 + 2560) + 110)
    assert mesh.mean == pytest.approx(10 * ict_vertices()[:9409], rel=1e-6)  # centimetres in the file
    # Identities by number; expressions of vertex_indices.json that are there, the largest first.
    assert mesh.mode_names == ("identity/000", "identity/001", "expression/jawOpen", "expression/mouthSmile_L")
    for mode, move in zip(mesh.basis, ((1, 0, 0), (0, 2, 0), (0, -15, 0), (5, 0, 0)), strict=True):
        assert mode == pytest.approx(np.broadcast_to(move, mode.shape), abs=1e-4)
    assert mesh.landmarks["ibug68"][[5, 8, 30]].tolist() == [9000, 5660, 0]
    assert mesh.landmarks["aflw21"][20] == 5660
    assert mesh.licence.startswith("MIT")


def test_narrow_face(written):
    mesh = read_mesh(written, part="narrow")
    assert (mesh.vertex_count, len(mesh.triangles)) == (6706, 2 * 6560)
    assert mesh.triangles.max() < 6706
    assert mesh.landmarks["ibug68"][5] == -1  # beyond the narrow face
    assert mesh.basis.shape == (4, 6706, 3)


def test_the_repository_is_recognised_too(written, tmp_path):
    (tmp_path / "FaceXModel").symlink_to(written)
    assert read_mesh(tmp_path).vertex_count == 9409


def test_real_model(real_data):
    mesh = read_mesh(real_data / "ict")
    assert (mesh.vertex_count, mesh.mode_count) == (9409, 20)
    assert mesh.mode_names[:10] == tuple(f"identity/{k:03d}" for k in range(10))
    assert mesh.mode_names[10] == "expression/jawOpen"
    assert mesh.mode_names[13:15] == ("expression/mouthSmile_L", "expression/mouthSmile_R")
    assert 170 < np.ptp(mesh.mean[:, 0]) < 190  # mm, with the ears
    # The first vertex of the neutral face, and how far the first identity and jawOpen move it.
    lines = {
        name: (real_data / "ict" / f"{name}.obj").read_text().split("\nv ")[1].split()[:3]
        for name in ("generic_neutral_mesh", "identity000", "jawOpen")
    }
    neutral, identity, jaw = (np.array(lines[name], dtype=float) for name in lines)
    assert mesh.mean[0] == pytest.approx(10 * neutral, rel=1e-6)
    assert mesh.basis[0, 0] == pytest.approx(10 * (identity - neutral), abs=1e-5)
    k = mesh.mode_names.index("expression/jawOpen")
    assert mesh.basis[k, 0] == pytest.approx(5 * (jaw - neutral), abs=1e-5)


def test_real_conventions(real_data):
    """x right, y up, z forward; counter-clockwise; split the same on both sides of the face."""
    mesh = read_mesh(real_data / "ict", part="narrow")
    points = mesh.mean[mesh.landmarks["ibug68"]]
    assert (mesh.landmarks["ibug68"] >= 0).all()
    assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
    assert points[8, 1] < points[57, 1] < points[33, 1] < points[27, 1]
    assert points[30, 2] > points[[8, 36, 45], 2].max()
    a, b, c = (mesh.mean[mesh.triangles[:, k]].astype(np.float64) for k in range(3))
    assert np.cross(b - a, c - a)[:, 2].sum() > 0
    assert mesh.uv is not None
    assert np.corrcoef(mesh.uv[:, 0], mesh.mean[:, 0])[0, 1] > 0.9
    assert np.corrcoef(mesh.uv[:, 1], mesh.mean[:, 1])[0, 1] > 0.9
    distance, mirror = cKDTree(mesh.mean).query(mesh.mean * (-1, 1, 1))
    assert distance.max() < 0.1  # mm
    assert {frozenset(mirror[t].tolist()) for t in mesh.triangles} == {frozenset(t.tolist()) for t in mesh.triangles}


def test_rejects_an_unknown_part(written):
    with pytest.raises(ValueError, match=r"part \(--part\) must be 'full' or 'narrow'; got 'head'"):
        read_mesh(written, part="head")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("generic_neutral_mesh.obj", "", "at least 9409 vertices and 9230 polygons; got 0 and 0"),
        ("generic_neutral_mesh.obj", "v 1 2 3\n" * 9409 + "f 1 2 3\n" * 9229, "got 9409 and 9229"),
        ("generic_neutral_mesh.obj", "v 1 2 3\n" * 9410 + "f 1 2 9410\n" * 9230, "must lie on the first 9409"),
        ("generic_neutral_mesh.obj", "v 1 2\n", "line 1: expected v and 3 numbers; got 'v 1 2'"),
        ("jawOpen.obj", "v 1 2 3\n", r"jawOpen\.obj: expected 9421 vertices as in generic_neutral_mesh\.obj; got 1"),
        ("jawOpen.obj", "v 1 nan 3\n" * 9421, r"jawOpen\.obj: a vertex is NaN or infinite"),
        ("jawOpen.obj", "v 1 x 3\n", "line 1: expected v and 3 numbers"),
        ("vertex_indices.json", "{", "not readable JSON"),
        ("vertex_indices.json", "[" * 100_000, "not readable JSON"),
        ("vertex_indices.json", "[1, 2]", "expected a JSON object; got list"),
        ("vertex_indices.json", "{}", "'expressions' must be a list of names"),
        ("vertex_indices.json", '{"expressions": [3]}', "'expressions' must be a list of names"),
        ("vertex_indices.json", '{"expressions": []}', "'idx_to_landmark_verts' must be 68 vertex indices"),
    ],
)
def test_rejects(folder, name, content, message):
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(folder)
    assert str(folder / name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [-1, 9421, True, 1.5, "7"])
def test_rejects_landmarks(folder, wrong):
    (folder / "vertex_indices.json").write_text(
        json.dumps({"expressions": [], "idx_to_landmark_verts": [0] * 67 + [wrong]})
    )
    with pytest.raises(ValueError, match="idx_to_landmark_verts"):
        read_mesh(folder)


def test_names_in_the_file_lead_nowhere_else(folder, tmp_path):
    """The names of expressions choose among the files of the folder and are no paths."""
    shutil.copy(folder / "jawOpen.obj", tmp_path / "outside.obj")
    content = json.loads((folder / "vertex_indices.json").read_text())
    content["expressions"] = ["../outside", "jawOpen"]
    (folder / "vertex_indices.json").write_text(json.dumps(content))
    assert read_mesh(folder).mode_names[2:] == ("expression/jawOpen",)


def test_missing_files(folder):
    (folder / "generic_neutral_mesh.obj").unlink()
    with pytest.raises(FileNotFoundError, match="no such file"):
        ict.read(folder)
