"""The left-right symmetry of a mesh: which vertex mirrors which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import scipy.spatial

from .topology import Edges, Floats, Indices, boundary_loops, edges, longest_first

PLAIN = 0.3  # of the distance to the second nearest vertex: so near, the nearest needs no other evidence
BOUNDS = (0.2, 0.5, 1.0)  # longest edges at a vertex, in turn, within which its partner is looked for
TYPICAL = 0.25  # longest edges at a vertex, within which at least half of the partners must be
BY_BOUNDARY = 0.5  # longest edges at a vertex, the same of partners that the triangles alone have told
REVERSALS = 5  # of the boundary that are tried, best first
PLANE_STEPS = 5


def checked_mirror(vertices: Floats, triangles: Indices, mirror: npt.ArrayLike | None) -> Indices | None:
    """The given symmetry map (V,) if it is one, the one found if none is given.

    Raises:
        ValueError: what is no symmetry map of the mesh.
    """
    if mirror is None:
        return find_mirror(vertices, triangles)
    given = np.asarray(mirror)
    if given.shape != (len(vertices),) or given.dtype.kind not in "iu":
        raise ValueError(
            f"mesh: mirror must be ({len(vertices)},) integers, one a vertex; got {given.shape} {given.dtype}."
        )
    given = given.astype(np.int64)
    if given.min() < 0 or given.max() >= len(vertices):
        raise ValueError(f"mesh: mirror must lie in 0..{len(vertices) - 1}; got {given.min()}..{given.max()}.")
    defect = mirror_defect(triangles, given)
    if defect is not None:
        raise ValueError(f"mesh: mirror is no symmetry of the mesh: {defect}. Leave it out to have it found.")
    return given


def find_mirror(vertices: Floats, triangles: Indices) -> Indices | None:
    """The mirror image (V,) of each vertex about a plane of constant x; None if the mesh is not symmetric.

    Symmetric means: one vertex to each vertex, edges going to edges, but for quadrilaterals that were split along
    either diagonal, and boundary to boundary. Positions need agree only about as closely as the vertices are spaced:
    vertices are paired with the nearest to their mirror image, and where that is no pair, through the triangles of
    vertices that are. Positions that are off by more, as those of faces scanned in fine meshes, need triangles that
    mirror each other one by one: the boundary, which is long, tells where it goes, and the triangles tell the rest.
    A vertex of no triangle is its own image.
    """
    used = np.unique(triangles)
    local = np.full(len(vertices), -1)
    local[used] = np.arange(len(used))
    corner, point = local[triangles], vertices[used]
    reflected, nearest, plain = _reflection(point)
    misfit = _misfit(point, reflected, edges(corner))

    def suits(partner: Indices, median: float, largest: float) -> bool:
        if (partner < 0).any() or mirror_defect(corner, partner) is not None:
            return False
        distance = misfit(np.arange(len(used)), partner)
        return bool(np.median(distance) <= median and distance.max() <= largest)

    partner = _by_position(corner, nearest, plain, misfit)
    if not suits(partner, TYPICAL, BOUNDS[-1]):
        for partner in _by_boundary(point, reflected, corner, misfit):
            if _ring_mirrored(corner, partner).all() and suits(partner, BY_BOUNDARY, np.inf):
                break
        else:
            return None
    mirror = np.arange(len(vertices))
    mirror[used] = used[partner]
    return mirror


def _by_position(
    corner: Indices, nearest: Indices, plain: npt.NDArray[np.bool_], misfit: Callable[[Indices, Indices], Floats]
) -> Indices:
    """The partner (V,) of each vertex by the places of all, -1 where there is none."""
    mutual = nearest[nearest] == np.arange(len(nearest))
    # Where lips touch, the nearest vertex may be the other lip's: the triangles are asked first.
    partner = np.full(len(nearest), -1)
    for certain, bounds in ((_ring_mirrored(corner, nearest), BOUNDS[:1]), (plain, BOUNDS)):
        found = mutual & certain & certain[nearest] & (partner < 0) & (partner[nearest] < 0)
        partner[found] = nearest[found]
        _spread(partner, corner, misfit, bounds)
    return partner


def _by_boundary(
    point: Floats, reflected: Floats, corner: Indices, misfit: Callable[[Indices, Indices], Floats]
) -> Iterator[Indices]:
    """Partners (V,) that follow from a reversal of the longest boundary, the reversal that moves it least first."""
    loops = longest_first(point, boundary_loops(corner))
    if not loops:
        return
    loop = loops[0]
    middle = point[loop].mean(axis=0)
    here, there = (np.fft.rfft(place[loop] - middle, axis=0) for place in (reflected, point))
    likeness = np.fft.irfft((here * there).sum(axis=1), len(loop))  # of the boundary and itself from each end backwards
    triangle_count = np.bincount(corner.ravel())
    for end in np.argsort(-likeness, kind="stable")[:REVERSALS]:
        partner = np.full(len(point), -1)
        partner[loop] = loop[(end - np.arange(len(loop))) % len(loop)]
        if (triangle_count[loop] == triangle_count[partner[loop]]).all():
            _spread(partner, corner, misfit, (np.inf,))
            yield partner


def mirror_defect(triangles: Indices, mirror: Indices) -> str | None:
    """What keeps ``mirror`` (V,) from being a symmetry map of the triangles, in words; None if it is one."""
    used = np.unique(triangles)
    if (mirror[mirror[used]] != used).any():
        vertex = used[np.argmax(mirror[mirror[used]] != used)]
        return f"vertex {vertex} goes to {mirror[vertex]}, which goes to {mirror[mirror[vertex]]}"
    if not np.isin(mirror[used], used).all():
        return f"vertex {used[np.argmin(np.isin(mirror[used], used))]} goes to a vertex of no triangle"
    mesh = edges(triangles)
    image = np.sort(mirror[mesh.ends], axis=1)
    stride = len(mirror)
    number = np.searchsorted(mesh.ends @ [stride, 1], image @ [stride, 1]) % len(mesh.ends)
    kept = (mesh.ends[number] == image).all(axis=1) & (mesh.triangles[number] == mesh.triangles)
    crossing = _diagonals(triangles, mesh)
    turned = np.sort(mirror[crossing], axis=1) @ [stride, 1]
    other = np.isin(turned, mesh.ends @ [stride, 1]) & (crossing >= 0).all(axis=1)
    if not (kept | other).all():
        a, b = mesh.ends[np.argmin(kept | other)]
        return f"edge {a}-{b} goes to {mirror[a]}-{mirror[b]}, which is no such edge"
    return None


def mean_of_halves(vertices: Floats, mirror: Indices) -> Floats:
    """The vertices (V, 3), each the mean of itself and its partner reflected: positions as symmetric as the map."""
    reflected = vertices[mirror] * (-1, 1, 1)
    reflected[:, 0] += np.median(vertices[:, 0] + vertices[mirror, 0])
    return np.asarray((vertices + reflected) / 2, dtype=np.float64)


def symmetrised(vertices: Floats, triangles: Indices, mirror: Indices) -> Indices:
    """The triangles (F, 3) with those of the left half that mirror none replaced by mirrored ones of the right half.

    They differ where quadrilaterals were split along diagonals that are not mirrored. As they are, if such a
    quadrilateral straddles the symmetry line.
    """
    alone = ~np.isin(_keys(mirror[triangles]), _keys(triangles))
    side = (vertices[:, 0] - vertices[mirror, 0])[triangles]
    right, left = alone & (side >= 0).all(axis=1), alone & (side <= 0).all(axis=1)
    if (right & left).any() or (alone & ~right & ~left).any() or right.sum() != left.sum():
        return triangles
    changed = triangles.copy()
    changed[left] = mirror[triangles[right]][:, ::-1]
    return changed


def _diagonals(triangles: Indices, mesh: Edges) -> Indices:
    """For each edge (E, 2) the two corners across from it: the other diagonal; -1 at the boundary."""
    across = np.full((len(mesh.ends), 2), -1)
    apex = np.roll(triangles, -2, axis=1).ravel()
    side = mesh.of_side.ravel()
    order = np.argsort(side, kind="stable")
    first = np.searchsorted(side[order], np.arange(len(mesh.ends)))
    across[:, 0] = apex[order[first]]
    inner = mesh.triangles == 2
    across[inner, 1] = apex[order[first[inner] + 1]]
    return across


def _reflection(point: Floats) -> tuple[Floats, Indices, npt.NDArray[np.bool_]]:
    """The points mirrored about the plane x = constant that suits them best, the vertex nearest each of them, and
    whether it is plainly the nearest."""
    tree = scipy.spatial.cKDTree(point)
    plane = (point[:, 0].min() + point[:, 0].max()) / 2
    for _ in range(PLANE_STEPS):
        reflected = point * (-1, 1, 1) + (2 * plane, 0, 0)
        distance, nearest = tree.query(reflected, k=2)
        plane = float(np.median(point[:, 0] + point[nearest[:, 0], 0]) / 2)
    return reflected, nearest[:, 0].astype(np.int64), distance[:, 0] < PLAIN * distance[:, 1]


def _ring_mirrored(triangles: Indices, image: Indices) -> npt.NDArray[np.bool_]:
    """Whether all triangles of a vertex (V,) go to triangles."""
    mirrored = np.isin(_keys(image[triangles]), _keys(triangles))
    ring = np.ones(len(image), dtype=bool)
    ring[triangles[~mirrored]] = False
    return ring


def _misfit(point: Floats, reflected: Floats, mesh: Edges) -> Callable[[Indices, Indices], Floats]:
    """How far the mirror images of some vertices are from others, in longest edges at the former."""
    length = np.linalg.norm(point[mesh.ends[:, 0]] - point[mesh.ends[:, 1]], axis=1)
    longest = np.zeros(len(point))
    for end in mesh.ends.T:
        np.maximum.at(longest, end, length)

    def misfit(a: Indices, b: Indices) -> Floats:
        distance = np.linalg.norm(reflected[a] - point[b], axis=1)
        return np.asarray(distance / np.maximum(longest[a], np.finfo(float).tiny), dtype=np.float64)

    return misfit


def _keys(triangles: Indices) -> npt.NDArray[np.void]:
    """One comparable value a triangle, whatever its first corner and its winding."""
    return np.ascontiguousarray(np.sort(triangles, axis=1)).view([("", np.int64)] * 3).ravel()


def _spread(
    partner: Indices, triangles: Indices, misfit: Callable[[Indices, Indices], Floats], bounds: Sequence[float]
) -> None:
    """Pairs vertices that have no partner yet across the edges of those that have, best fits first, in place.

    The corner across from an edge mirrors the corner across from the mirrored edge, within each of the bounds in turn.
    """
    stride = len(partner)
    start, end, apex = (np.roll(triangles, -turn, axis=1).ravel() for turn in range(3))
    key = start * stride + end
    order = np.argsort(key)
    for bound in bounds:
        while True:
            ready = (partner[start] >= 0) & (partner[end] >= 0) & (partner[apex] < 0)
            wanted = partner[end[ready]] * stride + partner[start[ready]]
            found = order[np.searchsorted(key, wanted, sorter=order) % len(key)]
            ours, theirs = apex[ready], apex[found]
            cost = misfit(ours, theirs)
            good = np.flatnonzero((key[found] == wanted) & (partner[theirs] < 0) & (cost <= bound))
            if len(good) == 0:
                break
            for n in good[np.lexsort((theirs[good], ours[good], cost[good]))]:
                a, b = ours[n], theirs[n]
                if partner[a] < 0 and partner[b] < 0:
                    partner[a], partner[b] = b, a
