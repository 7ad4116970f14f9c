"""`stn3dmm prepare` on ICT-FaceKit and the Surrey Face Model, up to fits and GLB."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import stn3dmm
import trimesh
from scipy.spatial import cKDTree
from stn3dmm.formats.labels import read_mat
from stn3dmm.formats.sfm import read as read_sfm

from .test_cli import run


def mean_nme(model: stn3dmm.MorphableModel, folder: Path) -> float:
    """Per cent, over the AFLW2000-3D photographs of a folder."""
    errors = []
    for path in sorted(folder.glob("*.mat")):
        points = read_mat(path, "ibug68").points
        width, height = np.ptp(points, axis=0)
        fit = stn3dmm.fit_landmarks(model, points, indices="ibug68")
        errors.append(100 * float(fit.error[0]) / np.sqrt(width * height))
    assert errors
    return float(np.mean(errors))


def test_real_ict_to_fits_and_glb(real_data, tmp_path):
    result = json.loads(run("prepare", real_data / "ict", "-o", tmp_path / "ict.npz", "--json"))
    report = result["report"]
    assert report["flips"] == {"cotangent": 0}
    assert report["distortion"]["least_area"] >= -1e-12
    assert report["uv_symmetry_error"] <= 1e-6
    assert [hole["boundary_vertices"] for hole in report["holes"]] == [74, 42, 42]
    assert all(hole["grid_vertices"] > 0 for hole in report["holes"])
    model = stn3dmm.load_model(tmp_path / "ict.npz")
    assert sum(name.startswith("identity/") for name in model.mode_names) == 10
    assert (model.landmarks["ibug68"] >= 0).all()
    assert mean_nme(model, real_data / "aflw2000") <= 2.3
    run("export", tmp_path / "ict.npz", "-o", tmp_path / "ict.glb")
    mesh = trimesh.load_mesh(tmp_path / "ict.glb")
    assert 0.1 < np.ptp(mesh.vertices, axis=0).max() < 0.4  # metres
    photograph = real_data / "aflw2000" / "image00050.jpg"
    fits = json.loads(
        run("fit", photograph, "--points", "ibug68", "-m", tmp_path / "ict.npz", "-o", tmp_path, "--json")
    )
    assert fits["failures"] == []
    assert fits["faces"][0]["normalised_error"] < 0.03


def test_real_sfm(real_data, tmp_path):
    folder = real_data / "sfm"
    result = json.loads(
        run(
            "prepare", folder / "sfm_shape_3448.bin", "--expression", folder / "expression_blendshapes_3448.bin",
            "-o", tmp_path / "sfm.npz", "--size", "112x96", "--json",
        )
    )  # fmt: skip
    model = stn3dmm.load_model(tmp_path / "sfm.npz")
    assert model.grid_shape == (112, 96)
    assert model.mode_count == 36
    assert (model.landmarks["ibug68"] >= 0).sum() == 50
    assert result["report"]["flips"] == {"cotangent": 0}
    assert [hole["boundary_vertices"] for hole in result["report"]["holes"]] == [48]
    assert 0 < result["report"]["invalid"] < 300
    # The resampled face is the mesh's: every grid vertex on it is as near to a vertex as its triangles are long.
    mesh = read_sfm(folder / "sfm_shape_3448.bin")
    assert cKDTree(mesh.mean).query(model.mean[model.valid])[0].max() < 6
    assert mean_nme(model, real_data / "aflw2000") <= 2.3
