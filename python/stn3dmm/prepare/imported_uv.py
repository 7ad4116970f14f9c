"""UV coordinates from elsewhere, such as a mesh's own texture coordinates, in the place of an embedding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .distortion import flipped, signed_areas, slope
from .refinement import fill_holes, unrefined
from .symmetry import checked_mirror, mean_of_halves
from .topology import Floats, Indices, boundary_loops, longest_first
from .uv_embedding import Embedding

SYMMETRIC = 1e-4  # of the square; texture files have few digits
MOST_FLIPPED = 0.2  # of the triangles; a map that was made for the mesh flips hardly any, a random one half


def import_uv(
    vertices: Floats, triangles: Indices, uv: npt.ArrayLike, mirror: npt.ArrayLike | None = None
) -> Embedding:
    """Given UV coordinates as an embedding: upright, holes filled, flipped triangles counted.

    Args:
        vertices: (V, 3) x to the image's right, y up.
        triangles: (F, 3) counter-clockwise seen from outside.
        uv: (V, 2) in the unit square; u and v are exchanged if the map lies on its side, and turned over where u runs
            against x or v against y.
        mirror: (V,) the mirror image of each vertex; found from the vertices if None. The embedding has it only if the
            coordinates are symmetric about u = 0.5 under it.

    Raises:
        ValueError: coordinates of the wrong shape, not finite, the same for all vertices, or plainly of another mesh.
    """
    place = np.asarray(uv, dtype=np.float64)
    if place.shape != (len(vertices), 2):
        raise ValueError(f"uv must be ({len(vertices)}, 2), one pair a vertex of the mesh; got {place.shape}.")
    if not np.isfinite(place[triangles]).all():
        raise ValueError("uv holds NaN or infinity at vertices of triangles. Leave it out to have it computed.")
    if not signed_areas(place, triangles).any():
        raise ValueError("uv gives no triangle an area. Leave it out to have it computed.")
    place, notes = _upright(vertices, triangles, place)
    flips = flipped(place, triangles)
    if flips > MOST_FLIPPED * len(triangles):
        raise ValueError(
            f"uv flips {flips:,} of {len(triangles):,} triangles: it is of another mesh, or has its vertices in "
            "another order. Leave it out to have it computed."
        )
    symmetry = checked_mirror(vertices, triangles, mirror)
    used = np.unique(triangles)
    place[np.setdiff1d(np.arange(len(place)), used)] = np.nan
    if symmetry is not None:
        error = float(np.abs(place[symmetry[used]] * (-1, 1) + (1, 0) - place[used]).max())
        if error > SYMMETRIC:
            notes.append(f"The imported map differs from its mirror image by up to {error:.2g} of its width.")
            symmetry = None
    loops = longest_first(vertices, boundary_loops(triangles))
    even = vertices if symmetry is None else mean_of_halves(vertices, symmetry)
    refined = fill_holes(unrefined(triangles, len(vertices)), even, loops[1:])
    if flips:
        notes.append(f"The imported map flips {flips} triangles; their neighbours cover their place.")
    return Embedding(
        refined, refined.lift @ place, "imported", {"imported": flips}, tuple(loops), symmetry, notes=tuple(notes)
    )


def _upright(vertices: Floats, triangles: Indices, uv: Floats) -> tuple[Floats, list[str]]:
    notes = []
    uv = uv.copy()
    along = np.array([[abs(slope(vertices[:, i], uv[:, j], vertices, triangles)) for j in (0, 1)] for i in (0, 1)])
    if along[0, 1] > along[0, 0] and along[1, 0] > along[1, 1]:
        uv = uv[:, ::-1]
        notes.append("The imported map lay on its side: its u and v were exchanged.")
    for axis, (name, direction) in enumerate((("u", "x"), ("v", "y"))):
        if slope(vertices[:, axis], uv[:, axis], vertices, triangles) < 0:
            uv[:, axis] = 1 - uv[:, axis]
            notes.append(f"The imported map's {name} ran against {direction} and was turned over.")
    return uv, notes
