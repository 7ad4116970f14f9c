"""Symmetry maps: found where there are any, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from stn3dmm.prepare import symmetry, topology

from .mesh_cases import dome, jittered, lattice, lattice_mirror, symmetric_lattices


@pytest.mark.parametrize("columns", [6, 7])
@pytest.mark.parametrize("mirrored", [True, False])
def test_find_mirror_of_a_lattice(columns, mirrored):
    vertices, triangles = lattice(5, columns, mirrored)
    np.testing.assert_array_equal(symmetry.find_mirror(vertices, triangles), lattice_mirror(5, columns))


def test_find_mirror_needs_no_centred_mesh():
    vertices, triangles = lattice(5, 7)
    np.testing.assert_array_equal(
        symmetry.find_mirror(vertices + np.array([40.0, 0, 0]), triangles), lattice_mirror(5, 7)
    )


def test_find_mirror_bears_asymmetric_positions():
    vertices, triangles = jittered(lattice(9, 11), 0.03, seed=3)
    np.testing.assert_array_equal(symmetry.find_mirror(vertices, triangles), lattice_mirror(9, 11))


def test_find_mirror_bears_positions_that_lie_nearer_to_others():
    """A fine mesh swayed by more than its spacing: the boundary and the triangles tell what nearness does not."""
    rows, columns = 25, 31
    vertices, triangles = lattice(rows, columns)
    spacing = 2 / (columns - 1)
    vertices[:, 0] += 0.6 * spacing * np.sin(3 * vertices[:, 1]) * (1 - vertices[:, 0] ** 2) + 0.4 * spacing
    vertices[:, 2] = 1 - 0.6 * vertices[:, 0] ** 2
    mirror = lattice_mirror(rows, columns)
    assert (symmetry._reflection(vertices)[1] != mirror).mean() > 0.3
    np.testing.assert_array_equal(symmetry.find_mirror(vertices, triangles), mirror)
    other = triangles.copy()
    cell = 2 * (12 * (columns - 1) + 3)  # its other diagonal, which no cell of the right half has
    a, b, d = other[cell]
    c = other[cell + 1, 1]
    other[cell : cell + 2] = [[a, b, c], [a, c, d]]
    assert symmetry.find_mirror(vertices, other) is None


def test_find_mirror_tells_touching_lips_apart():
    # Two strips, one above the other, that nearly touch in the middle; the lips are uneven by more than their gap.
    rows, columns = 6, 9
    vertices, triangles = lattice(rows, columns)
    row = np.arange(rows * columns) // columns
    slit = (triangles // columns == 2).any(axis=1) & (triangles // columns == 3).any(axis=1)
    slit &= (triangles % columns).min(axis=1) >= 2
    slit &= (triangles % columns).max(axis=1) <= columns - 3
    rng = np.random.default_rng(0)
    lips = np.isin(row, [2, 3]) & (np.arange(rows * columns) % columns > 2)
    lips &= np.arange(rows * columns) % columns < columns - 3
    vertices[lips, 1] = np.where(row[lips] == 2, 0.001, -0.001) + 0.01 * rng.normal(size=lips.sum())
    found = symmetry.find_mirror(vertices, triangles[~slit])
    np.testing.assert_array_equal(found, lattice_mirror(rows, columns))


def test_find_mirror_of_vertices_without_triangles_is_themselves():
    vertices, triangles = lattice(3, 4)
    found = symmetry.find_mirror(np.concatenate([vertices, [[9, 9, 9]]]), triangles)
    np.testing.assert_array_equal(found, [*lattice_mirror(3, 4), 12])


def test_find_mirror_finds_none_in_an_asymmetric_mesh():
    vertices, triangles = lattice(5, 7)
    assert symmetry.find_mirror(vertices, triangles[1:]) is None
    assert symmetry.find_mirror(*jittered((vertices, triangles), 1.0, seed=0)) is None


@given(symmetric_lattices())
def test_found_mirror_is_a_symmetry(case):
    vertices, triangles, mirror = case
    assert symmetry.mirror_defect(triangles, mirror) is None
    found = symmetry.find_mirror(vertices, triangles)
    assert found is None or symmetry.mirror_defect(triangles, found) is None


def test_mirror_defect_by_hand():
    _, triangles = lattice(3, 3)
    mirror = lattice_mirror(3, 3)
    assert symmetry.mirror_defect(triangles, mirror) is None
    assert symmetry.mirror_defect(triangles, np.roll(mirror, 1)) == "vertex 0 goes to 6, which goes to 3"
    assert "no such edge" in symmetry.mirror_defect(triangles, np.array([4, 1, 2, 3, 0, 5, 6, 7, 8]))
    lone = np.append(mirror, 9)
    lone[[4, 9]] = 9, 4
    assert symmetry.mirror_defect(triangles, lone) == "vertex 4 goes to a vertex of no triangle"


def test_mean_of_halves_is_symmetric():
    vertices, _ = jittered(lattice(4, 5), 0.1, seed=0)
    mirror = lattice_mirror(4, 5)
    found = symmetry.mean_of_halves(vertices, mirror)
    middle = np.median(found[:, 0] + found[mirror, 0])
    np.testing.assert_allclose(found[mirror] * (-1, 1, 1) + (middle, 0, 0), found, atol=1e-15)
    np.testing.assert_allclose(found[:, 1:], (vertices + vertices[mirror])[:, 1:] / 2)


def test_symmetrised_takes_the_right_half():
    vertices, triangles = lattice(4, 5, mirrored=False)
    mirror = lattice_mirror(4, 5)
    changed = symmetry.symmetrised(vertices, triangles, mirror)
    kept = {tuple(sorted(triangle)) for triangle in changed.tolist()}
    assert kept == {tuple(sorted(triangle)) for triangle in mirror[changed].tolist()}
    right = (vertices[triangles, 0] >= 0).all(axis=1)
    np.testing.assert_array_equal(changed[right], triangles[right])
    topology.check_disc(changed)


def test_symmetrised_leaves_a_symmetric_mesh_alone():
    vertices, triangles = dome()
    mirror = symmetry.find_mirror(vertices, triangles)
    np.testing.assert_array_equal(symmetry.symmetrised(vertices, triangles, mirror), triangles)


def test_symmetrised_gives_up_on_a_straddling_cell():
    vertices, triangles = lattice(3, 4, mirrored=False)
    np.testing.assert_array_equal(symmetry.symmetrised(vertices, triangles, lattice_mirror(3, 4)), triangles)
