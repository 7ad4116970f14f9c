"""The Basel Face Models 2017, 2019 and 2023 (.h5 in the layout of Statismo).

Groups shape and expression: model/mean (3 V,), model/pcaBasis (3 V, K) orthonormal, model/pcaVariance (K,);
shape/representer/points (3, V) and cells (3, F) from 0; metadata/landmarks/json. The mean of the expressions is an
offset. Millimetres, y up, z forward, counter-clockwise. V depends on the year and the cut: 53,149 for
model2017-1_bfm_nomouth.
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import scipy.spatial

from stn3dmm.formats import mesh_arrays
from stn3dmm.formats.hdf5 import dataset_of, open_hdf5, read_numbers, read_text
from stn3dmm.formats.mesh_arrays import Arrays, Indices, Modes, Vertices
from stn3dmm.formats.recognition import Source
from stn3dmm.morphable_mesh import MorphableMesh
from stn3dmm.morphable_model import LANDMARK_SETS

WHAT = "a Basel Face Model 2017, 2019 or 2023 (.h5)"
OPTIONS: tuple[str, ...] = ()

PARTS = ("mean", "pcaBasis", "pcaVariance")
CELLS = "shape/representer/cells"
POINTS = "shape/representer/points"
LANDMARKS = "metadata/landmarks/json"
FARTHEST = 5.0  # mm from a landmark to its vertex: the cuts of the face lack the ears, and keep their landmarks

# The landmarks that the file names, by their places in AFLW-21 and iBUG-68 (both from 0).
NAMES_OF_AFLW21 = {
    6: "right.eye.corner_outer",
    7: "right.eye.pupil.center",
    8: "right.eye.corner_inner",
    9: "left.eye.corner_inner",
    10: "left.eye.pupil.center",
    11: "left.eye.corner_outer",
    12: "right.ear.lobule.tip",
    13: "right.nose.wing.outer",
    14: "center.nose.tip",
    15: "left.nose.wing.outer",
    16: "left.ear.lobule.tip",
    17: "right.lips.corner",
    18: "center.lips.upper.inner",
    19: "left.lips.corner",
    20: "center.chin.tip",
}
NAMES_OF_IBUG68 = {
    8: "center.chin.tip",
    30: "center.nose.tip",
    33: "center.nose.attachement_to_philtrum",  # the file's spelling
    36: "right.eye.corner_outer",
    39: "right.eye.corner_inner",
    42: "left.eye.corner_inner",
    45: "left.eye.corner_outer",
    48: "right.lips.corner",
    50: "right.lips.philtrum_ridge",
    51: "center.lips.upper.outer",
    52: "left.lips.philtrum_ridge",
    54: "left.lips.corner",
    57: "center.lips.lower.outer",
    62: "center.lips.upper.inner",
    66: "center.lips.lower.inner",
}
NAMES_OF_SET = {"aflw21": NAMES_OF_AFLW21, "ibug68": NAMES_OF_IBUG68}


def recognises(source: Source) -> bool:
    """Whether an HDF5 file has the shape model's group."""
    return source.kind == "hdf5" and "shape" in source.names


def read(path: Path) -> MorphableMesh:
    """Reads the shape model and, where the file has them, its expressions.

    Returns:
        The mesh in millimetres; 15 landmarks each of AFLW-21 and iBUG-68 at the vertices closest to those that the file
        names, -1 where the mesh has been cut off.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is something else or damaged.
    """
    with open_hdf5(path, WHAT) as file:
        mean, identity = _model(file, "shape", path)
        expression = np.empty((0, len(mean), 3), dtype=np.float32)
        offset = np.zeros_like(mean)
        if dataset_of(file, "expression/model/mean") is not None:
            offset, expression = _model(file, "expression", path)
        if len(offset) != len(mean):
            raise ValueError(f"{path}: the expressions have {len(offset)} vertices, the shape {len(mean)}.")
        cells = {CELLS: read_numbers(file, CELLS, path)}
        landmarks = _landmarks(file, mean, path)
    return MorphableMesh(
        mean=(mean + offset).astype(np.float32),
        basis=np.concatenate([identity, expression]),
        triangles=mesh_arrays.triangles_of(cells, CELLS, path, mean, first=0),
        mode_names=(
            *mesh_arrays.mode_names("identity", len(identity)),
            *mesh_arrays.mode_names("expression", len(expression)),
        ),
        landmarks=landmarks,
        source="Basel Face Model (h5)",
        licence="research only, no redistribution (University of Basel)",
    )


def _model(file: h5py.File, group: str, path: Path) -> tuple[Vertices, Modes]:
    content: Arrays = {f"{group}/model/{part}": read_numbers(file, f"{group}/model/{part}", path) for part in PARTS}
    mean, basis, variance = content
    vertices = mesh_arrays.vertices_of(content, mean, path, unit=1.0)
    deviations = mesh_arrays.deviations_of(content, variance, path, variances=True)
    return vertices, mesh_arrays.modes_of(content, basis, path, len(vertices), 1.0, deviations)


def _landmarks(file: h5py.File, mean: Vertices, path: Path) -> dict[str, Indices]:
    text = read_text(file, LANDMARKS)
    if text is None:
        return {}
    named = _named_points(text, path)
    if not named:
        return {}
    vertex = dict(zip(named, _closest(file, mean, np.array(list(named.values())), path), strict=True))
    landmarks = {}
    for set_name, names in NAMES_OF_SET.items():
        landmarks[set_name] = np.full(LANDMARK_SETS[set_name], -1, dtype=np.int64)
        for index, name in names.items():
            landmarks[set_name][index] = vertex.get(name, -1)
    return landmarks


def _named_points(text: str, path: Path) -> dict[str, tuple[float, ...]]:
    """[{"id": name, "coordinates": [x, y, z]}, ...] as points by name."""
    try:
        points = {entry["id"]: tuple(float(value) for value in entry["coordinates"]) for entry in json.loads(text)}
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ValueError(f"{path}: {LANDMARKS} is not the list of landmarks that it should be ({error}).") from error
    if not all(isinstance(name, str) and len(point) == 3 for name, point in points.items()):
        raise ValueError(f"{path}: {LANDMARKS} must give a name and three coordinates for each landmark.")
    if not np.isfinite(list(points.values())).all():
        raise ValueError(f"{path}: {LANDMARKS} holds NaN or infinity.")
    return points


def _closest(file: h5py.File, mean: Vertices, points: npt.NDArray[np.float64], path: Path) -> list[int]:
    """The vertex closest to each point, -1 where none is near.

    The file does not say whether its landmarks lie on the mean or on the mesh that it was built with; they lie on
    vertices of one of them.
    """
    surfaces = [mean]
    if dataset_of(file, POINTS) is not None:
        reference = read_numbers(file, POINTS, path)
        if reference.shape == (3, len(mean)) and np.isfinite(reference).all():
            surfaces.append(reference.T.astype(np.float64))
    found = [scipy.spatial.cKDTree(surface).query(points) for surface in surfaces]
    distance, vertex = min(found, key=lambda answer: float(np.median(answer[0])))
    return [int(index) if near else -1 for index, near in zip(vertex, distance <= FARTHEST, strict=True)]
