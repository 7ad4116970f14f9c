"""The Basel Face Model 2009 without its licence: a synthetic face of its size, in its exact layout."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io
import scipy.spatial
from stn3dmm.formats import bfm2009

Array = npt.NDArray[Any]

MICROMETRES = 1000  # a mm
MOUTH = np.array([0.0, -35.0])  # mm
AXIS_LANDMARKS = {8: (0, -70), 30: (0, 0), 36: (-44, 33), 45: (44, 33)}  # iBUG: x, y in mm


@functools.cache
def face() -> tuple[Array, Array]:
    """(53490, 3) mm and (F, 3) from 0, counter-clockwise: a disc whose mouth is a pocket of the interior's vertices.

    The other vertices, in the order of their indices, are scattered over the face.
    """
    V = bfm2009.VERTEX_COUNT
    rng = np.random.default_rng(0)
    points = np.empty((V, 2))
    interior = bfm2009.mouth_interior()
    points[interior] = _disc(interior.sum(), 6.0, rng) + MOUTH
    outside = _disc(3 * V, 90.0, rng)
    outside = outside[np.linalg.norm(outside - MOUTH, axis=1) > 6.2][: V - interior.sum()]
    rim = np.linspace(0, 2 * np.pi, 600, endpoint=False)
    outside[-600:] = 91 * np.stack([np.cos(rim), np.sin(rim)], axis=-1)
    points[~interior] = outside
    for landmark, place in AXIS_LANDMARKS.items():
        vertex = bfm2009.IBUG68_INDICES[landmark]
        there = np.argmin(np.linalg.norm(points - place, axis=1))
        points[[vertex, there]] = points[[there, vertex]]
    r2 = (points**2).sum(axis=1)
    pocket = np.maximum(0, 1 - ((points - MOUTH) ** 2).sum(axis=1) / 6.5**2)
    nose = 25 * np.exp(-r2 / 200)
    depth = 100 - r2 / 120 + nose - 12 * pocket
    return np.column_stack([points, depth]), scipy.spatial.Delaunay(points).simplices.astype(np.int64)


def _disc(count: int, radius: float, rng: np.random.Generator) -> Array:
    """The middle of a sunflower: points of even density, a little out of place so that no four lie on a circle."""
    k = np.arange(count) + 0.5
    r, angle = radius * np.sqrt(k / count), k * np.pi * (3 - np.sqrt(5))
    order = rng.permutation(count)
    points = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=-1)
    return (points + rng.normal(0, 1e-3, points.shape))[order]


def shape_content(K: int) -> dict[str, Array]:
    """01_MorphableModel.mat of the face with K modes of noise."""
    N = 3 * bfm2009.VERTEX_COUNT
    modes = np.random.default_rng(1).normal(size=(K, N)) / np.sqrt(N) * np.geomspace(884.34, 10, K)[:, None]
    return shape_layout(*face(), modes.reshape(K, -1, 3))


def shape_layout(vertices: Array, triangles: Array, modes: Array) -> dict[str, Array]:
    """01_MorphableModel.mat: single precision, columns, triangles from 1 and clockwise, deviations apart.

    From vertices (N, 3) mm, triangles (F, 3) from 0, counter-clockwise, and modes (K, N, 3) mm per deviation.
    """
    columns = modes.reshape(len(modes), -1).T * MICROMETRES
    lengths = np.linalg.norm(columns, axis=0, keepdims=True)
    return {
        "shapeMU": (vertices * MICROMETRES).reshape(-1, 1).astype(np.float32),
        "shapePC": np.asfortranarray((columns / lengths).astype(np.float32)),
        "shapeEV": lengths.T.astype(np.float32),
        "texMU": np.full((3 * len(vertices), 1), 128, dtype=np.float32),
        "tl": (triangles[:, ::-1] + 1).astype(np.int32),
        "segbin": np.ones((len(vertices), 4), dtype=np.uint8),
    }


def displacements(K: int, points: Array | None = None) -> Array:
    """(1 + K, N, 3) mm: the mean expression and K modes, smooth functions of the place (N, 2) on the face.

    At the face's own vertices without ``points``.
    """
    x, y = (face()[0] if points is None else points)[:, :2].T / 90
    waves = [
        [np.sin(2 * x + k), np.cos(1.5 * y - k) * x, np.exp(-(x**2) - (y + 0.4 + 0.1 * k) ** 2)] for k in range(1 + K)
    ]
    return 5 * np.array(waves).transpose(0, 2, 1)


def expression_content(K: int, keep: Array | None = None) -> dict[str, Array]:
    """Model_Expression.mat with K modes of `displacements`, and their mean."""
    return expression_layout(displacements(K), keep)


def expression_layout(moves: Array, keep: Array | None = None) -> dict[str, Array]:
    """Model_Expression.mat on the mesh without the mouth's interior: double precision, columns, deviations apart.

    From the mean expression and the modes (1 + K, N, 3) mm per deviation.
    """
    keep = ~bfm2009.mouth_interior() if keep is None else keep
    columns = moves[:, keep].reshape(len(moves), -1).T * MICROMETRES
    sigma = deviations(len(moves) - 1)
    return {"mu_exp": columns[:, :1], "w_exp": columns[:, 1:] / sigma, "sigma_exp": sigma.reshape(-1, 1)}


def deviations(K: int) -> Array:
    """(K,) the standard deviations of the expressions."""
    return np.linspace(1.5, 0.25, K)


def write(folder: Path, identity: int = 3, expressions: int = 2) -> tuple[Path, Path]:
    """The two files with so many modes; the real ones have 199 and 29."""
    shape, expression = folder / "01_MorphableModel.mat", folder / "Model_Expression.mat"
    scipy.io.savemat(shape, shape_content(identity))
    scipy.io.savemat(expression, expression_content(expressions))
    return shape, expression
