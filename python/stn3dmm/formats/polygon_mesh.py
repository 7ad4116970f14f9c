"""Polygons as mesh files hold them, before they become triangles."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True, eq=False)
class PolygonMesh:
    """Vertices in the order of the file, which is what makes the shapes of one model correspond."""

    vertices: npt.NDArray[np.float64]  # (V, 3)
    corners: npt.NDArray[np.int64]  # (C,) vertices of the polygons, one polygon after the other
    counts: npt.NDArray[np.int64]  # (F,) corners of each polygon, at least 3
    texture: npt.NDArray[np.int64] | None = None  # (C,) texture vertex of each corner, -1 = none
    texture_vertices: npt.NDArray[np.float64] | None = None  # (T, 2)

    def part(self, vertex_count: int, polygon_count: int) -> PolygonMesh:
        """The first polygons on the first vertices.

        Raises:
            ValueError: the mesh is smaller, or one of these polygons has another vertex.
        """
        V, F = len(self.vertices), len(self.counts)
        if vertex_count > V or polygon_count > F:
            raise ValueError(f"expected at least {vertex_count} vertices and {polygon_count} polygons; got {V} and {F}")
        C = int(self.counts[:polygon_count].sum())
        if C and self.corners[:C].max() >= vertex_count:
            raise ValueError(f"the first {polygon_count} polygons must lie on the first {vertex_count} vertices")
        texture = None if self.texture is None else self.texture[:C]
        return PolygonMesh(
            self.vertices[:vertex_count], self.corners[:C], self.counts[:polygon_count], texture, self.texture_vertices
        )

    def triangles(self) -> npt.NDArray[np.int64]:
        """(F', 3): quads are split along the shorter diagonal, larger polygons as a fan from their first corner.

        The shorter diagonal is the same on both sides of a symmetric face; the first corner is not.
        Triangles with a corner twice, to which exporters collapse polygons, are left out.
        """
        starts = np.cumsum(self.counts) - self.counts
        pieces = []
        for count in np.unique(self.counts).tolist():
            polygons = self.corners[starts[self.counts == count][:, None] + np.arange(count)]
            if count == 4:
                polygons = self._turned_to_shorter_diagonal(polygons)
            fan = np.stack([polygons[:, [0, k, k + 1]] for k in range(1, count - 1)], axis=1)
            order = np.repeat(np.flatnonzero(self.counts == count), count - 2)
            pieces.append(np.column_stack([order, fan.reshape(-1, 3)]))
        joined = np.concatenate(pieces) if pieces else np.empty((0, 4), dtype=np.int64)
        triangles = joined[np.argsort(joined[:, 0], kind="stable"), 1:]
        a, b, c = triangles.T
        return np.ascontiguousarray(triangles[(a != b) & (b != c) & (c != a)])

    def _turned_to_shorter_diagonal(self, quads: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        a, b, c, d = (self.vertices[quads[:, k]] for k in range(4))
        turn = np.linalg.norm(d - b, axis=1) < np.linalg.norm(c - a, axis=1)
        return np.where(turn[:, None], np.roll(quads, -1, axis=1), quads)

    def vertex_uv(self) -> npt.NDArray[np.float64] | None:
        """(V, 2) texture coordinates; None where there are none, or where a vertex has several (a texture seam)."""
        if self.texture is None or self.texture_vertices is None or (self.texture < 0).any():
            return None
        uv = np.full((len(self.vertices), 2), np.nan)
        uv[self.corners] = self.texture_vertices[self.texture]
        same = (uv[self.corners] == self.texture_vertices[self.texture]).all()
        return uv if same and np.isfinite(uv).all() else None

    def same_polygons(self, other: PolygonMesh) -> bool:
        """Whether both have the same number of vertices and the same polygons on them."""
        return (
            len(self.vertices) == len(other.vertices)
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.corners, other.corners)
        )
