"""The Basel Face Model 2009 (01_MorphableModel.mat) with the expressions of 3DDFA (Model_Expression.mat).

``01_MorphableModel.mat``: shapeMU (160470, 1), shapePC (160470, 199) orthonormal, shapeEV (199, 1) standard deviations,
tl (106466, 3) from 1, clockwise; 53,490 vertices; micrometres, y up, z forward.
``Model_Expression.mat``: w_exp (159645, 29), mu_exp (159645, 1), sigma_exp (29, 1); micrometres; the same mesh without
the 275 vertices of the mouth's interior, in the same order.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stn3dmm.formats import mesh_arrays
from stn3dmm.formats.laplacian import extrapolate
from stn3dmm.formats.matlab import read_matlab
from stn3dmm.formats.mesh_arrays import Indices, Modes, Vertices
from stn3dmm.formats.recognition import Source
from stn3dmm.morphable_mesh import MorphableMesh

WHAT = "the Basel Face Model 2009 (01_MorphableModel.mat)"
WHAT_EXPRESSION = "3DDFA's expressions for it (Model_Expression.mat)"
OPTIONS = ("expression", "authors_expressions")

NAMES = ("shapeMU", "shapePC", "shapeEV", "tl")
EXPRESSION_NAMES = ("w_exp", "mu_exp", "sigma_exp")
MICROMETRE = 1e-3  # mm
VERTEX_COUNT = 53490
SOURCE, SOURCE_EXPRESSION = "Basel Face Model 2009", " with 3DDFA's expressions"
SOURCE_AUTHORS = " as Bas et al. 2017 took them"

# First and last of each run of vertices that 3DDFA's mesh lacks, from 0: all that map_tddfa_to_basel.mat leaves out
# (repository anilbas/3DMMasSTN, util, Apache-2.0). They are the interior of the mouth.
# fmt: off
MOUTH_INTERIOR = (
    (6167, 6167), (6295, 6297), (6423, 6428), (6551, 6557), (6680, 6686), (6809, 6815), (6938, 6945), (7067, 7075),
    (7196, 7204), (7325, 7333), (7454, 7462), (7583, 7591), (7712, 7720), (7841, 7849), (7970, 7978), (8099, 8107),
    (8228, 8236), (8357, 8365), (8486, 8494), (8615, 8623), (8744, 8752), (8873, 8881), (9002, 9010), (9131, 9139),
    (9260, 9268), (9389, 9397), (9518, 9526), (9647, 9655), (9776, 9784), (9905, 9913), (10034, 10041),
    (10163, 10169), (10292, 10297), (10421, 10423), (10425, 10425), (10549, 10551), (10679, 10679),
)

# Vertices of the landmarks, from 0. Published by Bas et al. 2017 as 1-based lists, Landmarks21_BFM.anl and
# Landmarks68_BFM.anl (repository anilbas/3DMMasSTN, util/landmarks, Apache-2.0).
AFLW21_INDICES = (
    38791, 4645, 40513, 41090, 11869, 42824, 2087, 4409, 5958, 10602, 12149, 14471, 20203, 6388, 8319, 10258, 34981,
    5391, 8353, 11325, 48186,
)
IBUG68_INDICES = (
    22142, 22812, 22839, 23249, 44123, 45883, 47084, 47667, 48187, 48707, 49298, 50497, 52456, 32021, 32385, 32358,
    32978, 38885, 39635, 40029, 40237, 40432, 41171, 41367, 41577, 42010, 42645, 8290, 8304, 8313, 8319, 6782, 7686,
    8330, 8976, 9878, 1831, 3759, 5049, 6086, 4545, 3515, 10730, 11757, 12918, 14858, 13190, 12156, 5522, 6154,
    7441, 8344, 9505, 10798, 11198, 10178, 9276, 8373, 7470, 6565, 5908, 7321, 8353, 9385, 10940, 9140, 8366, 7193,
)
# fmt: on


def recognises(source: Source) -> bool:
    """Whether a MATLAB file holds the arrays of the shape model."""
    return source.kind in ("matlab", "hdf5") and set(NAMES) <= source.names


def read(
    path: Path, *, expression: str | os.PathLike[str] | None = None, authors_expressions: bool = False
) -> MorphableMesh:
    """Reads the shape model and, from ``expression``, its expression modes.

    Expressions of the mesh without the mouth's interior are continued into it (`laplacian.extrapolate`).

    Args:
        path: ``01_MorphableModel.mat``.
        expression: ``Model_Expression.mat``, of 53,215 or of all 53,490 vertices.
        authors_expressions: take the expressions as Bas et al. 2017 took them for their model.mat: modes without their
            standard deviations, and without the mean expression.

    Returns:
        The mesh in millimetres with its AFLW-21 and iBUG-68 landmarks.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is something else or damaged, or ``authors_expressions`` without ``expression``.
    """
    if authors_expressions and expression is None:
        raise ValueError(
            f"{path}: authors_expressions says how the expressions are taken; name their file (expression) too, "
            "or leave it out."
        )
    content = read_matlab(path, WHAT, NAMES)
    mean = mesh_arrays.vertices_of(content, "shapeMU", path, MICROMETRE)
    if len(mean) != VERTEX_COUNT:
        raise ValueError(f"{path}: shapeMU has {len(mean)} vertices; {WHAT} has {VERTEX_COUNT}.")
    deviations = mesh_arrays.deviations_of(content, "shapeEV", path)
    basis = mesh_arrays.modes_of(content, "shapePC", path, VERTEX_COUNT, MICROMETRE, deviations)
    triangles = mesh_arrays.triangles_of(content, "tl", path, mean, first=1)
    names = mesh_arrays.mode_names("identity", len(basis))
    if expression is not None:
        offset, modes = _read_expressions(Path(expression), mean, triangles, authors_expressions)
        mean, basis = mean + offset, np.concatenate([basis, modes])
        names += mesh_arrays.mode_names("expression", len(modes))
    return MorphableMesh(
        mean=mean.astype(np.float32),
        basis=basis,
        triangles=triangles,
        mode_names=names,
        landmarks={"aflw21": np.array(AFLW21_INDICES), "ibug68": np.array(IBUG68_INDICES)},
        source=SOURCE + (SOURCE_EXPRESSION if expression is not None else "") + (SOURCE_AUTHORS * authors_expressions),
        licence="research only, no redistribution (University of Basel)",
    )


def mouth_interior() -> npt.NDArray[np.bool_]:
    """(53490,) True for the vertices of the mouth's interior, which meshes of 53,215 vertices lack."""
    interior = np.zeros(VERTEX_COUNT, dtype=bool)
    for first, last in MOUTH_INTERIOR:
        interior[first : last + 1] = True
    return interior


def _read_expressions(path: Path, mean: Vertices, triangles: Indices, as_authors: bool) -> tuple[Vertices, Modes]:
    """The mean expression (V, 3) mm and the modes (K, V, 3) mm per standard deviation on the whole mesh."""
    content = read_matlab(path, WHAT_EXPRESSION, EXPRESSION_NAMES)
    offset = mesh_arrays.vertices_of(content, "mu_exp", path, MICROMETRE)
    deviations = None if as_authors else mesh_arrays.deviations_of(content, "sigma_exp", path)
    modes = mesh_arrays.modes_of(content, "w_exp", path, len(offset), MICROMETRE, deviations)
    if as_authors:
        offset = np.zeros_like(offset)
    known = ~mouth_interior()
    if len(offset) == VERTEX_COUNT:
        return offset, modes
    if len(offset) != known.sum():
        raise ValueError(
            f"{path}: mu_exp has {len(offset)} vertices; expected {known.sum()}, the mesh without the interior of "
            f"the mouth, or {VERTEX_COUNT}."
        )
    displacements = np.zeros((VERTEX_COUNT, 1 + len(modes), 3))
    displacements[known] = np.concatenate([offset[None], modes]).transpose(1, 0, 2)
    try:
        filled = extrapolate(displacements.reshape(VERTEX_COUNT, -1), known, mean, triangles)
    except ValueError as error:
        raise ValueError(f"{path}: in the mouth's interior {error}") from error
    filled = filled.reshape(displacements.shape)
    return filled[:, 0], filled[:, 1:].transpose(1, 0, 2).astype(np.float32)
