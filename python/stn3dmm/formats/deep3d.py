"""The model of Deep3DFaceReconstruction (BFM_model_front.mat), a cut-out of the Basel Face Model 2009.

meanshape (1, 107127), idBase (107127, 80) and exBase (107127, 64) times their standard deviations, tri (70789, 3) and
keypoints (1, 68) from 1, counter-clockwise; 35,709 vertices; decimetres, y up, z forward. The writer is transferBFM09
(repository sicxu/Deep3DFaceRecon_pytorch, util/load_mats.py), which stores whole numbers as floats.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stn3dmm.formats import mesh_arrays
from stn3dmm.formats.matlab import read_matlab
from stn3dmm.formats.recognition import Source
from stn3dmm.morphable_mesh import MorphableMesh

WHAT = "the model of Deep3DFaceReconstruction (BFM_model_front.mat)"
OPTIONS: tuple[str, ...] = ()

NAMES = ("meanshape", "idBase", "exBase", "tri", "keypoints")
DECIMETRE = 100.0  # mm


def recognises(source: Source) -> bool:
    """Whether a MATLAB file holds the arrays of the shape model."""
    return source.kind in ("matlab", "hdf5") and {"meanshape", "idBase", "exBase"} <= source.names


def read(path: Path) -> MorphableMesh:
    """Reads the model with its 80 identity and 64 expression modes.

    Returns:
        The mesh in millimetres with its iBUG-68 landmarks.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is something else or damaged.
    """
    content = read_matlab(path, WHAT, NAMES)
    mean = mesh_arrays.vertices_of(content, "meanshape", path, DECIMETRE)
    V = len(mean)
    identity = mesh_arrays.modes_of(content, "idBase", path, V, DECIMETRE)
    expression = mesh_arrays.modes_of(content, "exBase", path, V, DECIMETRE)
    landmarks = mesh_arrays.indices_of(content, "keypoints", path, V, first=1).reshape(-1)
    if len(landmarks) != 68:
        raise ValueError(f"{path}: keypoints must be 68 vertex indices; got {len(landmarks)}.")
    return MorphableMesh(
        mean=mean.astype(np.float32),
        basis=np.concatenate([identity, expression]),
        triangles=mesh_arrays.triangles_of(content, "tri", path, mean, first=1),
        mode_names=(
            *mesh_arrays.mode_names("identity", len(identity)),
            *mesh_arrays.mode_names("expression", len(expression)),
        ),
        landmarks={"ibug68": landmarks},
        source="Basel Face Model 2009 as cut out by Deep3DFaceReconstruction",
        licence="derived from the Basel Face Model: research only",
    )
