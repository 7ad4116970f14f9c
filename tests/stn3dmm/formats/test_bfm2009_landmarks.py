"""The landmarks of the Basel Face Model 2009 lie where the authors' lists for their grids have them, but for a lip.

Three of iBUG's points, the lower lip's inner edge (65 to 67, counted from 0), are off: the authors' lists contradict
one another there. Those for the grids name the grid vertex that is nearest in space, and where the closed lips touch
that may be one of the other lip, rows away on the grid: 65 and 66 for 112, 66 for 224. And the list for the mesh is
not symmetric: its 65 lies on the lower lip, its 67 on the upper.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import scipy.ndimage
from stn3dmm.formats import bfm2009

from . import basel_again
from .test_bas2017 import anl

# Landmarks more than a cell from their vertex's place on the grid, and how far (cells), by the set and the grid.
CELLS_OFF = {
    (21, 112): {},
    (21, 224): {},
    (68, 112): {65: 3.1, 66: 2.6, 67: 2.9},
    (68, 224): {66: 4.7, 67: 6.3},
}


def test_landmark_indices_equal_the_published_lists(real_data):
    folder = real_data / "bas2017" / "landmarks"
    assert [k + 1 for k in bfm2009.AFLW21_INDICES] == anl(folder / "Landmarks21_BFM.anl")
    assert [k + 1 for k in bfm2009.IBUG68_INDICES] == anl(folder / "Landmarks68_BFM.anl")


def test_landmarks_lie_outside_the_mouth():
    interior = bfm2009.mouth_interior()
    assert interior.sum() == bfm2009.VERTEX_COUNT - 53215
    for indices, count in ((bfm2009.AFLW21_INDICES, 21), (bfm2009.IBUG68_INDICES, 68)):
        assert len(indices) == count
        assert not interior[list(indices)].any()


def places(real_data, count: int, P: int) -> tuple[np.ndarray, np.ndarray]:
    """(2, L) each: row and column by the vertices' UV coordinates, and by the authors' list for the grid."""
    uv = basel_again.published_uv(real_data / "bas2017")
    u, v = uv[list(bfm2009.AFLW21_INDICES if count == 21 else bfm2009.IBUG68_INDICES)].T
    listed = np.array(anl(real_data / "bas2017" / "landmarks" / f"Landmarks{count}_{P}.anl")) - 1
    return np.stack([(1 - v) * (P - 1), u * (P - 1)]), np.stack(np.divmod(listed, P))


@pytest.mark.parametrize(("count", "P"), CELLS_OFF)
def test_landmarks_on_the_texture_grid(real_data, count, P):
    """Each landmark's vertex lies where the authors' list for the grid has it, but for those named above."""
    by_uv, listed = places(real_data, count, P)
    distance = np.hypot(*(by_uv - listed))
    off = {int(k): round(float(distance[k]), 1) for k in np.flatnonzero(distance > 1)}
    assert off == CELLS_OFF[count, P]
    assert np.median(distance) < 0.6


def test_touching_lips_are_what_the_lists_confuse(real_data, basel):
    """Listed for the grid is what is nearest in space: for 65 and 66 on the other lip, for 67 on the right one."""
    by_uv, listed = places(real_data, 68, 112)
    grid = basel.mean.reshape(112, 112, 3).transpose(2, 0, 1).astype(np.float64)
    vertices = np.stack([scipy.ndimage.map_coordinates(axis, by_uv, order=1) for axis in grid], axis=-1)  # mm
    far = np.linalg.norm(basel.mean[:, None] - vertices, axis=2)  # (12544, 68) mm from grid vertices
    listed_vertex, map_vertex = (place[0] * 112 + place[1] for place in (listed, np.rint(by_uv).astype(int)))
    assert (far.argmin(axis=0) == listed_vertex).sum() >= 62
    assert (far.argmin(axis=0) == map_vertex).sum() < 60
    for k in CELLS_OFF[68, 112]:
        assert far[listed_vertex[k], k] < min(2, far[map_vertex[k], k])
    assert listed[:, 65].tolist() == listed[:, 63].tolist()  # one vertex for both lips


def test_inner_lower_lip_of_the_mesh_is_not_symmetric(real_data):
    """65 and 67 are mirror images in the list for 224, but the mesh's 67 lies at the upper lip's 61."""
    by_uv, listed = places(real_data, 68, 224)
    mirrored = (listed * [[1], [-1]] + [[0], [223]])[:, 65]
    assert np.abs(listed[:, 67] - mirrored).max() <= 1
    assert np.abs(by_uv[:, 67] - by_uv[:, 61]).max() < 1
    assert by_uv[0, 65] - by_uv[0, 67] > 5
