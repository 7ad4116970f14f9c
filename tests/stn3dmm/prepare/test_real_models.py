"""ICT-FaceKit and the Surrey Face Model, flattened and resampled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stn3dmm.formats import read_mesh
from stn3dmm.morphable_mesh import MorphableMesh
from stn3dmm.prepare import embed, prepare_model
from stn3dmm.prepare.distortion import FLIPPED, signed_areas
from stn3dmm.prepare.weights import WEIGHTS

HOLES = {"ict": [74, 42, 42], "sfm": [48]}
MODES = {"ict": (10, 10), "sfm": (63, 6)}  # identity and expression modes at hand
KINDS = ("identity/", "expression/")
LANDMARKS = {"ict": 68, "sfm": 50}
OPENINGS = (slice(36, 42), slice(42, 48), slice(60, 68))  # eyes and mouth, of iBUG's landmarks


@pytest.fixture(scope="module", params=["ict", "sfm"])
def mesh(request: pytest.FixtureRequest, real_data: Path) -> MorphableMesh:
    if request.param == "ict":
        return read_mesh(real_data / "ict")
    folder = real_data / "sfm"
    return read_mesh(folder / "sfm_shape_3448.bin", expression=folder / "expression_blendshapes_3448.bin")


def name(mesh: MorphableMesh) -> str:
    return "ict" if mesh.vertex_count > 9000 else "sfm"


@pytest.mark.parametrize("weights", ["auto", *WEIGHTS])
def test_real_meshes_are_flattened_without_flips_and_symmetric(mesh, weights):
    uv = embed(mesh.mean, mesh.triangles, weights)
    assert (signed_areas(uv, mesh.triangles) >= FLIPPED).all()
    assert ((uv >= 0) & (uv <= 1)).all()
    images = {tuple(place) for place in np.round(uv * (-1, 1) + (1, 0), 9).tolist()}
    assert images == {tuple(place) for place in np.round(uv, 9).tolist()}


@pytest.mark.parametrize("size", [112, 224])
def test_real_models_on_the_grid(mesh, size):
    model, report = prepare_model(mesh, (size, size))
    assert report.symmetric
    assert report.uv_symmetry_error <= 1e-12
    assert report.weights == "cotangent"
    assert report.distortion.least_area > 0
    assert model.mode_names == mesh.mode_names
    assert tuple(sum(mode.startswith(kind) for mode in model.mode_names) for kind in KINDS) == MODES[name(mesh)]
    assert report.uncovered == report.overlaps == 0
    assert [hole.boundary_vertices for hole in report.holes] == HOLES[name(mesh)]
    assert all(hole.grid_vertices >= 10 for hole in report.holes)
    assert sum(hole.grid_vertices for hole in report.holes) == report.invalid == (~model.valid).sum()
    grid, valid = model.mean.reshape(size, size, 3), model.valid.reshape(size, size)
    np.testing.assert_array_equal(valid, valid[:, ::-1])
    # ICT's own vertices differ from their mirror images by up to 0.05 mm, SFM's by 2.3 mm.
    assert report.shape_symmetry_error < {"ict": 0.06, "sfm": 2.3}[name(mesh)]
    assert grid[0, size // 2, 1] > grid[-1, size // 2, 1] + 150
    assert grid[size // 2, 0, 0] < -60
    assert grid[size // 2, -1, 0] > 60
    nose = np.unravel_index(grid[..., 2].argmax(), (size, size))
    assert abs(nose[1] - (size - 1) / 2) <= 1


def test_real_openings_are_not_valid(real_data):
    """The vertices that are not valid lie in the mouth and in the eyes, and in each of them."""
    model, _ = prepare_model(read_mesh(real_data / "ict").with_modes(0, 0), (224, 224))
    middles = [model.mean[model.landmarks["ibug68"][opening], :2].mean(axis=0) for opening in OPENINGS]
    distance = np.linalg.norm(model.mean[~model.valid, None, :2] - middles, axis=2)
    assert np.bincount(distance.argmin(axis=1), minlength=3).min() >= 20
    assert distance.min(axis=1).max() < 30  # mm; the mouth is 53 mm wide


def test_real_landmarks_stay_close(mesh):
    model, report = prepare_model(mesh, (224, 224))
    known = mesh.landmarks["ibug68"] >= 0
    assert known.sum() == LANDMARKS[name(mesh)]
    np.testing.assert_array_equal(model.landmarks["ibug68"] >= 0, known)
    assert np.nanmax(report.landmarks["ibug68"]) < 3
    assert np.nanmedian(report.landmarks["ibug68"]) < 1
    assert model.valid[model.landmarks["ibug68"][known]].all()


def test_their_own_texture_coordinates_work_too(mesh):
    assert mesh.uv is not None
    model, report = prepare_model(mesh, uv=mesh.uv)
    assert report.weights == "imported"
    assert report.symmetric
    assert report.flips == {"imported": 0}
    assert 0 < report.uncovered < 0.3 * model.vertex_count
    assert (~model.valid).sum() == report.invalid >= report.uncovered
