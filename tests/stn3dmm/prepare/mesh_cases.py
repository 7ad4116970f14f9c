"""Meshes for the tests of flattening: lattices, domes with holes, random discs with ears."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.spatial
import trimesh
from hypothesis import strategies as st
from stn3dmm.morphable_mesh import MorphableMesh

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Mesh = tuple[Floats, Indices]


def lattice(rows: int, columns: int, mirrored: bool = True) -> Mesh:
    """A flat rectangle, 2 wide and 2 tall, row 0 on top; diagonals mirrored about the middle, or all one way."""
    y, x = np.meshgrid(np.linspace(1, -1, rows), np.linspace(-1, 1, columns), indexing="ij")
    vertices = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3)
    triangles = []
    for row in range(rows - 1):
        for column in range(columns - 1):
            a, b = row * columns + column, (row + 1) * columns + column
            if mirrored and column >= (columns - 1) / 2:
                triangles += [[a, b, b + 1], [a, b + 1, a + 1]]
            else:
                triangles += [[a, b, a + 1], [b, b + 1, a + 1]]
    return vertices, np.array(triangles)


def lattice_mirror(rows: int, columns: int) -> Indices:
    return np.arange(rows * columns).reshape(rows, columns)[:, ::-1].ravel()


def without(mesh: Mesh, *dropped: int) -> Mesh:
    """The mesh without some vertices and all triangles that touch them."""
    vertices, triangles = mesh
    triangles = triangles[~np.isin(triangles, dropped).any(axis=1)]
    used, corner = np.unique(triangles, return_inverse=True)
    return vertices[used], corner.reshape(-1, 3)


def dome(rows: int = 15, columns: int = 13) -> Mesh:
    """A symmetric bulge with a mouth on the symmetry line and two eyes."""
    vertices, triangles = lattice(rows, columns)
    vertices[:, 2] = 1 - 0.6 * vertices[:, 0] ** 2 - 0.4 * vertices[:, 1] ** 2
    middle, eye = columns // 2, rows // 3
    return without(
        (vertices, triangles), 2 * rows // 3 * columns + middle, *(eye * columns + c for c in (3, columns - 4))
    )


def head(front: float, level: float = -0.72) -> Mesh:
    """A whole head, 2 high, cut at the neck by the plane y = level + front z: level for 0, higher in front above it."""
    sphere = trimesh.creation.icosphere(3)
    vertices, triangles = np.array(sphere.vertices), np.array(sphere.faces, dtype=np.int64)
    below = np.flatnonzero(vertices[:, 1] - front * vertices[:, 2] <= level)
    vertices = vertices * (0.75, 1.0, 0.9)
    vertices[:, 2] += 0.2 * np.exp(-20 * (vertices[:, 0] ** 2 + vertices[:, 1] ** 2)) * (vertices[:, 2] > 0)
    return without((vertices, triangles), *below)


def jittered(mesh: Mesh, amount: float, seed: int) -> Mesh:
    return mesh[0] + amount * np.random.default_rng(seed).normal(size=mesh[0].shape), mesh[1]


def morphable(mesh: Mesh, **fields: object) -> MorphableMesh:
    """A morphable mesh with a mode that widens it and one that opens it along y."""
    vertices, triangles = mesh
    modes = np.stack([vertices * (0.1, 0, 0), np.abs(vertices) * (0, 0.1, 0.05)])
    content = {"mode_names": ("identity/wide", "expression/open"), "landmarks": {}, "source": "test", **fields}
    return MorphableMesh(100 * vertices, 100 * modes, triangles, **content)  # type: ignore[arg-type]


@st.composite
def discs(draw: st.DrawFn) -> Mesh:
    """Delaunay triangulations of random points, bumpy: ears, dividing edges and slivers among them."""
    count, seed = draw(st.integers(3, 60)), draw(st.integers(0, 10_000))
    bump = draw(st.sampled_from([0.0, 0.1, 1.0, 10.0]))
    rng = np.random.default_rng(seed)
    plane = rng.uniform(-1, 1, (count, 2))
    triangles = scipy.spatial.Delaunay(plane).simplices.astype(np.int64)
    return np.column_stack([plane, bump * rng.normal(size=count)]), triangles


@st.composite
def symmetric_lattices(draw: st.DrawFn) -> tuple[Floats, Indices, Indices]:
    """Bumpy symmetric lattices with their symmetry map; the diagonals of the cells are drawn one by one."""
    rows, columns = draw(st.integers(2, 9)), draw(st.integers(3, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    vertices, _ = lattice(rows, columns)
    noise = draw(st.sampled_from([0.0, 0.1, 0.3])) / max(rows, columns) * rng.normal(size=vertices.shape)
    noise[:, 2] *= draw(st.sampled_from([1.0, 10.0, 40.0]))
    mirror = lattice_mirror(rows, columns)
    vertices = vertices + noise + noise[mirror] * (-1, 1, 1)
    a = np.arange(rows * columns).reshape(rows, columns)[:-1, :-1].ravel()
    b, c, d = a + columns, a + columns + 1, a + 1
    falling = rng.random(len(a)) < 0.5
    first = np.where(falling, [a, b, c], [a, b, d])
    second = np.where(falling, [a, c, d], [b, c, d])
    return vertices, np.concatenate([first.T, second.T]), mirror
