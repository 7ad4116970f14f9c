"""Edges, boundary loops and parts by hand; what is refused, and how."""

from __future__ import annotations

import numpy as np
import pytest
from stn3dmm.prepare import topology

from .mesh_cases import dome, lattice

SQUARE = lattice(2, 2)


def test_edges_by_hand():
    found = topology.edges(np.array([[0, 1, 2], [2, 1, 3]]))
    np.testing.assert_array_equal(found.ends, [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]])
    np.testing.assert_array_equal(found.of_side, [[0, 2, 1], [2, 3, 4]])
    np.testing.assert_array_equal(found.triangles, [1, 1, 2, 1, 1])


def test_boundary_loops_run_with_their_triangles():
    loops = topology.boundary_loops(np.array([[0, 1, 2], [2, 1, 3]]))
    assert [loop.tolist() for loop in loops] == [[0, 1, 3, 2]]


def test_boundary_loops_of_holes_are_shorter_than_the_boundary():
    vertices, triangles = dome()
    loops = topology.longest_first(vertices, topology.boundary_loops(triangles))
    assert [len(loop) for loop in loops] == [52, 6, 6, 6]


def test_components_by_hand():
    label = topology.components(np.array([[0, 1, 2], [7, 8, 9], [2, 3, 4], [9, 10, 11]]))
    np.testing.assert_array_equal(label, [0, 1, 0, 1])


def test_largest_part_is_that_with_the_largest_area():
    vertices = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], dtype=float)
    triangles = np.array([[3, 4, 5], [3, 5, 6], [0, 1, 2]])
    kept, parts = topology.largest_part(vertices, triangles)
    assert parts == 2
    np.testing.assert_array_equal(kept, [[0, 1, 2]])


def test_largest_part_refuses_to_guess():
    vertices = np.concatenate([SQUARE[0] + (5 * n, 0, 0) for n in range(3)])
    triangles = np.concatenate([SQUARE[1] + 4 * n for n in range(3)])
    with pytest.raises(ValueError, match=r"3 unconnected parts, the largest with 33% .* Keep the face alone"):
        topology.largest_part(vertices, triangles)


def test_check_disc_accepts_holes():
    assert len(topology.check_disc(dome()[1])) == 4


@pytest.mark.parametrize(
    ("triangles", "message"),
    [
        ([[0, 1, 2], [2, 1, 3], [1, 2, 4]], r"edge 1-2 has 3 triangles, .* Remove"),
        ([[0, 1, 2], [1, 2, 3]], r"edge 1-2 are wound in opposite senses .* Wind all"),
        ([[0, 1, 2], [3, 4, 5]], r"expected one connected part; got 2\. Keep"),
        ([[0, 1, 2], [0, 3, 4]], r"touch at vertex 0 .* Remove"),
        ([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], r"closed and has no boundary .* Cut it open"),
    ],
)
def test_check_disc_rejects(triangles, message):
    with pytest.raises(ValueError, match=message):
        topology.check_disc(np.array(triangles))


def test_check_disc_rejects_a_handle():
    rows, columns = 4, 5
    row, column = (index.ravel() for index in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))

    def at(r, c):
        return r % rows * columns + c % columns

    torus = np.concatenate(
        [
            np.stack([at(row, column), at(row + 1, column), at(row, column + 1)], axis=1),
            np.stack([at(row + 1, column + 1), at(row, column + 1), at(row + 1, column)], axis=1),
        ]
    )
    with pytest.raises(ValueError, match=r"a surface with 1 handles\. Remove"):
        topology.check_disc(torus[1:])


@pytest.mark.parametrize(
    ("vertices", "triangles", "error", "message"),
    [
        (np.zeros((3, 2)), [[0, 1, 2]], ValueError, r"vertices must be \(V, 3\); got \(3, 2\)"),
        (np.zeros((4, 3)), [[0, 1, 2, 3]], ValueError, r"triangles must be \(F, 3\); got \(1, 4\)\. Split"),
        (np.zeros((3, 3)), np.zeros((0, 3), dtype=int), ValueError, "at least one triangle; got none"),
        (np.zeros((3, 3)), [[1, 2, 3]], ValueError, r"0\.\.2; got 1\.\.3\. Subtract 1"),
        (np.zeros((3, 3)), [[0, 1, -1]], ValueError, r"0\.\.2; got -1\.\.1"),
        (np.full((3, 3), np.nan), [[0, 1, 2]], ValueError, "vertex 0 holds NaN or infinity"),
        (np.zeros((3, 3)), [[0, 1, 1]], ValueError, "triangle 0 names one vertex twice"),
        (np.zeros((3, 3)), [[0.0, 1.0, 2.0]], TypeError, "triangles integers; got float64 and float64"),
        (np.full((3, 3), "a"), [[0, 1, 2]], TypeError, "vertices must be real numbers"),
    ],
)
def test_checked_mesh_rejects(vertices, triangles, error, message):
    with pytest.raises(error, match=message):
        topology.checked_mesh(vertices, triangles)
