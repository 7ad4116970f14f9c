"""The Basel Face Model 2009 drawn back from what its users published: real size, indices, map and nearly its shape.

The authors' BFM_UV.mat says where each of its 53,490 vertices lies on the square, and their model.mat what face lies
there. The triangles are those of Delaunay on the square: as many as the real ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io
import scipy.ndimage
import scipy.spatial
import stn3dmm
from stn3dmm.formats import bfm2009

from . import basel_files

Array = npt.NDArray[Any]

IDENTITIES = EXPRESSIONS = 5  # of model.mat
TRIANGLES = 106466  # of the real mesh
MEAN_EXPRESSION = (0.0, 1.0, 2.0)  # mm, of every vertex: model.mat has none


def published_uv(folder: Path) -> Array:
    """(53490, 2) of BFM_UV.mat."""
    uv: Array = scipy.io.loadmat(folder / "BFM_UV.mat")["UV"]
    return uv


def write(folder: Path, published: Path) -> tuple[Path, Path]:
    """01_MorphableModel.mat and Model_Expression.mat from the folder with the authors' files.

    Read as the authors took the expressions, they give the modes of model.mat.
    """
    uv, model = published_uv(published), stn3dmm.load_model(published / "model.mat")
    triangles = symmetric_triangles(uv)
    assert triangles.shape == (TRIANGLES, 3)
    modes = at(uv, model.basis)
    sigma = basel_files.deviations(EXPRESSIONS)[:, None, None]
    moves = np.concatenate([np.broadcast_to(MEAN_EXPRESSION, (1, len(uv), 3)), modes[IDENTITIES:] * sigma])
    files = folder / "01_MorphableModel.mat", folder / "Model_Expression.mat"
    mean = at(uv, model.mean[None])[0]
    scipy.io.savemat(files[0], basel_files.shape_layout(mean, triangles, modes[:IDENTITIES]))
    scipy.io.savemat(files[1], basel_files.expression_layout(moves))
    return files


def at(uv: Array, values: Array) -> Array:
    """Values (A, P Q, 3) of the authors' grid at places on the square (V, 2): (A, V, 3)."""
    side = round(np.sqrt(values.shape[1]))
    place = [(1 - uv[:, 1]) * (side - 1), uv[:, 0] * (side - 1)]
    grids = values.reshape(-1, side, side, 3).transpose(0, 3, 1, 2).reshape(-1, side, side).astype(np.float64)
    sampled = np.array([scipy.ndimage.map_coordinates(grid, place, order=1) for grid in grids])
    return sampled.reshape(len(values), 3, -1).transpose(0, 2, 1)


def symmetric_triangles(uv: Array) -> Array:
    """(F, 3) counter-clockwise: Delaunay's of the left half, and their mirror images about u = 0.5."""
    left = np.flatnonzero(uv[:, 0] <= 0.5)
    triangles = left[scipy.spatial.Delaunay(uv[left]).simplices]
    distance, mirror = scipy.spatial.cKDTree(uv).query(uv * (-1, 1) + (1, 0))
    assert distance.max() < 1e-12
    assert len(np.unique(mirror)) == bfm2009.VERTEX_COUNT
    return np.concatenate([triangles, mirror[triangles][:, ::-1]])
