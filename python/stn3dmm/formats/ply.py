"""PLY by trimesh, its vertices in the order of the file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats.polygon_mesh import PolygonMesh


def is_ply(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is PLY, text or binary."""
    return head[:4] in (b"ply\n", b"ply\r")


def read_ply(path: Path) -> PolygonMesh:
    """Reads vertices, polygons and, where vertices or corners have them, texture coordinates.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a PLY file, damaged, or an index of no vertex.
    """
    content = existing_file(path, "a mesh in a PLY file").read_bytes()
    mesh = _load(path, content, split_seams=False)
    vertices = np.asarray(mesh.get("vertices", np.empty((0, 3))), dtype=np.float64)
    corners = np.asarray(mesh["faces"] if mesh.get("faces") is not None else np.empty((0, 3), dtype=np.int64))
    if corners.ndim != 2 or corners.shape[1] < 3 or corners.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: expected polygons of at least 3 vertex indices; got {corners.shape} {corners.dtype}."
        )
    F, n = corners.shape
    wrong = corners[(corners < 0) | (corners >= len(vertices))]
    if len(wrong):
        raise ValueError(f"{path}: a polygon has the vertex {wrong[0]}; there are {len(vertices)}, counted from 0.")
    uv, texture = _texture(path, content, mesh, corners)
    return PolygonMesh(vertices, corners.reshape(-1).astype(np.int64), np.full(F, n), texture, uv)


def _texture(
    path: Path, content: bytes, mesh: dict[str, Any], corners: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64] | None, npt.NDArray[np.int64] | None]:
    """Texture vertices (T, 2) and those of the corners (C,)."""
    uv = getattr(mesh.get("visual"), "uv", None)
    if uv is None:
        return None, None
    # Where corners have coordinates of their own, trimesh splits a vertex on a seam, or keeps one of its coordinates.
    split = _load(path, content, split_seams=True)
    if len(split["vertices"]) > len(np.unique(corners)):
        uv, corners = split["visual"].uv, np.asarray(split["faces"])
    return np.asarray(uv, dtype=np.float64), corners.reshape(-1).astype(np.int64)


def _load(path: Path, content: bytes, split_seams: bool) -> dict[str, Any]:
    from trimesh.exchange.ply import load_ply

    try:
        return dict(load_ply(io.BytesIO(content), fix_texture=split_seams, skip_materials=True))
    except Exception as error:  # a different type for each kind of damage
        raise ValueError(
            f"{path}: not a readable PLY file: damaged, cut off, or binary with polygons of several sizes, which are "
            "not read; export it again, as triangles or as OBJ."
        ) from error
