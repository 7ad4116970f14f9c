"""What `prepare_model` did to a mesh and how well it went: numbers for a table, sentences, and the map for pictures."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from stn3dmm.morphable_mesh import MorphableMesh
from stn3dmm.morphable_model import MorphableModel

from .distortion import PERCENTILES, Distortion, distortion
from .resample import Location
from .topology import Floats, Indices, loop_lengths
from .uv_embedding import Embedding

CROWDED = 0.25  # of its share of the map: half of a surface that gets less has too few vertices
USUAL_SIZE = 112 * 112  # vertices of a grid
FAR = 5.0  # mm from a landmark to its grid vertex, beyond which a user is told


@dataclasses.dataclass(frozen=True, eq=False)
class FlatMap:
    """A mesh on the unit square, filled holes and split edges included: what pictures are drawn from."""

    vertices: Floats  # (R, 3) mm, the mean shape
    triangles: Indices  # (T, 3)
    uv: Floats  # (R, 2) u to the image's right, v up; NaN for vertices of no triangle
    filled: npt.NDArray[np.bool_]  # (T,) triangles over holes


@dataclasses.dataclass(frozen=True)
class Hole:
    """A hole of the mesh, filled and marked as not valid."""

    boundary_vertices: int
    perimeter: float  # mm
    grid_vertices: int  # vertices of the grid that lie in it


@dataclasses.dataclass(frozen=True, eq=False)
class PrepareReport:
    """How a mesh became a model on a grid."""

    source: str
    vertices: int  # V of the mesh
    triangles: int  # F of the mesh
    parts: int  # unconnected parts of the mesh; the largest is the face
    grid_shape: tuple[int, int]  # (P, Q)
    weights: str  # of the embedding; "imported" for given UV coordinates
    flips: dict[str, int]  # flipped triangles with each of the weights tried, in turn
    boundary_vertices: int
    holes: tuple[Hole, ...]  # longest first
    split_edges: int  # split because the square's straight sides collapse what lies beyond them
    symmetric: bool  # whether mirrored columns correspond exactly
    uv_symmetry_error: float  # largest distance of a mirrored vertex from its partner in the map; NaN without symmetry
    shape_symmetry_error: float  # mm, largest distance of the mean's grid from its mirror image
    distortion: Distortion  # of the face, holes not counted
    uncovered: int  # grid vertices outside the map, which copy their nearest neighbours inside and are not valid
    overlaps: int  # grid vertices where the map folds
    invalid: int  # grid vertices that are not valid: in holes, or uncovered
    landmarks: dict[str, Floats]  # mm on the mean shape from each landmark (L,) to its grid vertex, NaN = no landmark
    notes: tuple[str, ...]  # what a user should know, each a sentence
    map: FlatMap

    def as_dict(self) -> dict[str, Any]:
        """All but the map, as JSON knows it; what is not a number is None."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "map"}
        plain["holes"] = [dataclasses.asdict(hole) for hole in self.holes]
        plain["distortion"] = dataclasses.asdict(self.distortion)
        return {name: _plain(value) for name, value in plain.items()}


def measured(
    mesh: MorphableMesh,
    parts: int,
    flat: Embedding,
    location: Location,
    model: MorphableModel,
    landmarks: dict[str, Floats],
) -> PrepareReport:
    """The report of a model made from a mesh of so many parts."""
    refined, mirror = flat.refinement, flat.mirror
    vertices = mesh.mean.astype(np.float64)
    lifted = refined.lift @ vertices
    error = np.nan
    if mirror is not None:
        error = float(np.nanmax(np.abs(flat.uv[mirror] * (-1, 1) + (1, 0) - flat.uv[: len(mirror)])))
    holes = _holes(vertices, flat, location)
    spread = distortion(lifted, refined.triangles[~refined.filled], flat.uv)
    notes = [
        *_part_notes(mesh, parts),
        *flat.notes,
        *_share_notes(spread, model),
        *_grid_notes(holes, location),
        *_landmark_notes(landmarks, mesh, model, flat.uv),
    ]
    grid = model.mean.astype(np.float64).reshape(*model.grid_shape, 3)
    return PrepareReport(
        source=mesh.source,
        vertices=mesh.vertex_count,
        triangles=len(mesh.triangles),
        parts=parts,
        grid_shape=model.grid_shape,
        weights=flat.weights,
        flips=dict(flat.flips),
        boundary_vertices=len(flat.loops[0]),
        holes=holes,
        split_edges=flat.split,
        symmetric=mirror is not None,
        uv_symmetry_error=error,
        shape_symmetry_error=_asymmetry(grid),
        distortion=spread,
        uncovered=int((location.triangle < 0).sum()),
        overlaps=location.overlaps,
        invalid=int((~model.valid).sum()),
        landmarks=landmarks,
        notes=tuple(notes),
        map=FlatMap(lifted, refined.triangles, flat.uv, refined.filled),
    )


def _holes(vertices: Floats, flat: Embedding, location: Location) -> tuple[Hole, ...]:
    inside = location.triangle[location.triangle >= 0]
    inside = inside[flat.refinement.filled[inside]]
    # The last corner of a filling triangle is the middle of its hole.
    count = np.bincount(flat.refinement.triangles[inside, 2] - len(vertices), minlength=len(flat.loops) - 1)
    return tuple(
        Hole(len(loop), float(loop_lengths(vertices, loop).sum()), int(number))
        for loop, number in zip(flat.loops[1:], count, strict=True)
    )


def _asymmetry(grid: Floats) -> float:
    """The largest distance of a grid (P, Q, 3) from its mirror image about the plane that suits it best."""
    difference = grid - grid[:, ::-1] * (-1, 1, 1)
    difference[..., 0] -= np.median(difference[..., 0])
    return float(np.linalg.norm(difference, axis=2).max())


def _part_notes(mesh: MorphableMesh, parts: int) -> list[str]:
    return [f"Of {parts} unconnected parts the largest was taken for the face."] if parts > 1 else []


def _share_notes(spread: Distortion, model: MorphableModel) -> list[str]:
    share = spread.area[PERCENTILES.index(50)]
    if not share * max(1.0, model.vertex_count / USUAL_SIZE) < CROWDED:
        return []
    return [
        f"Half of the surface gets less than {100 * share:.2g} % of its share of the map: cut the face out of the "
        "mesh, or take a larger grid (--size)."
    ]


def _grid_notes(holes: tuple[Hole, ...], location: Location) -> list[str]:
    notes = []
    small = [str(hole.boundary_vertices) for hole in holes if hole.grid_vertices == 0]
    if len(small) == 1:
        notes.append(
            f"The hole with a rim of {small[0]} vertices lies between the grid's vertices and is not marked; a larger "
            "grid shows it."
        )
    elif small:
        notes.append(
            f"The holes with rims of {', '.join(small[:-1])} and {small[-1]} vertices lie between the grid's vertices "
            "and are not marked; a larger grid shows them."
        )
    uncovered = int((location.triangle < 0).sum())
    if uncovered:
        notes.append(f"The map leaves {uncovered:,} grid vertices uncovered; they are not valid.")
    if location.overlaps:
        notes.append(f"The map folds at {location.overlaps:,} grid vertices.")
    return notes


def _landmark_notes(landmarks: dict[str, Floats], mesh: MorphableMesh, model: MorphableModel, uv: Floats) -> list[str]:
    if not any((index >= 0).any() for index in mesh.landmarks.values()):
        return ["No landmarks: the orientation was not checked, and `stn3dmm fit` needs them (--landmarks FILE)."]
    notes = []
    on_face = np.asarray(np.isfinite(uv).all(axis=1))
    for name, distance in landmarks.items():
        lost = mesh.landmarks[name][(mesh.landmarks[name] >= 0) & (model.landmarks[name] < 0)]
        for count, where in ((~on_face[lost], "are not on the face"), (on_face[lost], "lie outside the map")):
            if count.any():
                notes.append(f"Landmarks of {name} dropped, for they {where}: {count.sum()}.")
        far = int((distance > FAR).sum())
        if far:
            notes.append(
                f"Landmarks of {name} more than {FAR:g} mm from the grid's vertices: {far}; take a larger grid."
            )
    return notes


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (tuple, list, np.ndarray)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value
