"""One's own model: meshes of one topology as OBJ or PLY, the mean and a shape for every mode.

A file alone is a face without modes. A folder has the mean and its modes, each file named after its mode, all with the
same polygons::

    mean.obj            or mean.ply
    identity/*.obj      the mean plus one standard deviation of a mode
    expression/*.obj    blendshapes: the whole expression on the mean face

Modes come in the order of their names, numbers in them by value. y is up and the face looks along z, as in glTF.
Neither format has a unit: the power of ten is taken that makes the largest extent of the mean 100 to 1000 mm, which no
face or head leaves. Triangles are turned if they face inwards.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats import blendshapes
from stn3dmm.formats.obj import is_obj, read_obj
from stn3dmm.formats.orientation import is_inside_out
from stn3dmm.formats.ply import is_ply, read_ply
from stn3dmm.formats.polygon_mesh import PolygonMesh
from stn3dmm.formats.recognition import HEAD_BYTES, Source
from stn3dmm.morphable_mesh import MorphableMesh

WHAT = "a mesh (OBJ or PLY), or a folder with mean.obj or mean.ply"
OPTIONS = ("expression",)

MEANS = ("mean.obj", "mean.ply")
SUFFIXES = (".obj", ".ply")
LEAST_EXTENT = 100.0  # mm

_log = logging.getLogger(__name__)


def recognises(source: Source) -> bool:
    """Whether it is OBJ or PLY, or a folder with the mean as one of these."""
    if source.kind == "folder":
        return not source.names.isdisjoint(MEANS)
    return source.kind == "other" and (is_ply(source.head) or is_obj(source.head))


def read(path: Path, *, expression: str | os.PathLike[str] | None = None) -> MorphableMesh:
    """Reads the mean and the modes of the folder; ``expression`` names a shape, or a folder of shapes, to add.

    Returns:
        The model in millimetres, without landmarks; expressions are scaled to one standard deviation
        (`blendshapes`). Texture coordinates where every vertex has one.

    Raises:
        FileNotFoundError: a file or folder is missing.
        ValueError: a file that is damaged, or of another topology than the mean; two files for the mean or one mode.
    """
    mean_file = _mean_file(path)
    mean = _read_polygons(mean_file)
    scale = _millimetres(mean.vertices, mean_file)
    shapes: dict[str, Path] = {}
    if path.is_dir():
        for kind in ("identity", "expression"):
            _name_shapes(shapes, kind, _mesh_files(path / kind))
    if expression is not None:
        _name_shapes(shapes, "expression", _expression_files(Path(expression)))
    triangles = mean.triangles()
    if len(triangles) == 0:
        raise ValueError(f"{mean_file}: every polygon has a corner twice; expected a surface.")
    if is_inside_out(mean.vertices, triangles):
        _log.info("%s: its triangles faced inwards and were turned.", mean_file)
        triangles = triangles[:, ::-1]
    uv = mean.vertex_uv()
    basis = np.empty((len(shapes), *mean.vertices.shape), dtype=np.float32)
    for k, (name, file) in enumerate(shapes.items()):
        sigma = blendshapes.STANDARD_DEVIATION if name.startswith("expression/") else 1.0
        basis[k] = _displacement(file, mean, mean_file) * (sigma * scale)
    return MorphableMesh(
        mean=(mean.vertices * scale).astype(np.float32),
        basis=basis,
        triangles=triangles,
        mode_names=tuple(shapes),
        landmarks={},
        uv=uv,
        has_seam=uv is None and mean.texture is not None,
        source=f"mesh {path.name}",
    )


def _mean_file(path: Path) -> Path:
    found = [path / name for name in MEANS if (path / name).is_file()]
    if len(found) > 1:
        raise ValueError(f"{path}: two files for the mean face, {' and '.join(MEANS)}; rename or remove one.")
    return found[0] if found else path


def _read_polygons(path: Path) -> PolygonMesh:
    head = _head(path)
    if not (is_ply(head) or is_obj(head)):
        raise ValueError(f"{path}: expected an OBJ or PLY mesh; it begins with {head[:16]!r}.")
    mesh = read_ply(path) if is_ply(head) else read_obj(path)
    if len(mesh.vertices) == 0 or len(mesh.counts) == 0:
        raise ValueError(
            f"{path}: expected a surface; got {len(mesh.vertices)} vertices and {len(mesh.counts)} polygons."
        )
    if not np.isfinite(mesh.vertices).all():
        raise ValueError(f"{path}: a vertex is NaN or infinite; repair the mesh first.")
    return mesh


def _head(path: Path) -> bytes:
    with existing_file(path, "a mesh (OBJ or PLY)").open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _name_shapes(shapes: dict[str, Path], kind: str, files: list[Path]) -> None:
    """Adds the files under the names of their modes."""
    for file in files:
        name = f"{kind}/{file.stem}"
        if name in shapes:
            raise ValueError(f"{file}: the mode {name} has a file already, {shapes[name]}; rename or remove one.")
        shapes[name] = file


def _displacement(file: Path, mean: PolygonMesh, mean_file: Path) -> npt.NDArray[np.float64]:
    shape = _read_polygons(file)
    if not shape.same_polygons(mean):
        raise ValueError(
            f"{file}: not the topology of {mean_file}: {len(shape.vertices)} vertices and {len(shape.counts)} polygons "
            f"against {len(mean.vertices)} and {len(mean.counts)}; export both with the same vertex order."
        )
    return shape.vertices - mean.vertices


def _millimetres(vertices: npt.NDArray[np.float64], path: Path) -> float:
    """The power of ten that makes the largest extent 100 to 1000 mm."""
    extent = float(np.ptp(vertices, axis=0).max())
    if not 1e-12 < extent < 1e12:
        raise ValueError(
            f"{path}: its largest extent is {extent:g}; expected a face in metres, millimetres or the like."
        )
    return float(10.0 ** -np.floor(np.log10(extent / LEAST_EXTENT)))


def _expression_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such file or folder; expected shapes of expressions (OBJ or PLY).")
    files = _mesh_files(path)
    if not files:
        raise ValueError(f"{path}: no OBJ or PLY file in this folder; expected shapes of expressions.")
    return files


def _mesh_files(folder: Path) -> list[Path]:
    """The meshes of a folder in the order of their names, "2" before "10"; none if there is no such folder."""
    if not folder.is_dir():
        return []
    files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
    return sorted(files, key=lambda file: (_natural_order(file.stem), file.name))


def _natural_order(name: str) -> list[tuple[int, str]]:
    """A key that compares words as words and numbers by value; the parts of a name are words and numbers in turn."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), part) if place % 2 else (0, part) for place, part in enumerate(parts)]
