"""The model of 3DDFA_V2 (bfm_noneck_v3.pkl, with tri.pkl beside it), the Basel Face Model 2009 without neck and ears.

``bfm_noneck_v3.pkl``: u (115095, 1), w_shp and w_exp (115095, K), keypoints (204,) = x, y, z rows of the 68 landmarks,
from 0; 38,365 vertices; micrometres, y up, z forward. ``tri.pkl``: (3, 76073) from 0, clockwise; the triangles in the
first file, where it has any, belong to another mesh. Both lie in the folder configs of repository cleardusk/3DDFA_V2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stn3dmm.formats import mesh_arrays
from stn3dmm.formats.mesh_arrays import Arrays, Indices, Modes
from stn3dmm.formats.recognition import Source
from stn3dmm.formats.restricted_pickle import read_array, read_arrays
from stn3dmm.morphable_mesh import MorphableMesh

WHAT = "the model of 3DDFA_V2 (bfm_noneck_v3.pkl)"
WHAT_TRIANGLES = "the triangles of 3DDFA_V2's model (tri.pkl, beside the model)"
OPTIONS: tuple[str, ...] = ()

NAMES = ("u", "w_shp", "w_exp", "keypoints")
TRIANGLES = "tri.pkl"
MICROMETRE = 1e-3  # mm

# Standard deviations of the first modes over the data set 300W-LP, by which 3DDFA_V2 normalises its parameters; the
# model's own file has none. From param_mean_std_62d_120x120.pkl of cleardusk/3DDFA_V2 (MIT), to six digits.
# fmt: off
IDENTITY_DEVIATIONS = (
    575421.1, 277649.1, 258336.8, 255163.1, 150994.4, 160086.1, 111277.3, 97311.8, 117198.5, 89317.4, 88493.6,
    72229.9, 71080.2, 50014.0, 55968.6, 47525.5, 49515.1, 38161.5, 44872.1, 46273.2, 38116.8, 28191.2, 32191.4,
    36006.2, 32559.9, 25551.1, 24267.5, 27521.4, 23166.5, 21101.6, 19412.3, 19452.2, 17455.0, 22537.6, 16174.3,
    14671.6, 15115.7, 13870.1, 13746.3, 12663.1,
)
EXPRESSION_DEVIATIONS = (
    1.587083, 1.507701, 0.588136, 0.588974, 0.213279, 0.263020, 0.279643, 0.380302, 0.161628, 0.255969,
)
# fmt: on


def recognises(source: Source) -> bool:
    """Whether a pickle names the arrays of the model."""
    return source.kind == "pickle" and {"u", "w_shp", "w_exp"} <= source.names


def read(path: Path) -> MorphableMesh:
    """Reads the model: the 40 identity and 10 expression modes that 3DDFA_V2 uses, whose deviations are published.

    The deviations are those around the mean of 300W-LP; the mean of the model stays the one of its file.

    Returns:
        The mesh in millimetres with its iBUG-68 landmarks.

    Raises:
        FileNotFoundError: there is no such file, or no tri.pkl beside it.
        ValueError: a file is something else or damaged, or holds anything but arrays.
    """
    content = read_arrays(path, WHAT, NAMES)
    mean = mesh_arrays.vertices_of(content, "u", path, MICROMETRE)
    V = len(mean)
    identity = _modes(content, "w_shp", path, V, IDENTITY_DEVIATIONS)
    expression = _modes(content, "w_exp", path, V, EXPRESSION_DEVIATIONS)
    landmarks = _landmarks(content, path, V)
    beside = Path(path).parent / TRIANGLES
    triangles = {TRIANGLES: read_array(beside, WHAT_TRIANGLES)}
    return MorphableMesh(
        mean=mean.astype(np.float32),
        basis=np.concatenate([identity, expression]),
        triangles=mesh_arrays.triangles_of(triangles, TRIANGLES, beside, mean, first=0),
        mode_names=(
            *mesh_arrays.mode_names("identity", len(identity)),
            *mesh_arrays.mode_names("expression", len(expression)),
        ),
        landmarks={"ibug68": landmarks},
        source="Basel Face Model 2009 as cut out by 3DDFA_V2",
        licence="derived from the Basel Face Model: academic use only",
    )


def _modes(content: Arrays, name: str, path: Path, V: int, deviations: tuple[float, ...]) -> Modes:
    array = mesh_arrays.array_of(content, name, path)
    used = {name: array[:, : len(deviations)] if array.ndim == 2 else array}
    K = used[name].shape[-1] if used[name].ndim else 0
    return mesh_arrays.modes_of(used, name, path, V, MICROMETRE, np.array(deviations[:K]))


def _landmarks(content: Arrays, path: Path, V: int) -> Indices:
    rows = mesh_arrays.indices_of(content, "keypoints", path, 3 * V, first=0).reshape(-1)
    if len(rows) != 3 * 68 or (rows != (rows[::3, None] + np.arange(3)).reshape(-1)).any() or (rows[::3] % 3).any():
        raise ValueError(f"{path}: keypoints must be the x, y and z rows of 68 vertices, (204,); got ({len(rows)},).")
    return rows[::3] // 3
