"""Faces to measure on: the embedded model and, where STN3DMM_DATA names a folder that holds them, three others.

They are not part of the project: bas2017/model.mat, ict/generic_neutral_mesh.obj, sfm/sfm_shape_3448.bin.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import stn3dmm
import torch

from stn3dmm_cuda import grid_faces


@dataclasses.dataclass(frozen=True)
class Mesh:
    """A mean face in a frame with y up and z towards the viewer."""

    name: str
    vertices: torch.Tensor  # (N, 3) float64, the file's own unit
    faces: torch.Tensor  # (F, 3) int64, counter-clockwise seen from outside
    grid_shape: tuple[int, int] | None = None  # (P, Q) if the faces are those of a texture grid

    @property
    def topology(self) -> dict[str, Any]:
        """As arguments of `visibility`."""
        return {"faces": self.faces} if self.grid_shape is None else {"grid_shape": self.grid_shape}


def of_model(name: str, model: stn3dmm.MorphableModel) -> Mesh:
    vertices = torch.from_numpy(model.mean.astype(np.float64))
    return Mesh(
        f"{name}, {model.grid_shape[0]} x {model.grid_shape[1]}",
        vertices,
        grid_faces(model.grid_shape),
        model.grid_shape,
    )


def read_obj(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices and triangles of an .obj file; a polygon becomes a fan."""
    vertices: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    for line in path.read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "f":
            first, *rest = [int(word.split("/")[0]) - 1 for word in words]
            faces += [(first, here, after) for here, after in itertools.pairwise(rest)]
    return torch.tensor(vertices, dtype=torch.float64), torch.tensor(faces)


def read_surrey(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and triangles of a model in the binary form of eos: a version, three float32 matrices, the triangles."""
    content = path.read_bytes()
    offset, matrices = 4, []
    for _ in ("mean", "basis", "eigenvalues"):
        rows, columns = struct.unpack_from("<ii", content, offset)
        matrices.append(np.frombuffer(content, "<f4", rows * columns, offset + 8))
        offset += 8 + 4 * rows * columns
    (count,) = struct.unpack_from("<Q", content, offset)
    faces = np.frombuffer(content, "<i4", 3 * count, offset + 8).reshape(-1, 3)
    return torch.from_numpy(matrices[0].reshape(-1, 3).astype(np.float64)), torch.from_numpy(faces.astype(np.int64))


def basel(folder: Path) -> Mesh:
    return of_model("Basel", stn3dmm.load_model(folder / "bas2017" / "model.mat"))


def ict(folder: Path) -> Mesh:
    """The whole head with eyeballs, teeth and tongue: open, in many parts, most of them hidden."""
    return Mesh("ICT-FaceKit", *read_obj(folder / "ict" / "generic_neutral_mesh.obj"))


def surrey(folder: Path) -> Mesh:
    return Mesh("Surrey", *read_surrey(folder / "sfm" / "sfm_shape_3448.bin"))


REAL: dict[str, Callable[[Path], Mesh]] = {"Basel": basel, "ICT-FaceKit": ict, "Surrey": surrey}


def available(skipped: Callable[[str], None]) -> list[Mesh]:
    """All meshes that this machine has; `skipped` hears of the others, one sentence each."""
    meshes = [of_model("embedded", stn3dmm.embedded_model())]
    folder = os.environ.get("STN3DMM_DATA")
    for name, read in REAL.items():
        if folder is None:
            skipped(f"{name}: set STN3DMM_DATA to the folder that holds bas2017/, ict/ and sfm/ to measure it.")
            continue
        try:
            meshes.append(read(Path(folder)))
        except FileNotFoundError as error:
            skipped(f"{name}: {error}")
    return meshes
