"""From a morphable model's own mesh to a model on a texture grid: flatten, resample, mark what is not valid."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.sparse

from stn3dmm.formats.orientation import is_inside_out
from stn3dmm.morphable_mesh import MorphableMesh
from stn3dmm.morphable_model import MorphableModel

from .imported_uv import import_uv
from .landmarks import nearest_grid_vertices
from .report import PrepareReport, measured
from .resample import Location, checked_grid, locate
from .topology import Floats, Indices, largest_part
from .uv_embedding import Choice, Embedding, flatten

CORNERS = 4  # of the square
LEAST_COVERED = 0.05  # of the grid's vertices


def prepare_model(
    mesh: MorphableMesh,
    grid_shape: tuple[int, int] = (112, 112),
    *,
    weights: Choice = "auto",
    uv: npt.ArrayLike | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[MorphableModel, PrepareReport]:
    """A morphable model on a P x Q texture grid from one on its own mesh.

    The face, the largest connected part of the mesh, is flattened on the square (`uv_embedding.flatten`, or the given
    ``uv``), and mean, modes and landmarks are resampled at the grid's vertices. Where the mesh is symmetric, so is the
    correspondence: a column's values are those of its mirror column at the mirrored vertices, exactly.

    Convention:
        Model frame, millimetres; grid vertex k = row * Q + column, row 0 at the forehead, column 0 at the image's left.

    Args:
        mesh: the model as a reader returns it.
        grid_shape: (P, Q), at least 2 x 2.
        weights: "auto", "cotangent", "mean-value" or "clamped", as `uv_embedding.embed` takes them.
        uv: (V, 2) UV coordinates to use in place of an embedding, such as ``mesh.uv``; turned upright if need be.
            Triangles that they flip give way to those that cover the same place, and are counted.
        progress: called with the name of each step as it begins.

    Returns:
        The model and a report. Grid vertices in holes, and outside an imported map, are not valid; the former carry on
        the surface around them, the latter copy the nearest vertex inside.

    Raises:
        ValueError: a mesh that cannot be flattened; the message says how to mend it.

    Source: the resampled model of arXiv:1708.07199; docs/math.md#flattening.
    """
    step = progress or (lambda _: None)
    P, Q = checked_grid(grid_shape)
    vertices = mesh.mean.astype(np.float64)
    triangles, parts = largest_part(vertices, mesh.triangles)
    step("flattening")
    if uv is None:
        _check_outside(vertices, triangles)
        flat = flatten(vertices, triangles, weights)
        if len(flat.loops[0]) < CORNERS:
            raise ValueError(
                f"prepare_model: the face has a boundary of {len(flat.loops[0])} vertices; expected at least "
                f"{CORNERS}, one for each corner of the square. Cut the mesh along a longer rim."
            )
    else:
        flat = import_uv(vertices, triangles, uv)
    step("locating the grid's vertices")
    location = locate(flat.refinement.triangles, flat.uv, (P, Q), flat.refinement.filled.astype(np.int64))
    valid, weight = _correspondence(location, flat, (P, Q))
    step("resampling")
    mean = weight @ vertices
    basis = np.empty((mesh.mode_count, P * Q, 3), dtype=np.float32)
    for k in range(mesh.mode_count):
        basis[k] = weight @ mesh.basis[k].astype(np.float64)
    found = {
        name: nearest_grid_vertices(index, vertices, flat.uv, mean, valid, (P, Q))
        for name, index in mesh.landmarks.items()
    }
    model = MorphableModel(
        mean=mean.astype(np.float32),
        basis=basis,
        grid_shape=(P, Q),
        valid=valid,
        mode_names=mesh.mode_names,
        landmarks={name: index for name, (index, _) in found.items()},
        source=mesh.source,
        licence=mesh.licence,
    )
    step("measuring")
    return model, measured(mesh, parts, flat, location, model, {name: far for name, (_, far) in found.items()})


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Errors of the block begin with the name of the mesh's file, and not with that of a function."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {re.sub('^(mesh|prepare_model): ', '', str(error))}") from error


def _check_outside(vertices: Floats, triangles: Indices) -> None:
    if is_inside_out(vertices, triangles):
        raise ValueError(
            "prepare_model: the map would be mirrored: the triangles are wound clockwise seen from outside. "
            "Reverse them (triangles[:, ::-1])."
        )
    # The area as a vector: of a face it looks forward, of a whole head, which is open at the neck, up.
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    _, y, z = np.cross(b - a, c - a).sum(axis=0)
    if z < -abs(y):
        raise ValueError(
            "prepare_model: the face looks away from the viewer, and its map would be upside down. Turn it so that "
            "y is up and z runs out of the face."
        )


def _correspondence(
    location: Location, flat: Embedding, grid_shape: tuple[int, int]
) -> tuple[npt.NDArray[np.bool_], Any]:
    """Which grid vertices (P Q,) are valid, and the sparse array (P Q, V) from the mesh's vertices to the grid's."""
    P, Q = grid_shape
    refined = flat.refinement
    # A symmetric map is looked up in the columns from the middle to the right alone.
    first = 0 if flat.mirror is None else Q // 2
    part = np.arange(P * Q).reshape(P, Q)[:, first:]
    covered = (location.triangle >= 0)[part]
    if covered.mean() < LEAST_COVERED:
        raise ValueError(
            f"prepare_model: the map covers {100 * covered.mean():.2g} % of the grid; UV coordinates must fill 0..1. "
            "Leave them out to have them computed."
        )
    valid = covered & ~refined.filled[location.triangle[part]]
    row, column = scipy.ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    weight = (location.matrix(refined.triangles, refined.vertex_count) @ refined.lift).tocsr()
    weight = weight[part[row, column].ravel()]
    if flat.mirror is None:
        return valid.ravel(), weight
    distance = np.abs(np.arange(Q) - (Q - 1) / 2).astype(np.int64)  # of a column from the first that was looked up
    rows = np.arange(P)[:, None] * (Q - first) + distance
    if Q % 2:  # the middle column is its own mirror image
        own = np.where(np.arange(P * (Q - first)) % (Q - first) == 0, 0.5, 1.0)
        weight = scipy.sparse.diags_array(own) @ weight
        weight = weight + scipy.sparse.diags_array(1 / own - 1) @ _at_mirror_image(weight, flat.mirror)
    rows[:, : Q // 2] += P * (Q - first)
    weight = scipy.sparse.vstack([weight, _at_mirror_image(weight, flat.mirror)], format="csr")[rows.ravel()]
    return valid[:, distance].ravel(), weight


def _at_mirror_image(weight: Any, mirror: Indices) -> Any:
    """The array (n, V) that takes its values at the mirror images of the vertices."""
    weight = weight.tocsr()
    return scipy.sparse.csr_array((weight.data, mirror[weight.indices], weight.indptr), shape=weight.shape)
