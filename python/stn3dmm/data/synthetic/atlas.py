"""One picture that holds the colours of the face and of all that surrounds it, and where on it each triangle lies."""

from __future__ import annotations

import dataclasses
import functools

import torch

import stn3dmm_cuda
from stn3dmm_cuda.results import Fragments

from .body import SHAPES
from .regions import FINENESS

TEXELS = {"skull": 2, "fringe": 2, "mane": 4}  # per cell, powers of two, for strands of hair; 1 for the others


@dataclasses.dataclass(frozen=True, eq=False)
class Atlas:
    """The layout for a face of P x Q vertices: the face, below it the parts of `body.SHAPES`."""

    size: tuple[int, int]  # (rows, columns) texels
    tiles: dict[str, tuple[int, int, int]]  # part -> first row, rows, columns
    faces: torch.Tensor  # (F, 3) triangles of everything
    face_count: int  # of these the first belong to the face
    # (1 + F,) Of each triangle the column and the row of its corner, and the texels per cell with the triangle's
    # sign; before them a place outside, for pixels without a triangle.
    column: torch.Tensor
    row: torch.Tensor
    step: torch.Tensor

    def look_up(self, colours: torch.Tensor, fragments: Fragments) -> torch.Tensor:
        """The pixels (B, 3, H, W) with the colours of the images' atlases (B, 3, h, w), 0 where nothing is drawn."""
        B, H, W = fragments.face.shape
        face = fragments.face.flatten() + 1
        within = fragments.barycentric.reshape(-1, 3)
        step = self.step.index_select(0, face)
        at = step.new_empty(len(face), 2)
        torch.addcmul(self.column.index_select(0, face), step, within[:, 2], out=at[:, 0])
        torch.addcmul(self.row.index_select(0, face), step, within[:, 1], out=at[:, 1])
        return stn3dmm_cuda.sample(colours, at.reshape(B, H * W, 2)).reshape(B, 3, H, W)


@functools.lru_cache(maxsize=4)
def atlas(grid_shape: tuple[int, int]) -> Atlas:
    """The layout for a face of P x Q vertices."""
    P, Q = grid_shape
    tiles, faces, places = {}, [], []
    vertex, row, width = 0, 0, 0
    for name, (rows, columns) in {"face": grid_shape, **SHAPES}.items():
        fine = FINENESS if name == "face" else TEXELS.get(name, 1)
        tall, wide = fine * (rows - 1) + 1, fine * (columns - 1) + 1
        tiles[name] = (row, tall, wide)
        faces.append(stn3dmm_cuda.grid_faces((rows, columns)) + vertex)
        cell = torch.arange(len(faces[-1])) // 2
        second = torch.arange(len(faces[-1])) % 2
        corner = torch.stack([cell % (columns - 1) + second, cell // (columns - 1) + second, 1 - 2 * second], dim=1)
        places.append(corner * fine + torch.tensor([0, row, 0]))
        vertex, row, width = vertex + rows * columns, row + tall, max(width, wide)
    column, line, step = torch.cat([torch.tensor([[-9, -9, 0]]), *places]).float().unbind(1)
    count = 2 * (P - 1) * (Q - 1)
    return Atlas(
        (row, width), tiles, torch.cat(faces), count, column.contiguous(), line.contiguous(), step.contiguous()
    )
