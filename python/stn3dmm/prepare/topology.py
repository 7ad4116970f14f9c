"""Triangle meshes as graphs: edges, boundary loops, connected parts, and the check that a mesh is a disc with holes."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.sparse

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SHORTEST = 1e-5  # of a loop's mean edge: vertices at one point keep apart on the square
WELD = "merge its duplicate vertices (trimesh: mesh.merge_vertices())"


@dataclasses.dataclass(frozen=True, eq=False)
class Edges:
    """The undirected edges of a mesh; side k of a triangle runs from its corner k to its corner k + 1."""

    ends: Indices  # (E, 2), the lower vertex first, in lexical order
    of_side: Indices  # (F, 3)
    triangles: Indices  # (E,) how many triangles have the edge


def edges(triangles: Indices) -> Edges:
    """The edges of triangles (F, 3)."""
    following = np.roll(triangles, -1, axis=1)
    low, high = np.minimum(triangles, following), np.maximum(triangles, following)
    stride = int(triangles.max(initial=0)) + 1
    keys, of_side, count = np.unique(low * stride + high, return_inverse=True, return_counts=True)
    ends = np.stack([keys // stride, keys % stride], axis=1)
    return Edges(ends, of_side.reshape(triangles.shape), count)


def boundary_loops(triangles: Indices) -> list[Indices]:
    """The closed chains of edges with one triangle, each as its vertices in the triangles' winding.

    The mesh lies on the left of the outer loop when seen from outside, and on the left of a hole's loop too. Loops are
    ordered by their lowest vertex and start there.

    Raises:
        ValueError: a vertex at which two parts of the boundary touch.
    """
    mesh = edges(triangles)
    alone = mesh.triangles[mesh.of_side] == 1
    start, end = triangles[alone], np.roll(triangles, -1, axis=1)[alone]
    vertex, count = np.unique(start, return_counts=True)
    if (count > 1).any():
        raise ValueError(
            f"mesh: two parts of the boundary touch at vertex {vertex[count > 1][0]} "
            f"({int((count > 1).sum())} such vertices). Remove the triangles of one part there, or split the vertex."
        )
    after = dict(zip(start.tolist(), end.tolist(), strict=True))
    loops = []
    for first in vertex.tolist():
        if first not in after:
            continue
        loop = [first]
        while (following := after.pop(loop[-1])) != first:
            loop.append(following)
        loops.append(np.array(loop, dtype=np.int64))
    return loops


def loop_lengths(vertices: Floats, loop: Indices) -> Floats:
    """The lengths (n,) of a loop's edges, none quite 0; edge i runs from vertex i of the loop to the next."""
    length = np.linalg.norm(vertices[np.roll(loop, -1)] - vertices[loop], axis=1)
    return np.asarray(np.maximum(length, SHORTEST * (length.mean() or 1.0)), dtype=np.float64)


def longest_first(vertices: Floats, loops: list[Indices]) -> list[Indices]:
    """The loops by falling length; the first is taken for the boundary, the others for holes."""
    return sorted(loops, key=lambda loop: -float(loop_lengths(vertices, loop).sum()))


def components(triangles: Indices) -> Indices:
    """The connected part (F,) of each triangle: triangles that share a vertex are connected; part 0 has triangle 0."""
    used, corner = np.unique(triangles, return_inverse=True)
    corner = corner.reshape(-1, 3)
    pair = (np.concatenate([corner[:, 0], corner[:, 1]]), np.concatenate([corner[:, 1], corner[:, 2]]))
    graph = scipy.sparse.coo_array((np.ones(len(pair[0])), pair), shape=(len(used), len(used)))
    _, label = scipy.sparse.csgraph.connected_components(graph, directed=False)
    return np.asarray(label[corner[:, 0]], dtype=np.int64)


def triangle_areas(vertices: Floats, triangles: Indices) -> Floats:
    """The areas (F,) of triangles in space, in the vertices' unit squared."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return np.asarray(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2, dtype=np.float64)


def checked_mesh(vertices: npt.ArrayLike, triangles: npt.ArrayLike) -> tuple[Floats, Indices]:
    """Vertices (V, 3) and triangles (F, 3) as float64 and int64 arrays, if they are such.

    Raises:
        ValueError: wrong shapes, no triangles, NaN or infinity, indices out of range, repeated corners.
        TypeError: numbers of the wrong kind.
    """
    points, corners = np.asarray(vertices), np.asarray(triangles)
    if points.dtype.kind not in "fiu" or corners.dtype.kind not in "iu":
        raise TypeError(
            f"mesh: vertices must be real numbers and triangles integers; got {points.dtype} and {corners.dtype}."
        )
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"mesh: vertices must be (V, 3); got {points.shape}.")
    if corners.ndim != 2 or corners.shape[1] != 3:
        raise ValueError(f"mesh: triangles must be (F, 3); got {corners.shape}. Split larger faces into triangles.")
    points, corners = points.astype(np.float64), corners.astype(np.int64)
    if len(corners) == 0:
        raise ValueError("mesh: expected at least one triangle; got none.")
    if corners.min() < 0 or corners.max() >= len(points):
        raise ValueError(
            f"mesh: triangles must index the vertices 0..{len(points) - 1}; got {corners.min()}..{corners.max()}. "
            "Subtract 1 if they count from 1."
        )
    if not np.isfinite(points).all():
        raise ValueError(
            f"mesh: vertex {int(np.argmin(np.isfinite(points).all(axis=1)))} holds NaN or infinity. "
            "Repair it, or drop it with its triangles."
        )
    repeated = (corners == np.roll(corners, -1, axis=1)).any(axis=1)
    if repeated.any():
        raise ValueError(
            f"mesh: triangle {int(np.argmax(repeated))} names one vertex twice ({int(repeated.sum())} such triangles). "
            "Drop them."
        )
    return points, corners


def check_disc(triangles: Indices) -> list[Indices]:
    """The boundary loops of a mesh that is a disc with holes, if it is one.

    Raises:
        ValueError: what no map to the square exists for; the message says how to mend it.
    """
    mesh = edges(triangles)
    crowded = mesh.triangles > 2
    if crowded.any():
        a, b = mesh.ends[np.argmax(crowded)]
        raise ValueError(
            f"mesh: edge {a}-{b} has {mesh.triangles.max()} triangles, a surface has at most two "
            f"({int(crowded.sum())} such edges). Remove the triangles that are doubled or stick out."
        )
    parts = int(components(triangles).max()) + 1
    if parts > 1:
        raise ValueError(
            f"mesh: expected one connected part; got {parts}. Keep the face alone (prepare.largest_part), "
            f"or {WELD} if they only look connected."
        )
    _check_winding(triangles, mesh)
    loops = boundary_loops(triangles)
    if not loops:
        raise ValueError(
            "mesh: the surface is closed and has no boundary to lay on the square. Cut it open: remove the back of "
            "the head or the neck."
        )
    vertex_count = len(np.unique(triangles))
    handles = (2 - len(loops) - (vertex_count - len(mesh.ends) + len(triangles))) / 2
    if handles != 0:
        raise ValueError(
            f"mesh: expected a disc with holes; got a surface with {handles:g} handles. Remove the triangles that "
            "close them, such as a tunnel behind an ear."
        )
    return loops


def _check_winding(triangles: Indices, mesh: Edges) -> None:
    forwards = triangles < np.roll(triangles, -1, axis=1)
    balance = np.bincount(mesh.of_side.ravel(), weights=np.where(forwards, 1.0, -1.0).ravel())
    turned = (mesh.triangles == 2) & (balance != 0)
    if turned.any():
        a, b = mesh.ends[np.argmax(turned)]
        raise ValueError(
            f"mesh: the two triangles at edge {a}-{b} are wound in opposite senses ({int(turned.sum())} such edges). "
            "Wind all counter-clockwise seen from outside (trimesh.repair.fix_winding)."
        )


def largest_part(vertices: Floats, triangles: Indices) -> tuple[Indices, int]:
    """The triangles of the connected part with the largest area, and how many parts there are.

    Raises:
        ValueError: no part has at least half of the area, so that none is plainly the face.
    """
    part = components(triangles)
    count = int(part.max()) + 1
    if count == 1:
        return triangles, 1
    area = np.bincount(part, weights=triangle_areas(vertices, triangles))
    if area.max() < area.sum() / 2:
        raise ValueError(
            f"mesh: {count} unconnected parts, the largest with {area.max() / max(area.sum(), 1e-300):.0%} of the "
            f"area: none is plainly the face. Keep the face alone, or {WELD}."
        )
    return triangles[part == np.argmax(area)], count
