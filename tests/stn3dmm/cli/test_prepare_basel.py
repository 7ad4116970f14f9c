"""`stn3dmm prepare` on the Basel Face Model 2009 at its full size and in its exact layout, without its licence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stn3dmm
from stn3dmm.formats import bfm2009

from ..formats import basel_again, basel_files
from .test_cli import run

# Of the 68 landmarks, those of the lower lip's inner edge: the authors' lists contradict each other there
# (formats/test_bfm2009_landmarks.py).
LOWER_LIP = [65, 66, 67]
ROWS_OF_LIPS = slice(58, 64)  # where the lips touch, of 112


@pytest.fixture(scope="module")
def again(real_data, tmp_path_factory) -> tuple[Path, Path]:
    """Shape and expressions that model.mat was resampled from, as far as it tells."""
    return basel_again.write(tmp_path_factory.mktemp("basel"), real_data / "bas2017")


def prepare(files: tuple[Path, Path], out: Path, *options: object) -> tuple[stn3dmm.MorphableModel, dict[str, Any]]:
    """The prepared model, written and read again, and the numbers of its report."""
    text = run("prepare", files[0], "--expression", files[1], "-o", out, "--json", *options)
    return stn3dmm.load_model(out), json.loads(text)["report"]


def test_authors_model_comes_out_of_the_authors_map(again, real_data, basel, tmp_path):
    """Mean, modes and landmarks of model.mat, from the mesh's 53,490 vertices, BFM_UV.mat and the old expressions."""
    model, report = prepare(
        again, tmp_path / "a.npz", "--uv", real_data / "bas2017" / "BFM_UV.mat", "--authors-expressions"
    )
    assert (report["vertices"], report["triangles"], report["boundary_vertices"]) == (53490, 106466, 512)
    assert (report["weights"], report["symmetric"], report["holes"]) == ("imported", True, [])
    assert report["uncovered"] == report["overlaps"] == 0
    assert model.valid.all()
    assert "as Bas et al. 2017" in model.source
    lips = np.zeros(basel.grid_shape, dtype=bool)
    lips[ROWS_OF_LIPS] = True
    for ours, theirs, typical, worst in (
        (model.mean[None], basel.mean[None], 0.05, 3.0),
        (model.basis, basel.basis, 0.003, 0.5),
    ):
        distance = np.linalg.norm(ours - theirs, axis=2)  # mm
        assert np.median(distance) < typical
        assert distance[:, ~lips.ravel()].max() < worst
    for name in ("aflw21", "ibug68"):
        cells = np.stack(np.divmod(model.landmarks[name], 112)) - np.stack(np.divmod(basel.landmarks[name], 112))
        off = np.flatnonzero(np.hypot(*cells) > 1.5)
        assert off.tolist() == ([] if name == "aflw21" else LOWER_LIP)
        assert np.hypot(*cells).max() < 4


def test_expressions_are_scaled_and_have_a_mean(again, real_data, basel, tmp_path):
    uv = real_data / "bas2017" / "BFM_UV.mat"
    model, _ = prepare(again, tmp_path / "a.npz", "--uv", uv)
    old, _ = prepare(again, tmp_path / "b.npz", "--uv", uv, "--authors-expressions")
    assert model.mean - old.mean == pytest.approx(
        np.broadcast_to(basel_again.MEAN_EXPRESSION, old.mean.shape), abs=1e-3
    )
    np.testing.assert_array_equal(model.basis[:5], old.basis[:5])
    sigma = basel_files.deviations(5)[:, None, None]
    np.testing.assert_allclose(model.basis[5:], old.basis[5:] * sigma, atol=1e-4)


@pytest.mark.parametrize("size", [112, 224])
def test_embedding_of_our_own(again, tmp_path, size):
    model, report = prepare(again, tmp_path / "a.npz", "--size", size)
    assert model.grid_shape == (size, size)
    assert report["symmetric"]
    assert report["uv_symmetry_error"] <= 1e-6
    assert report["distortion"]["least_area"] >= -1e-12
    assert report["uncovered"] == report["overlaps"] == report["invalid"] == 0
    assert (model.landmarks["ibug68"] >= 0).all()
    assert model.valid.all()
    assert max(report["landmarks"]["ibug68"]) < 4.5 * 112 / size  # mm


def test_any_mesh_of_this_size_and_its_smooth_expressions(tmp_path):
    """Without real data: vertices scattered over a face, and displacements that are known all over it."""
    model, report = prepare(basel_files.write(tmp_path), tmp_path / "a.npz", "--size", "96", "--authors-expressions")
    assert report["vertices"] == bfm2009.VERTEX_COUNT
    assert report["distortion"]["least_area"] >= -1e-12
    assert model.mode_names == ("identity/1", "identity/2", "identity/3", "expression/1", "expression/2")
    expected = basel_files.displacements(2, model.mean)[1:] / basel_files.deviations(2)[:, None, None]
    distance = np.linalg.norm(model.basis[3:] - expected, axis=2) / np.linalg.norm(expected, axis=2).max()
    inside = np.hypot(*(model.mean[:, :2] - basel_files.MOUTH).T) < 6.2  # mm
    assert inside.sum() > 10
    assert distance[:, inside].max() < 0.06
    assert distance[:, ~inside].max() < 0.005
