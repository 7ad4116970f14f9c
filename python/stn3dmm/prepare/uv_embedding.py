"""Tutte embeddings: a face mesh laid flat on the unit square, u to the image's right, v up.

Each vertex lies in the weighted mean of its neighbours, the boundary on the square's (Tutte 1963; weights in
`stn3dmm.prepare.weights`). With a symmetry map the two halves are one problem: u - 0.5 is odd and v even in it, so one
half is solved for and the other is its mirror image, the symmetry line on u = 0.5.

The winding leaves two maps, half a turn apart: either end of the middle line may be on top. It is the one that lets u
rise with x. Height does not tell: the boundary of a whole head is the neck, whose cut may be level, or rise either way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.sparse.linalg

from .boundary import lay_out, lay_out_symmetric
from .distortion import flipped, slope
from .refinement import Refinement, collapsed_edges, fill_holes, split_edges, unrefined
from .symmetry import checked_mirror, mean_of_halves, symmetrised
from .topology import Floats, Indices, check_disc, checked_mesh, longest_first
from .weights import WEIGHTS, Weights, weight_matrix

Choice = Literal["auto", "cotangent", "mean-value", "clamped"]
AUTOMATIC: tuple[Weights, ...] = ("cotangent", "mean-value")  # in turn, until no triangle is flipped


@dataclasses.dataclass(frozen=True, eq=False)
class Embedding:
    """A mesh on the unit square, with the vertices that the flattening added."""

    refinement: Refinement
    uv: Floats  # (R, 2), the V vertices of the mesh first; NaN for one of no triangle
    weights: str  # those used, or "imported"
    flips: dict[str, int]  # flipped triangles with each of the weights tried, in turn
    loops: tuple[Indices, ...]  # the boundary, then the holes, longest first, each as vertices in their winding
    mirror: Indices | None  # (V,) the symmetry that the map has, None without one
    split: int = 0  # edges split because a convex boundary collapses what is beyond them
    notes: tuple[str, ...] = ()  # what a user should know, each a sentence


def embed(
    vertices: npt.ArrayLike, triangles: npt.ArrayLike, weights: Choice = "auto", *, mirror: npt.ArrayLike | None = None
) -> Floats:
    """The UV coordinates of a face mesh, a disc with holes, on the unit square.

    `flatten` returns the same with its holes filled and with the triangles split that a convex boundary collapses;
    here the mesh keeps its triangles, and those have no area.

    Convention:
        u to the image's right, v up; the forehead's middle at (0.5, 1), the chin's or neck's at (0.5, 0). A whole head
        lies as it is seen from above: its boundary is the neck, the nape at (0.5, 1), the throat at (0.5, 0).
        Triangles are wound counter-clockwise seen from outside, and so they are in the map.

    Args:
        vertices: (V, 3) x to the image's right, y up, any unit.
        triangles: (F, 3) integers.
        weights: "cotangent" (most conformal), "mean-value" (never flips a triangle), "clamped" (cotangent, at least
            0.01), or "auto": cotangent, and mean-value if these flip a triangle.
        mirror: (V,) the mirror image of each vertex; found from the vertices if None.

    Returns:
        (V, 2) float64; symmetric about u = 0.5 if the mesh is, NaN for vertices of no triangle.

    Raises:
        ValueError: a mesh that is no disc with holes, or is not oriented; the message names the remedy.
        TypeError: arrays of the wrong kind of number.

    Source: the UV texture space embedding of arXiv:1708.07199; docs/math.md#flattening.

    Example:
        >>> square = [[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.5]]
        >>> uv = embed(square, [[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
        >>> uv[4].tolist()
        [0.5, 0.5]
    """
    points, corners = checked_mesh(vertices, triangles)
    return flatten(points, corners, weights, mirror=mirror, refine=False).uv[: len(points)]


def flatten(
    vertices: npt.ArrayLike,
    triangles: npt.ArrayLike,
    weights: Choice = "auto",
    *,
    mirror: npt.ArrayLike | None = None,
    refine: bool = True,
) -> Embedding:
    """The embedding of a face mesh with all that was done for it; arguments and errors are those of `embed`.

    Holes are filled. With ``refine``, inner edges whose ends both lie on one side of the square are split, so that no
    triangle is left without area, and where a symmetric mesh has its quadrilaterals split along diagonals that are not
    mirrored, the left half's are turned.
    """
    points, corners = checked_mesh(vertices, triangles)
    if weights != "auto" and weights not in WEIGHTS:
        raise ValueError(f"flatten: weights must be one of {', '.join(get_args(Choice))}; got {weights!r}.")
    points = points / (np.abs(points).max() or 1.0)  # squares of any unit stay in range
    loops = longest_first(points, check_disc(corners))
    symmetry = checked_mirror(points, corners, mirror)
    even = points if symmetry is None else mean_of_halves(points, symmetry)
    border = None if symmetry is None else lay_out_symmetric(even, loops[0], symmetry)
    if symmetry is None or border is None:
        symmetry, border = None, lay_out(points, loops[0])
    else:
        points = even
        corners = symmetrised(points, corners, symmetry) if refine else corners
    refined = fill_holes(unrefined(corners, len(points)), points, loops[1:])
    chosen = collapsed_edges(refined.triangles, _sides(refined.vertex_count, loops[0], border))
    chosen = chosen if refine else chosen[:0]
    refined = split_edges(refined, chosen)
    partner = _partners(refined, symmetry, loops[1:], chosen)
    flips: dict[str, int] = {}
    for kind, name, wanted in _attempts(weights, partner):
        matrix = weight_matrix(refined.lengths(points), refined.triangles, refined.vertex_count, kind)
        uv = _solve(matrix, refined.triangles, loops[0], border, wanted)
        flips[name] = flipped(uv, refined.triangles)
        if flips[name] == 0:
            uv = np.clip(uv, 0.0, 1.0)  # rounding may leave the square
            break
    if slope(points[:, 0], uv[: len(points), 0], points, corners) < 0:
        uv = 1 - uv
    symmetry = None if wanted is None else symmetry
    return Embedding(refined, uv, kind, flips, tuple(loops), symmetry, len(chosen), _notes(flips, symmetry))


def _attempts(weights: Choice, partner: Indices | None) -> Iterator[tuple[Weights, str, Indices | None]]:
    """The weights to try in turn, a name for each trial, and the symmetry to keep, until no triangle is flipped."""
    kinds = AUTOMATIC if weights == "auto" else (weights,)
    yield from ((kind, kind, partner) for kind in kinds)
    # Quadrilaterals split along diagonals that are not mirrored may be bent inwards in a symmetric map.
    if kinds[-1] != "cotangent" and partner is not None:
        yield kinds[-1], f"{kinds[-1]} without symmetry", None


def _notes(flips: dict[str, int], symmetry: Indices | None) -> tuple[str, ...]:
    *abandoned, used = flips
    notes = [f"{kind} weights flipped {flips[kind]} triangles; {used} took their place." for kind in abandoned]
    if flips[used]:
        notes.append(f"{used} weights flip {flips[used]} triangles; mean-value weights flip none.")
    if symmetry is None:
        notes.append("The map is not symmetric: mirrored columns of the grid correspond only roughly.")
    return tuple(notes)


def _sides(vertex_count: int, loop: Indices, border: Floats) -> npt.NDArray[np.bool_]:
    """Which vertices (R, 4) lie on the left, right, lower and upper side of the square."""
    on_side = np.zeros((vertex_count, 4), dtype=bool)
    on_side[loop] = np.stack([border[:, 0] == 0, border[:, 0] == 1, border[:, 1] == 0, border[:, 1] == 1], axis=1)
    return on_side


def _partners(refined: Refinement, mirror: Indices | None, holes: list[Indices], split: Indices) -> Indices | None:
    """The mirror image (R,) of each vertex of the refinement; -1 for a split edge whose image is no edge."""
    if mirror is None:
        return None
    V = len(mirror)
    partner = np.full(refined.vertex_count, -1)
    partner[:V] = mirror
    hole_of = {int(vertex): number for number, loop in enumerate(holes) for vertex in loop}
    for number, loop in enumerate(holes):
        partner[V + number] = V + hole_of[int(mirror[loop[0]])]
    edge_of = {tuple(edge): V + len(holes) + number for number, edge in enumerate(split.tolist())}
    for edge, number in edge_of.items():
        partner[number] = edge_of.get(tuple(sorted(mirror[list(edge)].tolist())), -1)
    return partner


def _solve(matrix: Any, triangles: Indices, loop: Indices, border: Floats, partner: Indices | None) -> Floats:
    """Every inner vertex in the weighted mean of its neighbours; both coordinates, (R, 2)."""
    R = matrix.shape[0]
    uv = np.full((R, 2), np.nan)
    uv[loop] = border
    inner = np.setdiff1d(triangles, loop)
    if len(inner) == 0:
        return uv
    pull = matrix[inner]
    operator = (scipy.sparse.diags_array(pull.sum(axis=1)) - pull[:, inner]).tocsr()
    # About the middle of the square, u is odd and v even under the symmetry.
    load = pull[:, loop] @ (border - (0.5, 0.0))
    if partner is None:
        uv[inner] = _linear_solution(operator, load)
    else:
        for axis, sign in ((0, -1.0), (1, 1.0)):
            fold = _fold(partner[inner], inner, sign)
            uv[inner, axis] = fold @ _linear_solution(fold.T @ operator @ fold, fold.T @ load[:, axis])
    uv[inner, 0] += 0.5
    return uv


def _linear_solution(operator: Any, load: Floats) -> Floats:
    """Solves for one or more columns; NaN if the operator is singular, which no positive weights make it."""
    if len(load) == 0:
        return load
    try:
        factor = scipy.sparse.linalg.splu(operator.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    except RuntimeError:
        return np.full_like(load, np.nan)
    return np.asarray(factor.solve(load), dtype=np.float64)


def _fold(image: Indices, inner: Indices, sign: float) -> Any:
    """Expresses inner vertices (n,) by one of each mirrored pair, ``sign`` times itself on the other side."""
    n = len(inner)
    second = (image >= 0) & (image < inner)
    kept = np.flatnonzero((image != inner) | (sign > 0))  # on the symmetry line, an odd value is 0
    own = np.zeros(n, dtype=bool)
    own[kept] = ~second[kept]
    column = np.cumsum(own) - 1
    first = np.where(second, np.searchsorted(inner, image), np.arange(n))
    entries = (np.where(second, sign, 1.0)[kept], (kept, column[first[kept]]))
    return scipy.sparse.csr_array(entries, shape=(n, int(own.sum())))
