"""Holes filled and edges split: by hand, and what stays true of the mesh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from stn3dmm.prepare import refinement, topology

from .mesh_cases import discs, dome, lattice


def areas(mesh: refinement.Refinement, vertices: np.ndarray) -> float:
    return float(topology.triangle_areas(mesh.lift @ vertices, mesh.triangles).sum())


def filled_dome() -> tuple[np.ndarray, list[np.ndarray], refinement.Refinement]:
    vertices, triangles = dome()
    loops = topology.longest_first(vertices, topology.check_disc(triangles))
    plain = refinement.unrefined(triangles, len(vertices))
    return vertices, loops, refinement.fill_holes(plain, vertices, loops[1:])


def test_fill_holes_leaves_the_boundary_alone():
    vertices, loops, mesh = filled_dome()
    remaining = topology.check_disc(mesh.triangles)
    assert [loop.tolist() for loop in remaining] == [loops[0].tolist()]
    assert mesh.vertex_count == len(vertices) + 3
    assert mesh.filled.sum() == sum(len(loop) for loop in loops[1:])


def test_fill_holes_puts_the_middle_at_the_mean_by_arc_length():
    # The frame of a square of side 2 with a vertex more on one side: the middle stays the square's.
    outer = np.array([[-3, -3, 0], [3, -3, 0], [3, 3, 0], [-3, 3, 0]], dtype=float)
    inner = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [0, 1, 0], [-1, 1, 0]], dtype=float)
    vertices = np.concatenate([outer, inner])
    triangles = np.array(
        [[0, 1, 4], [1, 5, 4], [1, 2, 5], [2, 6, 5], [2, 7, 6], [2, 3, 7], [3, 8, 7], [3, 0, 8], [0, 4, 8]]
    )
    loops = topology.longest_first(vertices, topology.check_disc(triangles))
    mesh = refinement.fill_holes(refinement.unrefined(triangles, 9), vertices, loops[1:])
    np.testing.assert_allclose((mesh.lift @ vertices)[9], [0, 0, 0], atol=1e-15)
    lengths = mesh.lengths(vertices)[mesh.filled]
    np.testing.assert_allclose(lengths[:, :2], 8 / (2 * np.pi))
    np.testing.assert_allclose(np.sort(lengths[:, 2]), [1, 1, 2, 2, 2])


def test_collapsed_edges_are_inner_edges_of_one_side():
    vertices, triangles = lattice(3, 3, mirrored=False)
    on_side = np.stack([vertices[:, 0] == -1, vertices[:, 0] == 1, vertices[:, 1] == -1, vertices[:, 1] == 1], axis=1)
    assert len(refinement.collapsed_edges(triangles, on_side)) == 0
    on_side[:, 0] |= np.arange(9) == 1  # as if the corner 0 were cut off: the edge 1-3 divides it from the rest
    np.testing.assert_array_equal(refinement.collapsed_edges(triangles, on_side), [[1, 3]])


@pytest.mark.parametrize("chosen", [[[1, 2]], [[0, 1], [1, 2]], [[0, 1], [0, 2], [1, 2]], [[0, 1], [1, 2], [2, 3]]])
def test_split_edges_keeps_surface_and_winding(chosen):
    vertices, triangles = (
        np.array([[0, 0, 0], [4, 0, 1], [0, 4, 2], [4, 4, 0]], dtype=float),
        np.array([[0, 1, 2], [2, 1, 3]]),
    )
    plain = refinement.unrefined(triangles, 4)
    mesh = refinement.split_edges(plain, np.array(chosen))
    lifted = mesh.lift @ vertices
    np.testing.assert_allclose(lifted[4:], [(vertices[a] + vertices[b]) / 2 for a, b in chosen])
    sides = sum(sum(set(edge) <= set(triangle) for edge in chosen) for triangle in triangles.tolist())
    assert len(mesh.triangles) == 2 + sides
    np.testing.assert_allclose(areas(mesh, vertices), areas(plain, vertices))
    a, b, c = (lifted[mesh.triangles[:, k], :2] for k in range(3))
    assert (np.linalg.det(np.stack([b - a, c - a], axis=1)) > 0).all()
    topology.check_disc(mesh.triangles)


@given(discs())
def test_split_edges_of_any_disc_leaves_a_disc(mesh):
    vertices, triangles = mesh
    graph = topology.edges(triangles)
    rng = np.random.default_rng(0)
    chosen = graph.ends[rng.random(len(graph.ends)) < 0.5]
    plain = refinement.unrefined(triangles, len(vertices))
    split = refinement.split_edges(plain, chosen)
    assert len(topology.check_disc(split.triangles)) == 1
    np.testing.assert_allclose(areas(split, vertices), areas(plain, vertices))
    np.testing.assert_allclose(split.lift.sum(axis=1), 1)
