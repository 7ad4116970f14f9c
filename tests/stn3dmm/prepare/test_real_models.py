"""ICT-FaceKit and the Surrey Face Model, flattened and resampled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from stn3dmm.formats import read_mesh
from stn3dmm.morphable_mesh import MorphableMesh
from stn3dmm.prepare import embed, prepare_model
from stn3dmm.prepare.distortion import FLIPPED, signed_areas
from stn3dmm.prepare.weights import WEIGHTS

HOLES = {"ict": [74, 42, 42], "sfm": [48]}


@pytest.fixture(scope="module", params=["ict", "sfm"])
def mesh(request: pytest.FixtureRequest, real_data: Path) -> MorphableMesh:
    return read_mesh(real_data / {"ict": "ict", "sfm": "sfm/sfm_shape_3448.bin"}[request.param])


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
    assert report.uncovered == report.overlaps == 0
    assert [hole.boundary_vertices for hole in report.holes] == HOLES[name(mesh)]
    assert all(hole.grid_vertices >= 10 for hole in report.holes)
    grid, valid = model.mean.reshape(size, size, 3), model.valid.reshape(size, size)
    np.testing.assert_array_equal(valid, valid[:, ::-1])
    # ICT's own vertices differ from their mirror images by up to 0.05 mm, SFM's by 2.3 mm.
    assert report.shape_symmetry_error < {"ict": 0.06, "sfm": 2.3}[name(mesh)]
    assert grid[0, size // 2, 1] > grid[-1, size // 2, 1] + 150
    assert grid[size // 2, 0, 0] < -60
    assert grid[size // 2, -1, 0] > 60
    nose = np.unravel_index(grid[..., 2].argmax(), (size, size))
    assert abs(nose[1] - (size - 1) / 2) <= 1


def test_real_landmarks_stay_close(mesh):
    model, report = prepare_model(mesh, (224, 224))
    known = mesh.landmarks["ibug68"] >= 0
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


@pytest.mark.parametrize("size", [112, 224])
def test_the_grid_lies_in_uv_as_the_authors_have_it(real_data, size):
    folder = real_data / "bas2017"
    uv = scipy.io.loadmat(folder / "BFM_UV.mat")["UV"]

    def indices(name: str) -> np.ndarray:
        lines = (line.split("%")[0].strip() for line in (folder / "landmarks" / name).read_text().splitlines())
        return np.array([int(line) for line in lines if line]) - 1

    for landmarks in ("Landmarks21", "Landmarks68"):
        u, v = uv[indices(f"{landmarks}_BFM.anl")].T
        row, column = np.divmod(indices(f"{landmarks}_{size}.anl"), size)
        distance = np.maximum(np.abs(u * (size - 1) - column), np.abs((1 - v) * (size - 1) - row))
        # All but the lower inner lip, which their lists for the grids put elsewhere than that for the mesh.
        assert np.median(distance) <= 0.5
        assert (distance <= 1).mean() > 0.9
