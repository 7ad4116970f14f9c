"""The whole of preparing a model: symmetric, upright, holes marked, landmarks moved, all of it reported."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh
from stn3dmm.formats import read_mesh
from stn3dmm.prepare import prepare_model
from stn3dmm.prepare.landmarks import nearest_grid_vertices
from stn3dmm.prepare.symmetry import find_mirror
from stn3dmm.prepare.uv_embedding import flatten

from .mesh_cases import Mesh, dome, head, jittered, lattice, morphable

SHAPES = [(16, 16), (17, 15), (24, 31)]


def dome_mirror() -> np.ndarray:
    found = find_mirror(*dome())
    assert found is not None
    return found


def flip(grid: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return grid.reshape(*shape, -1)[:, ::-1].reshape(len(grid), -1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [15, 14])
def test_model_of_a_symmetric_mesh_is_symmetric(shape, rows):
    model, report = prepare_model(morphable(dome(rows)), shape)
    np.testing.assert_allclose(flip(model.mean, shape) * (-1, 1, 1), model.mean, atol=1e-5)
    np.testing.assert_array_equal(flip(model.valid, shape)[:, 0], model.valid)
    for mode in model.basis:
        np.testing.assert_allclose(flip(mode, shape) * (-1, 1, 1), mode, atol=1e-5)
    assert report.symmetric
    assert report.uv_symmetry_error <= 1e-12
    assert report.shape_symmetry_error <= 1e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_columns_take_their_values_at_mirrored_vertices(shape):
    # Even where positions are not symmetric, the right columns of the mirrored model are the left ones of the model.
    mesh = morphable(jittered(dome(), 0.01, seed=2))
    model, report = prepare_model(mesh, shape)
    assert report.symmetric
    assert report.shape_symmetry_error > 0.1
    mirrored = morphable((mesh.mean[dome_mirror()] / 100 * (-1, 1, 1), mesh.triangles))
    other, _ = prepare_model(mirrored, shape)
    np.testing.assert_allclose(flip(other.mean, shape) * (-1, 1, 1), model.mean, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_model_is_upright_not_mirrored_and_smooth(shape):
    model, _ = prepare_model(morphable(dome()), shape)
    grid = model.mean.reshape(*shape, 3)
    assert (np.diff(grid[..., 0], axis=1) > 0).all()
    assert (np.diff(grid[..., 1], axis=0) < 0).all()
    assert grid[..., 2].max() == pytest.approx(100, abs=8)
    row, column = np.unravel_index(grid[..., 2].argmax(), shape)
    assert abs(row - shape[0] / 2) < shape[0] / 5
    assert abs(column - (shape[1] - 1) / 2) <= 1


def test_a_flat_square_is_resampled_exactly():
    model, report = prepare_model(morphable(lattice(5, 7), landmarks={"own": np.array([0])}), (9, 13))
    row, column = np.divmod(np.arange(9 * 13), 13)
    expected = np.stack([column / 6 - 1, 1 - row / 4, 0 * row], axis=1) * 100
    np.testing.assert_allclose(model.mean, expected, atol=1e-5)
    np.testing.assert_allclose(model.basis[0], expected * (0.1, 0, 0), atol=1e-5)
    assert model.valid.all()
    assert report.distortion.angle == pytest.approx((1, 1, 1), abs=1e-5)
    assert report.notes == ()


def test_holes_are_not_valid():
    model, report = prepare_model(morphable(dome()), (40, 40))
    assert [hole.boundary_vertices for hole in report.holes] == [6, 6, 6]
    assert all(hole.grid_vertices > 2 for hole in report.holes)
    assert sum(hole.grid_vertices for hole in report.holes) == report.invalid == (~model.valid).sum()
    eyes = ~model.valid.reshape(40, 40)[:20]
    assert eyes[:, :20].any()
    assert eyes[:, 20:].any()
    assert not eyes[:, 18:22].any()


def test_a_hole_between_the_grid_vertices_is_told():
    _, report = prepare_model(morphable(dome()), (3, 3))
    told = [note for note in report.notes if "between the grid's vertices" in note]
    assert told == [
        "The holes with rims of 6, 6 and 6 vertices lie between the grid's vertices and are not marked; a larger grid "
        "shows them."
    ]


def test_a_surface_that_is_crowded_in_the_map_is_told():
    """A head on a narrow neck, the same at a size that makes up for it, and a face."""
    for mesh, size, crowded in ((head(0.0, -0.97), 24, True), (head(0.0, -0.97), 240, False), (dome(), 24, False)):
        _, report = prepare_model(morphable(mesh), (size, size))
        assert any("of its share of the map: cut the face out" in note for note in report.notes) == crowded


def test_missing_landmarks_are_told():
    for landmarks, told in (({}, True), ({"own": np.array([-1])}, True), ({"own": np.array([3])}, False)):
        _, report = prepare_model(morphable(dome(), landmarks=landmarks), (8, 8))
        assert any("the orientation was not checked" in note for note in report.notes) == told


def test_landmarks_go_to_near_grid_vertices():
    vertices, triangles = dome()
    used = np.array([0, 20, 40, -1, len(vertices)])
    vertices = np.concatenate([vertices, [[0, 0, 0]]])  # of no triangle: no landmark
    mesh = morphable((vertices, triangles), landmarks={"own": used})
    model, report = prepare_model(mesh, (30, 30))
    found, distance = model.landmarks["own"], report.landmarks["own"]
    assert found[0] == 0
    np.testing.assert_array_equal(found[3:], [-1, -1])
    assert np.isnan(distance[3:]).all()
    np.testing.assert_allclose(
        distance[:3], np.linalg.norm(model.mean[found[:3]] - mesh.mean[used[:3]], axis=1), atol=1e-4
    )
    assert (distance[:3] < 200 / 29).all()
    assert "Landmarks of own dropped, for they are not on the face: 1." in report.notes


def test_landmarks_far_from_the_grid_are_told():
    mesh = morphable(dome(), landmarks={"own": np.array([0, 50])})
    _, report = prepare_model(mesh, (4, 4))
    assert report.landmarks["own"][0] < 1e-3
    assert report.landmarks["own"][1] > 5
    assert "Landmarks of own more than 5 mm from the grid's vertices: 1; take a larger grid." in report.notes


def test_nearest_grid_vertices_prefers_valid_ones():
    grid = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0]], dtype=float)
    vertices, uv = np.array([[0.1, 0.2, 0.0]]), np.array([[0.1, 0.2]])
    every = np.ones(4, dtype=bool)
    chosen, distance = nearest_grid_vertices(np.array([0, -1]), vertices, uv, grid, every, (2, 2))
    np.testing.assert_array_equal(chosen, [2, -1])
    np.testing.assert_allclose(distance, [np.sqrt(0.05), np.nan])
    chosen, _ = nearest_grid_vertices(np.array([0]), vertices, uv, grid, every & (np.arange(4) != 2), (2, 2))
    np.testing.assert_array_equal(chosen, [0])
    chosen, _ = nearest_grid_vertices(np.array([0]), vertices, uv, grid, ~every, (2, 2))
    np.testing.assert_array_equal(chosen, [2])


def test_the_largest_part_is_the_face():
    vertices, triangles = dome()
    ball = 0.1 * np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]], dtype=float)
    shell = np.array([[0, 1, 3], [0, 2, 1], [0, 3, 2], [1, 2, 3]]) + len(vertices)
    mesh = morphable((np.concatenate([vertices, ball]), np.concatenate([triangles, shell])))
    model, report = prepare_model(mesh, (16, 16))
    alone, _ = prepare_model(morphable((vertices, triangles)), (16, 16))
    np.testing.assert_array_equal(model.mean, alone.mean)
    assert report.parts == 2
    assert "Of 2 unconnected parts the largest" in report.notes[0]


def test_imported_coordinates_take_the_place_of_an_embedding():
    vertices, triangles = dome()
    uv = (vertices[:, :2] + 1) / 2
    model, report = prepare_model(morphable((vertices, triangles)), (29, 25), uv=uv)
    row, column = np.divmod(np.arange(29 * 25), 25)
    np.testing.assert_allclose(model.mean[:, 0], 100 * (column / 12 - 1), atol=1e-4)
    np.testing.assert_allclose(model.mean[:, 1], 100 * (1 - row / 14), atol=1e-4)
    assert report.weights == "imported"
    assert report.symmetric
    assert report.uncovered == 0


@pytest.mark.parametrize("symmetric", [True, False])
def test_outside_an_imported_map_the_nearest_vertex_is_copied(symmetric):
    vertices, triangles = lattice(5, 7)
    uv = (vertices[:, :2] * 0.5 + 1) / 2 + (0.0 if symmetric else 0.001)
    model, report = prepare_model(morphable((vertices, triangles)), (21, 21), uv=uv)
    assert report.symmetric == symmetric
    valid = model.valid.reshape(21, 21)
    assert valid.sum() == 441 - report.uncovered == report.grid_shape[0] * 21 - report.invalid
    assert valid.sum() == (121 if symmetric else 100)
    inside = {tuple(point) for point in model.mean[model.valid].tolist()}
    assert {tuple(point) for point in model.mean[~model.valid].tolist()} <= inside
    assert any(f"leaves {report.uncovered} grid vertices uncovered" in note for note in report.notes)


def test_flipped_triangles_of_an_imported_map_give_way():
    vertices, triangles = lattice(9, 9)
    uv = (vertices[:, :2] + 1) / 2
    uv[40] += (0.2, 0.01)
    model, report = prepare_model(morphable((vertices, triangles)), (40, 40), uv=uv)
    assert report.flips["imported"] > 0
    assert report.overlaps > 0
    assert report.uncovered == 0
    again, _ = prepare_model(morphable((vertices, triangles)), (40, 40), uv=uv)
    np.testing.assert_array_equal(model.mean, again.mean)


def test_prepare_model_is_deterministic():
    one, other = (prepare_model(morphable(dome()), (20, 20))[0] for _ in range(2))
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.basis, other.basis)


def test_report_is_json():
    _, report = prepare_model(morphable(dome(), landmarks={"own": np.array([3, -1])}), (16, 16))
    plain = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert plain["landmarks"]["own"][1] is None
    assert plain["holes"][0]["boundary_vertices"] == 6
    assert plain["distortion"]["flipped"] == 0
    assert "map" not in plain
    assert report.map.uv.shape == (len(report.map.vertices), 2)


def test_progress_names_the_steps():
    steps: list[str] = []
    prepare_model(morphable(dome()), (8, 8), progress=steps.append)
    assert steps == ["flattening", "locating the grid's vertices", "resampling", "measuring"]


def test_a_map_without_symmetry_is_told():
    vertices, triangles = jittered(dome(), 0.3, seed=5)
    _, report = prepare_model(morphable((vertices, triangles)), (16, 16))
    assert not report.symmetric
    assert "not symmetric" in " ".join(report.notes)


def check_head_lies_on_its_back(mesh: Mesh, uv: np.ndarray) -> None:
    """Seen from above: the throat below, the nape on top, x to the right."""
    used = np.unique(mesh[1])
    x, y, z = mesh[0][used].T
    u, v = uv[used].T
    nose, nape = np.argmax(z), np.argmin(z)
    assert v[nose] < v[np.argmax(y)] < v[nape]
    assert abs(u[nose] - 0.5) < 0.1
    side = (abs(x) > 0.3) & (y > -0.5)
    assert (np.sign(x[side]) == np.sign(u[side] - 0.5)).all()


@pytest.mark.parametrize("front", [-0.3, -0.1, 0.0, 0.1, 0.3])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_whole_heads_are_not_mirrored_however_the_neck_is_cut(front, noise):
    mesh = jittered(head(front), noise, seed=3)
    if noise:  # one triangle less: no symmetry is left to be found
        mesh = (mesh[0], np.delete(mesh[1], 100, axis=0))
    model, report = prepare_model(morphable(mesh), (24, 24))
    assert report.symmetric == (noise == 0)
    check_head_lies_on_its_back(mesh, report.map.uv[: len(mesh[0])])
    grid = model.mean.reshape(24, 24, 3)
    assert np.argmax(grid[:, 12, 2]) > 12


@pytest.mark.parametrize("seed", range(6))
def test_a_ragged_level_cut_is_laid_out_from_throat_to_nape(seed):
    mesh = jittered(head(0.0), 0.05, seed)
    check_head_lies_on_its_back(mesh, flatten(*mesh, mirror=None).uv[: len(mesh[0])])


@pytest.mark.parametrize("front", [-0.1, 0.0, 0.1])
@pytest.mark.parametrize("step", [1, -1])
def test_heads_from_files_of_either_winding(tmp_path, front, step):
    vertices, triangles = head(front)
    trimesh.Trimesh(100 * vertices, triangles[:, ::step], process=False).export(tmp_path / "head.ply")
    _, report = prepare_model(read_mesh(tmp_path / "head.ply"), (16, 16))
    check_head_lies_on_its_back((vertices, triangles), report.map.uv[: len(vertices)])


def test_prepare_model_rejects():
    vertices, triangles = dome()
    for mesh in (dome(), head(0.0), head(0.1)):
        with pytest.raises(ValueError, match=r"wound clockwise seen from outside\. Reverse them"):
            prepare_model(morphable((mesh[0], mesh[1][:, ::-1])))
    with pytest.raises(ValueError, match="looks away from the viewer"):
        prepare_model(morphable((vertices * (-100, 100, -100), triangles)))
    with pytest.raises(ValueError, match="at least 2 rows and 2 columns; got 1 x 9"):
        prepare_model(morphable((vertices, triangles)), (1, 9))
    for uv in (5 + vertices[:, :2], 0.1 * vertices[:, :2] + 0.5):
        with pytest.raises(ValueError, match=r"covers (0|3\.\d) % of the grid; UV coordinates must fill 0\.\.1"):
            prepare_model(morphable((vertices, triangles)), uv=uv)
    with pytest.raises(ValueError, match="the face has a boundary of 3 vertices; expected at least 4"):
        prepare_model(morphable((vertices, triangles[:1])))


def test_landmarks_outside_an_imported_map_are_dropped():
    vertices, triangles = lattice(5, 7)
    uv = (vertices[:, :2] * 1.5 + 1) / 2
    mesh = morphable((np.concatenate([vertices, [[0, 0, 0]]]), triangles), landmarks={"own": np.array([0, 17, 34, 35])})
    model, report = prepare_model(mesh, (9, 9), uv=np.concatenate([uv, [[0.5, 0.5]]]))
    assert (model.landmarks["own"] >= 0).tolist() == [False, True, False, False]
    assert np.isnan(report.landmarks["own"]).tolist() == [True, False, True, True]
    assert "Landmarks of own dropped, for they lie outside the map: 2." in report.notes
    assert "Landmarks of own dropped, for they are not on the face: 1." in report.notes
