"""FLAME (Li et al. 2017, 2020, 2023) at its neutral pose, .pkl or .npz.

v_template (5023, 3), shapedirs (5023, 3, 400) = 300 identity and 100 expression modes per standard deviation,
f (9976, 3) from 0, counter-clockwise; metres, y up, z forward. The pickles are written by Python 2 with chumpy.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stn3dmm.formats import mesh_arrays
from stn3dmm.formats.mesh_arrays import Arrays
from stn3dmm.formats.npz import read_npz
from stn3dmm.formats.recognition import Source
from stn3dmm.formats.restricted_pickle import read_arrays
from stn3dmm.morphable_mesh import MorphableMesh

WHAT = "FLAME (generic_model.pkl, flame2023.pkl or .npz)"
OPTIONS: tuple[str, ...] = ()

NAMES = ("v_template", "shapedirs", "f")
VERTICES = 5023
LICENCE = "FLAME's own: research only, but for FLAME 2023 Open (CC-BY-4.0)"
IDENTITY_MODES = 300  # the modes after them are expressions
METRE = 1000.0  # mm


def recognises(source: Source) -> bool:
    """Whether a pickle or an .npz archive names the arrays of the model."""
    return source.kind in ("pickle", "zip") and set(NAMES) <= source.names


def read(path: Path) -> MorphableMesh:
    """Reads the head with its identity and expression modes; jaw, neck and eyes stay in their neutral pose.

    FLAME's landmarks are not among its vertices; give your own. Bodies, hands and cuts of FLAME come in the same
    layout: a mesh of another size is read as well, and not called FLAME.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is something else or damaged, or holds anything but arrays.
    """
    content = _arrays(path)
    mean = mesh_arrays.vertices_of(content, "v_template", path, METRE)
    V = len(mean)
    directions = mesh_arrays.real_array(content, "shapedirs", path)
    if directions.ndim != 3 or directions.shape[:2] != (V, 3):
        raise ValueError(f"{path}: shapedirs must be ({V}, 3, K) for {V} vertices; got {directions.shape}.")
    basis = mesh_arrays.modes_of({"shapedirs": directions.reshape(3 * V, -1)}, "shapedirs", path, V, METRE)
    identity = min(len(basis), IDENTITY_MODES)
    return MorphableMesh(
        mean=mean.astype(np.float32),
        basis=basis,
        triangles=mesh_arrays.triangles_of(content, "f", path, mean, first=0),
        mode_names=(
            *mesh_arrays.mode_names("identity", identity),
            *mesh_arrays.mode_names("expression", len(basis) - identity),
        ),
        landmarks={},
        source="FLAME" if V == VERTICES else f"a model in the layout of FLAME, {V} vertices",
        licence=LICENCE if V == VERTICES else "",
    )


def _arrays(path: Path) -> Arrays:
    if Source(Path(path)).kind == "zip":
        return read_npz(path, WHAT, NAMES)
    return read_arrays(path, WHAT, NAMES)
