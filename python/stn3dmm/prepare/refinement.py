"""A mesh with vertices added for the flattening: holes filled, triangles that a convex boundary collapses split."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from .topology import Floats, Indices, edges, loop_lengths
from .weights import side_lengths


@dataclasses.dataclass(frozen=True, eq=False)
class Refinement:
    """Triangles over the V vertices of a mesh and R - V more, each of these an affine combination of the V."""

    lift: Any  # (R, V) scipy.sparse array, rows sum to 1: values of the mesh's vertices -> values of all
    triangles: Indices  # (T, 3)
    filled: npt.NDArray[np.bool_]  # (T,) True for triangles over holes
    spokes: Floats  # (T,) length of the sides to the centre of a filled hole, 0 for other triangles

    @property
    def vertex_count(self) -> int:
        """R."""
        return int(self.lift.shape[0])

    def lengths(self, vertices: Floats) -> Floats:
        """The side lengths (T, 3) that the flattening preserves, from the mesh's vertices (V, 3).

        A filled hole counts as a round disc with the hole's perimeter: its surface is invented, and the lips of a
        closed mouth would otherwise span slivers.
        """
        lengths = side_lengths(self.lift @ vertices, self.triangles)
        lengths[self.filled, :2] = self.spokes[self.filled, None]
        return lengths


def unrefined(triangles: Indices, vertex_count: int) -> Refinement:
    """The mesh as it is."""
    count = len(triangles)
    lift = scipy.sparse.eye_array(vertex_count, format="csr")
    return Refinement(lift, triangles, np.zeros(count, dtype=bool), np.zeros(count))


def fill_holes(mesh: Refinement, vertices: Floats, holes: list[Indices]) -> Refinement:
    """Every hole closed by a fan of triangles around a new vertex in its middle.

    The new vertex has the mean of the loop by arc length: the value that a harmonic function, extrapolated into a
    round hole, has at its centre. New vertices follow the present ones in the order of the holes.
    """
    rows, fans, spokes = [], [], []
    for number, loop in enumerate(holes):
        length = loop_lengths(vertices, loop)
        share = length + np.roll(length, 1)
        total = share.sum()
        rows.append(scipy.sparse.coo_array((share / total, (np.zeros_like(loop), loop)), shape=(1, mesh.lift.shape[1])))
        centre = np.full_like(loop, mesh.vertex_count + number)
        # The loop runs with its triangles, the fan against it. Sides 0 and 1 lie opposite the corners on the loop.
        fans.append(np.stack([np.roll(loop, -1), loop, centre], axis=1))
        # No side may exceed both spokes; an equilateral triangle's circumradius is its side / sqrt(3).
        spokes.append(np.full(len(loop), max(total / (4 * np.pi), length.max() / np.sqrt(3))))
    if not holes:
        return mesh
    return Refinement(
        scipy.sparse.vstack([mesh.lift, *rows], format="csr"),
        np.concatenate([mesh.triangles, *fans]),
        np.concatenate([mesh.filled, np.ones(sum(map(len, fans)), dtype=bool)]),
        np.concatenate([mesh.spokes, *spokes]),
    )


def collapsed_edges(triangles: Indices, on_side: npt.NDArray[np.bool_]) -> Indices:
    """The inner edges (n, 2) whose ends lie on one side of the square, where the mesh beyond them has no room.

    Args:
        triangles: (T, 3).
        on_side: (R, 4) whether a vertex lies on the left, right, lower and upper side.
    """
    mesh = edges(triangles)
    shared = (on_side[mesh.ends[:, 0]] & on_side[mesh.ends[:, 1]]).any(axis=1)
    return np.asarray(mesh.ends[shared & (mesh.triangles == 2)], dtype=np.int64)


def split_edges(mesh: Refinement, chosen: Indices) -> Refinement:
    """Every chosen edge (n, 2) split at its midpoint, its triangles with it.

    New vertices follow the present ones in the order of the edges.
    """
    if len(chosen) == 0:
        return mesh
    graph = edges(mesh.triangles)
    stride = mesh.vertex_count
    number = np.searchsorted(graph.ends @ [stride, 1], np.sort(chosen, axis=1) @ [stride, 1])
    midpoint = np.full(len(graph.ends), -1)
    midpoint[number] = stride + np.arange(len(chosen))
    rows = (mesh.lift[chosen[:, 0]] + mesh.lift[chosen[:, 1]]) / 2
    middle = midpoint[graph.of_side]
    whole = (middle < 0).all(axis=1)
    parts = [_split(corner, new) for corner, new in zip(mesh.triangles[~whole], middle[~whole], strict=True)]
    pieces = np.array([len(part) for part in parts])
    return Refinement(
        scipy.sparse.vstack([mesh.lift, rows], format="csr"),
        np.concatenate([mesh.triangles[whole], *parts]),
        np.concatenate([mesh.filled[whole], np.repeat(mesh.filled[~whole], pieces)]),
        np.concatenate([mesh.spokes[whole], np.repeat(mesh.spokes[~whole], pieces)]),
    )


def _split(corner: Indices, middle: Indices) -> Indices:
    """The parts (2 to 4, 3) of one triangle whose sides k with ``middle[k] >= 0`` are split there."""
    count = int((middle >= 0).sum())
    # Turned so that with one split side it is the first, and with two they are the first and the second.
    turn = int(np.argmax(middle >= 0)) if count == 1 else int(np.argmin(middle) + 1) % 3 if count == 2 else 0
    a, b, c = np.roll(corner, -turn)
    m, n, o = np.roll(middle, -turn)
    if count == 1:
        return np.array([[a, m, c], [m, b, c]])
    if count == 2:
        return np.array([[m, b, n], [a, m, n], [a, n, c]])
    return np.array([[m, b, n], [n, c, o], [o, a, m], [m, n, o]])
