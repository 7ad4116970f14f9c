"""Readers of model and data files: one module per format; a model's format is recognised by its content.

A module of a mesh format offers ``WHAT``, ``OPTIONS``, ``recognises(source)`` and ``read(path, **options)``
(`recognition.MeshFormat`), and is listed in `recognition.MESH_FORMATS`.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from stn3dmm.formats import bas2017, mesh_landmarks
from stn3dmm.formats.orientation import check_upright
from stn3dmm.formats.recognition import MeshFormat, Source, mesh_format_of, mesh_formats
from stn3dmm.morphable_mesh import MorphableMesh
from stn3dmm.morphable_model import MorphableModel

__all__ = ["load_model", "read_mesh"]

WHAT = "a morphable model: a stn3dmm .npz, the authors' model.mat or a mesh model that docs/formats.md lists"

_log = logging.getLogger(__name__)


def read_mesh(
    path: str | os.PathLike[str],
    *,
    expression: str | os.PathLike[str] | None = None,
    landmarks: str | os.PathLike[str] | None = None,
    part: str | None = None,
    authors_expressions: bool = False,
) -> MorphableMesh:
    """Reads a morphable model on its own mesh; the format is recognised by what the file or folder holds.

    Args:
        path: the model's file or folder; docs/formats.md lists what is known.
        expression: the expression modes, for the formats that keep them apart.
        landmarks: a file with the vertices of landmarks (docs/formats.md#landmarks-of-a-mesh); its sets replace
            those that are published for the format. AFLW's landmarks, where they are not known, are taken from
            iBUG's as far as both mark the same places.
        part: the part of the mesh to read, for the formats that name parts ("full", "narrow" of ICT-FaceKit).
        authors_expressions: for BFM 2009: expressions as in the model.mat of Bas et al. 2017, whose modes are not
            multiplied by their standard deviations and whose mean lacks that of the expressions.

    Raises:
        FileNotFoundError: one of the files is not there.
        ValueError: no known format, damaged, or an option that the format does not have; the message says which.

    Example:
        >>> read_mesh("no-such-folder")
        Traceback (most recent call last):
            ...
        FileNotFoundError: no-such-folder: no such file or folder; expected a morphable model: ...
    """
    source = _source(path)
    if _is_grid_model(source):
        raise ValueError(
            f"{path}: this model lies on a texture grid already: read it with stn3dmm.load_model, or as --model."
        )
    module = mesh_format_of(source)
    if module is None:
        raise _unknown(source)
    return _read(module, source, _options(expression, part, authors_expressions), landmarks)


def load_model(
    path: str | os.PathLike[str],
    *,
    expression: str | os.PathLike[str] | None = None,
    landmarks: str | os.PathLike[str] | None = None,
    part: str | None = None,
    authors_expressions: bool = False,
    grid_shape: tuple[int, int] = (112, 112),
    identity: int = 30,
    expressions: int = 10,
) -> MorphableModel:
    """Reads a morphable model; the format is recognised by what the file holds, not by its name.

    This project's ``.npz`` (`MorphableModel.save`) and ``model.mat`` of Bas et al. 2017 are read as they are. A model
    on a mesh is flattened and resampled as by ``stn3dmm prepare``, which does it once for all and is the better way.

    Args:
        path: the model's file or folder.
        expression, landmarks, part, authors_expressions: as of `read_mesh`; for models on a mesh alone, like the rest.
        grid_shape: (P, Q) of the texture grid.
        identity, expressions: the number of modes of each kind to take, if there are so many.

    Raises:
        FileNotFoundError: one of the files is not there.
        ValueError: the file is none of these, or damaged, or its mesh cannot be flattened; the message says what was
            found.
    """
    options = _options(expression, part, authors_expressions)
    source = _source(path)
    if _is_grid_model(source):
        _refuse_options(
            [*options, *(["landmarks"] if landmarks is not None else [])], "a model on a texture grid", source
        )
        return bas2017.read_model(source.path) if source.kind == "matlab" else _load_npz(source.path)
    module = mesh_format_of(source)
    if module is None:
        # Of any other archive, the reader of our own says what it lacks.
        if zipfile.is_zipfile(source.path):
            return _load_npz(source.path)
        raise _unknown(source)
    from stn3dmm.prepare.model import naming, prepare_model  # which only models on a mesh need

    mesh = _read(module, source, options, landmarks)
    _log.warning("%s: flattening %s; `stn3dmm prepare` does it once for all.", path, module.WHAT)
    with naming(path):
        model, _ = prepare_model(mesh.with_modes(identity, expressions), grid_shape)
    return model


def _options(expression: str | os.PathLike[str] | None, part: str | None, authors_expressions: bool) -> dict[str, Any]:
    """The options of a format's reader that were given."""
    options = {"expression": expression, "part": part, "authors_expressions": authors_expressions or None}
    return {name: value for name, value in options.items() if value is not None}


def _source(path: str | os.PathLike[str]) -> Source:
    source = Source(Path(path))
    if not source.path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder; expected {WHAT}.")
    return source


def _is_grid_model(source: Source) -> bool:
    if source.kind == "matlab":
        return bas2017.is_model(source.names)
    return source.kind == "zip" and {"mean", "basis", "grid_shape"} <= source.names


def _read(
    module: MeshFormat, source: Source, options: dict[str, Any], landmarks: str | os.PathLike[str] | None
) -> MorphableMesh:
    _refuse_options([name for name in options if name not in module.OPTIONS], module.WHAT, source)
    try:
        # What overflows becomes infinite, and MorphableMesh refuses it.
        with np.errstate(all="ignore"):
            mesh = module.read(source.path, **options)
    except ValueError as error:
        if not str(error).startswith("MorphableMesh"):
            raise
        raise ValueError(f"{source.path}: {error}") from error
    sets = dict(mesh.landmarks)
    if landmarks is not None:
        sets |= mesh_landmarks.read_mesh_landmarks(landmarks, mesh.vertex_count)
    if "ibug68" in sets and "aflw21" not in sets:
        sets["aflw21"] = mesh_landmarks.aflw21_of_ibug68(sets["ibug68"])
    mesh = dataclasses.replace(mesh, landmarks=sets)
    check_upright(mesh, source.path, landmarks)
    return mesh


def _refuse_options(names: list[str], what: str, source: Source) -> None:
    if names:
        flag = names[0].replace("_", "-")
        raise ValueError(f"{source.path}: {what} takes no option {names[0]!r} (--{flag}); leave it out.")


def _unknown(source: Source) -> ValueError:
    if source.damaged:
        return ValueError(
            f"{source.path}: not a readable model ({source.describe()}): the file seems damaged or cut off; copy or "
            "download it again."
        )
    if (remedy := source.remedy()) is not None:
        return ValueError(f"{source.path}: not a known morphable model ({source.describe()}); {remedy}.")
    known = "; ".join(module.WHAT for module in mesh_formats())
    return ValueError(
        f"{source.path}: not a known morphable model ({source.describe()}); expected a stn3dmm .npz; the authors' "
        f"model.mat; {known}."
    )


def _load_npz(file: os.PathLike[str]) -> MorphableModel:
    try:
        return MorphableModel.load(file)
    except ValueError as error:
        if str(file) in str(error):
            raise
        raise ValueError(f"{file}: not a stn3dmm model: {error}") from error
    except Exception as error:  # zlib, zip and JSON damage each have a type of their own
        raise ValueError(f"{file}: a damaged stn3dmm model ({error}); write it again.") from error
