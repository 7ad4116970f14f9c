"""Tutte embeddings: inside the square, no flips, symmetric, upright; and which meshes are refused."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stn3dmm.prepare import embed, flatten
from stn3dmm.prepare.distortion import FLIPPED, signed_areas, slope
from stn3dmm.prepare.resample import locate
from stn3dmm.prepare.topology import boundary_loops
from stn3dmm.prepare.weights import WEIGHTS

from .mesh_cases import discs, dome, jittered, lattice, lattice_mirror, symmetric_lattices, without

ROUNDING = 1e-12  # of the square; solving loses a few digits of 16


def assert_on_square(uv: np.ndarray, triangles: np.ndarray) -> None:
    used = np.unique(triangles)
    assert (uv[used] >= 0).all()
    assert (uv[used] <= 1).all()
    border = uv[np.concatenate(boundary_loops(triangles))]
    assert ((border == 0) | (border == 1)).any(axis=1).all()


@pytest.mark.parametrize("weights", ["auto", *WEIGHTS])
def test_embed_of_a_flat_square_is_the_square(weights):
    # Weights with linear precision leave a flat mesh flat; clamped ones have it where none is clamped.
    vertices, triangles = lattice(6, 7)
    inner = np.abs(vertices[:, :2]).max(axis=1) < 1
    x, y, _ = vertices.T
    bent = np.stack([x + 0.1 * inner * np.sin(3 * x) * y, y + 0.05 * inner * np.cos(4 * x), 0 * x], axis=1)
    uv = embed(bent, triangles, weights)
    np.testing.assert_allclose(uv, (bent[:, :2] + 1) / 2, atol=0.05 if weights == "clamped" else ROUNDING)


@pytest.mark.parametrize("weights", ["cotangent", "mean-value"])
def test_embed_of_an_asymmetric_flat_square_is_the_square(weights):
    square = [[-1, -1, 0], [1, -1, 0], [1, 0, 0], [1, 1, 0], [-1, 1, 0], [0.5, 0.3, 0]]
    triangles = [[0, 1, 5], [1, 2, 5], [2, 3, 5], [3, 4, 5], [4, 0, 5]]
    np.testing.assert_allclose(embed(square, triangles, weights)[5], [0.75, 0.65], atol=ROUNDING)


def test_embed_is_upright_and_not_mirrored():
    vertices, triangles = dome()
    uv = embed(vertices, triangles)
    for axis in (0, 1):
        assert np.corrcoef(uv[:, axis], vertices[:, axis])[0, 1] > 0.95
    turned = vertices[:, [1, 0, 2]] * (-1, 1, 1)  # a quarter turn: the forehead's middle is now another vertex
    uv = embed(turned, triangles)
    for axis in (0, 1):
        assert np.corrcoef(uv[:, axis], turned[:, axis])[0, 1] > 0.95


@given(discs())
def test_flatten_with_mean_value_weights_flips_nothing(mesh):
    vertices, triangles = mesh
    found = flatten(vertices, triangles, "mean-value")
    areas = signed_areas(found.uv, found.refinement.triangles)
    assert (areas > 0).all(), "after the splits, every triangle has room"
    np.testing.assert_allclose(areas.sum(), 1 if len(found.loops[0]) > 3 else 0.5)  # three vertices: three corners
    assert_on_square(found.uv, found.refinement.triangles)


@given(discs(), st.sampled_from(["auto", "mean-value", "clamped"]))
def test_embed_flips_nothing(mesh, weights):
    vertices, triangles = mesh
    uv = embed(vertices, triangles, weights)
    assert uv.shape == (len(vertices), 2)
    assert (signed_areas(uv, triangles) >= FLIPPED).all()
    assert_on_square(uv, triangles)


@given(symmetric_lattices(), st.sampled_from(["auto", "mean-value"]))
def test_symmetric_meshes_have_symmetric_maps(case, weights):
    vertices, triangles, mirror = case
    found = flatten(vertices, triangles, weights, mirror=mirror)
    assert (signed_areas(found.uv, found.refinement.triangles) >= FLIPPED).all()
    assert (signed_areas(embed(vertices, triangles, weights, mirror=mirror), triangles) >= FLIPPED).all()
    if found.mirror is None:
        assert list(found.flips)[-1].endswith("without symmetry")
    else:
        uv = found.uv[: len(vertices)]
        np.testing.assert_allclose(uv[mirror], uv * (-1, 1) + (1, 0), atol=ROUNDING)
        assert (uv[mirror == np.arange(len(mirror)), 0] == 0.5).all()


def test_symmetric_diagonals_keep_every_map_symmetric():
    for seed in range(20):
        vertices, triangles = lattice(7, 8)
        mirror = lattice_mirror(7, 8)
        noise = np.random.default_rng(seed).normal(size=vertices.shape) * (0.05, 0.05, 1.0)
        vertices = vertices + noise + noise[mirror] * (-1, 1, 1)
        triangles = np.concatenate([triangles[(vertices[triangles, 0] < 0).any(axis=1)]])
        triangles = triangles[(triangles % 8).max(axis=1) <= 4]
        strip = triangles[(triangles % 8).max(axis=1) <= 3]
        middle = np.array([[a, a + 8, a + 9, a + 1] for a in range(3, 48, 8)])
        triangles = np.concatenate([strip, mirror[strip][:, ::-1], middle[:, [0, 1, 2]], middle[:, [0, 2, 3]]])
        found = flatten(vertices, triangles, "mean-value", mirror=mirror)
        assert (signed_areas(found.uv, found.refinement.triangles) >= FLIPPED).all()


def test_the_symmetry_line_ends_in_the_middle_of_the_upper_and_lower_side():
    vertices, triangles = lattice(5, 7)
    uv = embed(vertices, triangles)
    np.testing.assert_array_equal(uv[[3, 31]], [[0.5, 1], [0.5, 0]])


def test_one_half_decides_for_both_even_where_positions_are_not_symmetric():
    vertices, triangles = jittered(dome(), 0.01, seed=1)
    found = flatten(vertices, triangles)
    assert found.mirror is not None
    uv = found.uv[: len(vertices)]
    np.testing.assert_allclose(uv[found.mirror], uv * (-1, 1) + (1, 0), atol=ROUNDING)


def test_holes_are_filled_and_remembered():
    vertices, triangles = dome()
    found = flatten(vertices, triangles)
    assert [len(loop) for loop in found.loops] == [52, 6, 6, 6]
    filled = found.refinement.filled
    areas = signed_areas(found.uv, found.refinement.triangles)
    np.testing.assert_allclose(areas.sum(), 1)
    assert 0.01 < areas[filled].sum() < 0.1
    eyes = np.sort(found.uv[len(vertices) :, 0])
    np.testing.assert_allclose(eyes + eyes[::-1], 1)
    assert eyes[1] == 0.5


def test_an_ear_is_split():
    # A triangle on top of a lattice: its three vertices all lie on the upper side, so its base is a dividing edge.
    vertices, triangles = lattice(3, 9)
    vertices = np.concatenate([vertices, [[0.125, 1.2, 0.0]]])
    triangles = np.concatenate([triangles, [[27, 4, 5]]])
    found = flatten(vertices, triangles)
    chosen = found.refinement.lift[28:].toarray()
    assert [4, 5] in [np.flatnonzero(row).tolist() for row in chosen]
    assert (signed_areas(found.uv, found.refinement.triangles) > 0).all()
    plain = embed(vertices, triangles)
    assert abs(signed_areas(plain, triangles[-1:])[0]) <= ROUNDING


def test_flips_of_cotangent_weights_are_mended():
    vertices, triangles = jittered(lattice(12, 12), 0.02, seed=4)
    vertices[:, 2] *= 60
    kept = flatten(vertices, triangles, "cotangent")
    assert kept.flips["cotangent"] > 0
    assert "mean-value weights flip none" in kept.notes[0]
    mended = flatten(vertices, triangles)
    assert mended.weights == "mean-value"
    assert list(mended.flips) == ["cotangent", "mean-value"]
    assert mended.flips["mean-value"] == 0
    assert "took their place" in mended.notes[0]


def test_embed_is_deterministic():
    vertices, triangles = dome()
    np.testing.assert_array_equal(embed(vertices, triangles), embed(vertices, triangles))


@pytest.mark.parametrize("unit", [1000, 1e200, 1e-200])
def test_embed_does_not_depend_on_the_unit(unit):
    vertices, triangles = dome()
    np.testing.assert_allclose(embed(unit * vertices, triangles), embed(vertices, triangles), atol=1e-9)


def test_vertices_without_triangles_are_nowhere():
    vertices, triangles = lattice(3, 3)
    uv = embed(np.concatenate([vertices, [[0, 0, 0]]]), triangles)
    assert np.isnan(uv[9]).all()
    assert np.isfinite(uv[:9]).all()


def test_a_single_triangle_takes_three_corners():
    uv = embed([[-1, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    assert {tuple(corner) for corner in uv.tolist()} <= {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert signed_areas(uv, np.array([[0, 1, 2]]))[0] == 0.5


def test_meshes_without_extent_still_have_a_map():
    _, triangles = lattice(4, 5)
    uv = embed(np.ones((20, 3)), triangles)
    assert (signed_areas(uv, triangles) >= FLIPPED).all()
    assert_on_square(uv, triangles)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_hundred_thousand_vertices_take_seconds(symmetric):
    vertices, triangles = lattice(317, 317)
    vertices[:, 2] = -(vertices[:, 0] ** 2)
    if not symmetric:
        vertices, triangles = jittered(without((vertices, triangles), 50_000), 1e-3, seed=0)
    start = time.process_time()
    found = flatten(vertices, triangles)
    location = locate(found.refinement.triangles, found.uv, (224, 224))
    assert time.process_time() - start < 20  # seconds
    assert (location.triangle >= 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": "uniform"}, "weights must be one of auto, cotangent, mean-value, clamped; got 'uniform'"),
        ({"mirror": np.arange(5)}, r"mirror must be \(9,\) integers, one a vertex; got \(5,\) int64"),
        ({"mirror": np.arange(9.0)}, r"got \(9,\) float64"),
        ({"mirror": np.arange(1, 10)}, r"mirror must lie in 0\.\.8; got 1\.\.9"),
        ({"mirror": np.roll(np.arange(9), 1)}, "mirror is no symmetry of the mesh: vertex 0 goes to 8.* Leave it out"),
    ],
)
def test_flatten_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        flatten(*lattice(3, 3), **arguments)


def test_embed_rejects_what_is_no_disc():
    vertices, triangles = lattice(3, 3)
    with pytest.raises(ValueError, match="expected one connected part; got 2"):
        embed(np.concatenate([vertices, vertices]), np.concatenate([triangles, triangles + 9]))
    with pytest.raises(ValueError, match="closed and has no boundary"):
        embed(np.eye(4, 3), [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])


@given(discs())
def test_u_rises_with_x(mesh):
    vertices, triangles = mesh
    uv = embed(vertices, triangles, "mean-value")
    assert slope(vertices[:, 0], uv[:, 0], vertices, triangles) >= -ROUNDING
