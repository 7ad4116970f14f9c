"""A morphable model for the tests of `stn3dmm prepare`: a dome with a mouth, two identities and one expression."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

SIDE = 13  # vertices along each side of the dome


def dome_vertices() -> np.ndarray:
    """(169, 3) a dome in millimetres, 160 wide and 200 high, row by row from its upper left."""
    y, x = np.meshgrid(np.linspace(100, -100, SIDE), np.linspace(-80, 80, SIDE), indexing="ij")
    return np.stack([x, y, 60 - x**2 / 200 - y**2 / 400], axis=-1).reshape(-1, 3)


def dome_quads() -> list[tuple[int, int, int, int]]:
    """The cells counter-clockwise seen from the front, without the one that would be the mouth."""
    cells = [(row, column) for row in range(SIDE - 1) for column in range(SIDE - 1)]
    mouth = {(8, 5), (8, 6)}
    return [
        (r * SIDE + c, (r + 1) * SIDE + c, (r + 1) * SIDE + c + 1, r * SIDE + c + 1)
        for r, c in cells
        if (r, c) not in mouth
    ]


def write_obj(path: Path, vertices: np.ndarray, uv: np.ndarray | None = None) -> Path:
    corner = "{0}" if uv is None else "{0}/{0}"
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices]
    lines += [] if uv is None else [f"vt {u:.9g} {v:.9g}" for u, v in uv]
    lines += ["f " + " ".join(corner.format(index + 1) for index in quad) for quad in dome_quads()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def own_uv() -> np.ndarray:
    """(169, 2) the dome's vertices on the square, evenly."""
    v, u = np.meshgrid(np.linspace(1, 0, SIDE), np.linspace(0, 1, SIDE), indexing="ij")
    return np.stack([u, v], axis=-1).reshape(-1, 2)


def write_model(folder: Path) -> Path:
    """The mean with texture coordinates, two identities, one expression; landmarks.json beside the folder."""
    vertices = dome_vertices()
    write_obj(folder / "mean.obj", vertices, own_uv())
    write_obj(folder / "identity" / "wide.obj", vertices * (1.1, 1, 1))
    write_obj(folder / "identity" / "deep.obj", vertices * (1, 1, 1.2))
    write_obj(folder / "expression" / "up.obj", vertices + np.array([0, 8, 0]))
    brows = [3 * SIDE + column for column in (2, 3, 4, 8, 9, 10)]
    landmarks = [*brows, *[-1] * 8, 6 * SIDE + 6, *[-1] * 5, 12 * SIDE + 6]
    (folder.parent / "landmarks.json").write_text(json.dumps({"aflw21": landmarks}))
    return folder
