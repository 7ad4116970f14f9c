"""Where the boundary of a mesh goes on the square: by arc length, the ends of the middle line half-way along two sides.

Which end is on top is for `uv_embedding.flatten` to say, which may turn the map by half a turn.
"""

from __future__ import annotations

import math

import numpy as np

from .topology import Floats, Indices, loop_lengths

# Places on the square's boundary run counter-clockwise from (0.5, 1), the middle of the upper side.
PERIMETER = 4.0
CORNERS = (0.5, 1.5, 2.5, 3.5)


def on_square(place: Floats) -> Floats:
    """The points (n, 2) of the unit square's boundary at places 0 to 4."""
    knots = (0.0, *CORNERS, PERIMETER)
    u = np.interp(place, knots, (0.5, 0.0, 0.0, 1.0, 1.0, 0.5))
    v = np.interp(place, knots, (1.0, 1.0, 0.0, 0.0, 1.0, 1.0))
    return np.stack([u, v], axis=1)


def lay_out(vertices: Floats, loop: Indices) -> Floats:
    """The square's points (n, 2) for the boundary loop (n,) of a mesh without a symmetry map.

    The mesh's middle plane, halfway between its least and its greatest x, cuts the loop; of the two cuts farthest apart
    the higher goes to (0.5, 1), the other to (0.5, 0), and what lies between is laid out by arc length. The vertices
    nearest the square's corners move into them; a loop of three vertices leaves one corner out.
    """
    n = len(loop)
    along = np.concatenate([[0.0], np.cumsum(loop_lengths(vertices, loop))])
    top, bottom = _cuts(vertices[loop], along)
    ahead, fall = (along[:-1] - top) % along[-1], (bottom - top) % along[-1]
    place = np.interp(ahead, (0.0, fall, along[-1]), (0.0, PERIMETER / 2, PERIMETER))
    halves = [np.flatnonzero((place > lower) & (place < lower + PERIMETER / 2)) for lower in (0.0, PERIMETER / 2)]
    if min(map(len, halves)) < 2:
        # Too few for two corners a half: the vertices in their order, spread over the corners.
        order = (np.arange(n) - np.argmin(ahead)) % n
        knots = np.arange(4 + 1) * max(n, 4) // 4
        return on_square((np.interp(order, knots, np.arange(4 + 1.0)) + CORNERS[0]) % PERIMETER)
    for half, lower in zip(halves, (0.0, PERIMETER / 2), strict=True):
        half = half[np.argsort(place[half], kind="stable")]
        place[half] = lower + _cornered(place[half] - lower)
    return on_square(place)


def lay_out_symmetric(vertices: Floats, loop: Indices, mirror: Indices) -> Floats | None:
    """The square's points (n, 2) for the boundary loop (n,) of a symmetric mesh, mirrored about u = 0.5.

    The ends of the symmetry line go to (0.5, 1) and (0.5, 0), the higher one on top; each half is laid out by arc
    length, and the vertices nearest the corners move into them. None if the map does not turn the loop over, or a half
    has fewer than two vertices of its own.
    """
    n = len(loop)
    position = np.full(len(vertices), -1)
    position[loop] = np.arange(n)
    image = position[mirror[loop]]
    total = int(image[0])  # a loop turned over: positions and those of their images add up to this, modulo n
    if (image != (total - np.arange(n)) % n).any():
        return None
    # The line meets the loop at two places, counted in vertices; a half is the middle of an edge.
    ends = (total / 2 % n, (total + n) / 2 % n)
    height = vertices[loop, 1]
    level = [height[math.floor(end)] + height[math.ceil(end) % n] for end in ends]
    top, bottom = ends if level[0] >= level[1] else ends[::-1]
    bottom += n * (bottom < top)
    first, last = math.floor(top) + 1, math.ceil(bottom) - 1
    half = np.arange(first, last + 1) % n
    if len(half) < 2:
        return None
    length = loop_lengths(vertices, loop)
    step = np.concatenate([length[(half - 1) % n], length[half[-1:]]])
    step[[0, -1]] *= (first - top, bottom - last)
    along = np.cumsum(step)
    uv = np.empty((n, 2))
    uv[half] = on_square(_cornered(along[:-1] * (PERIMETER / 2 / along[-1])))
    uv[(total - half) % n] = uv[half] * (-1, 1) + (1, 0)
    for end, v in ((top, 1.0), (bottom, 0.0)):
        if end == int(end):
            uv[int(end) % n] = (0.5, v)
    return uv


def _cornered(place: Floats) -> Floats:
    """Ascending places of a half's vertices, 0 < place < 2, with those nearest its two corners moved into them."""
    goals = np.array(CORNERS[:2])
    corner = np.argmin(np.abs(place[:, None] - goals), axis=0)
    if corner[0] == corner[1]:  # a long edge; the neighbour on the roomier side takes the other corner
        corner = corner + ((0, 1) if corner[0] + 1 < len(place) else (-1, 0))
    knots = (0.0, *place[corner], PERIMETER / 2)
    return np.asarray(np.interp(place, knots, (0.0, *goals, PERIMETER / 2)), dtype=np.float64)


def _cuts(points: Floats, along: Floats) -> tuple[float, float]:
    """The arc lengths of two points of a loop (n, 3) on the plane halfway across it, far apart, the higher one first.

    Opposite points of the loop where it does not cross the plane, or in one place alone.
    """
    x = points[:, 0] - (points[:, 0].min() + points[:, 0].max()) / 2
    following = np.roll(x, -1)
    crossing = np.flatnonzero((x <= 0) != (following <= 0))
    share = (x / np.where(x == following, 1.0, x - following))[crossing]
    place = points[crossing] + share[:, None] * (np.roll(points, -1, axis=0) - points)[crossing]
    at = along[crossing] + share * np.diff(along)[crossing]
    if len(crossing) == 0 or (place == place[0]).all():
        return 0.0, float(along[-1] / 2)
    # A ragged loop crosses the plane several times at each end of the middle line.
    one = np.argmax(np.linalg.norm(place - place.mean(axis=0), axis=1))
    other = np.argmax(np.linalg.norm(place - place[one], axis=1))
    top, bottom = (one, other) if place[one, 1] >= place[other, 1] else (other, one)
    return float(at[top]), float(at[bottom])
