"""ICT-FaceKit (Li et al. 2020, MIT): the folder ``FaceXModel`` with a neutral face, identities and expressions as OBJ.

Centimetres, y up, z forward, counter-clockwise; quads. ``identityNNN.obj`` is the neutral face plus one standard
deviation of a principal component: the toolkit draws random people with weights from N(0, 1)
(``FaceModel.randomize_identity``). The expressions are blendshapes with ARKit's names, weights 0 to 1.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats import blendshapes
from stn3dmm.formats.obj import read_obj, read_obj_vertices
from stn3dmm.formats.polygon_mesh import PolygonMesh
from stn3dmm.formats.recognition import Source
from stn3dmm.morphable_mesh import MorphableMesh

WHAT = "ICT-FaceKit (its folder FaceXModel)"
OPTIONS = ("part",)

NEUTRAL = "generic_neutral_mesh.obj"
INDICES = "vertex_indices.json"
MILLIMETRES = 10.0  # per unit of the files
# The first so many vertices and polygons, as the toolkit's README lists them.
PARTS = {"full": (9409, 9230), "narrow": (6706, 6560)}


def recognises(source: Source) -> bool:
    """Whether it is the folder FaceXModel, or the repository with this folder inside."""
    return source.kind == "folder" and (
        {NEUTRAL, INDICES} <= source.names or (source.path / "FaceXModel" / NEUTRAL).is_file()
    )


def read(path: Path, *, part: str = "full") -> MorphableMesh:
    """Reads the face with every identity and expression whose OBJ file is at hand.

    Args:
        path: the folder ``FaceXModel``, or the repository.
        part: "full" (face with ears and neck, 9,409 vertices) or "narrow" (without them, 6,706 vertices).

    Returns:
        The face in millimetres. Expressions are scaled to one standard deviation (`blendshapes`) and come in the order
        of their size, so that the first ones matter most: the files have no order but the alphabet's. The landmarks
        are iBUG-68, the texture coordinates those of the neutral face.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: an unknown part, or a file that is damaged or of another mesh.
    """
    if part not in PARTS:
        raise ValueError(f"{path}: part (--part) must be {' or '.join(map(repr, PARTS))}; got {part!r}.")
    folder = path if (path / NEUTRAL).is_file() else path / "FaceXModel"
    whole = read_obj(folder / NEUTRAL)
    try:
        neutral = whole.part(*PARTS[part])
    except ValueError as error:
        raise ValueError(f"{folder / NEUTRAL}: not the neutral face of ICT-FaceKit: {error}.") from error
    indices = _read_indices(folder / INDICES)
    shapes = _shapes(folder, indices)
    modes: dict[str, npt.NDArray[np.float32]] = {}
    for name, file in shapes.items():
        sigma = blendshapes.STANDARD_DEVIATION if name.startswith("expression/") else 1.0
        modes[name] = (_displacement(file, whole, neutral) * (sigma * MILLIMETRES)).astype(np.float32)
    names = sorted(modes, key=lambda name: _place(name, modes[name]))
    return MorphableMesh(
        mean=(neutral.vertices * MILLIMETRES).astype(np.float32),
        basis=np.array([modes[name] for name in names], dtype=np.float32).reshape(-1, *neutral.vertices.shape),
        triangles=neutral.triangles(),
        mode_names=tuple(names),
        landmarks={"ibug68": _landmarks(indices, folder / INDICES, len(whole.vertices), len(neutral.vertices))},
        uv=neutral.vertex_uv(),
        source=f"ICT-FaceKit, {part} face",
        licence="MIT, Copyright (c) 2020 USC Institute for Creative Technologies",
    )


def _shapes(folder: Path, indices: dict[str, Any]) -> dict[str, Path]:
    """The files of the modes by name: all identities, and the expressions that vertex_indices.json lists."""
    files = {file.stem: file for file in folder.glob("*.obj")}
    numbers = [match[1] for match in map(re.compile(r"identity(\d{3})").fullmatch, files) if match]
    shapes = {f"identity/{number}": files[f"identity{number}"] for number in numbers}
    expressions = indices.get("expressions")
    if not isinstance(expressions, list) or not all(isinstance(name, str) for name in expressions):
        raise ValueError(f"{folder / INDICES}: 'expressions' must be a list of names.")
    return shapes | {f"expression/{name}": files[name] for name in expressions if name in files}


def _place(name: str, mode: npt.NDArray[np.float32]) -> tuple[bool, float, str]:
    """Where a mode comes: identities by number, then expressions by size, the two sides of one by name."""
    expression = name.startswith("expression/")
    size = float(np.linalg.norm(mode, axis=1).mean()) if expression else 0.0  # mm
    return expression, -round(size, 2), name


def _displacement(file: Path, whole: PolygonMesh, neutral: PolygonMesh) -> npt.NDArray[np.float64]:
    count, vertices = read_obj_vertices(file, len(neutral.vertices))
    if count != len(whole.vertices):
        raise ValueError(f"{file}: expected {len(whole.vertices)} vertices as in {NEUTRAL}; got {count}.")
    displacement = vertices - neutral.vertices
    if not np.isfinite(displacement).all():
        raise ValueError(f"{file}: a vertex is NaN or infinite; get the file again.")
    return displacement


def _read_indices(path: Path) -> dict[str, Any]:
    text = existing_file(path, "the vertex indices of ICT-FaceKit").read_bytes()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable JSON ({error}).") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object; got {type(content).__name__}.")
    return content


def _landmarks(indices: dict[str, Any], path: Path, whole_count: int, count: int) -> npt.NDArray[np.int64]:
    listed = indices.get("idx_to_landmark_verts")
    if not isinstance(listed, list) or len(listed) != 68 or not all(type(index) is int for index in listed):
        raise ValueError(f"{path}: 'idx_to_landmark_verts' must be 68 vertex indices.")
    if not all(0 <= index < whole_count for index in listed):
        raise ValueError(f"{path}: 'idx_to_landmark_verts' must lie in 0..{whole_count - 1}.")
    return np.array([index if index < count else -1 for index in listed], dtype=np.int64)
