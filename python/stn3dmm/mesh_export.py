"""A face as a mesh that other programs open: GLB, OBJ or PLY, with its flattened texture."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from stn3dmm.drawing import texture_pixels
from stn3dmm.files import atomic_paths
from stn3dmm.morphable_model import MorphableModel
from stn3dmm_cuda import grid_faces

__all__ = ["FORMATS", "export_mesh"]

FORMATS = (".glb", ".obj", ".ply")
PICTURE = "_material.png"  # NAME.png may be the photograph, NAME_texture.png what `stn3dmm flatten` made of it
METRES = 0.001  # glTF lays its unit down; OBJ and PLY have none and keep the model's millimetres


def export_mesh(
    path: str | os.PathLike[str],
    model: MorphableModel,
    alpha: npt.ArrayLike | None = None,
    *,
    texture: torch.Tensor | None = None,
    rotation: npt.ArrayLike | None = None,
) -> list[Path]:
    """Writes a face of the model as a triangle mesh; the suffix chooses the format.

    A .glb holds everything in one file, in metres, as glTF asks. An .obj gets NAME.mtl and NAME_material.png beside it,
    a .ply the texture as colours of the vertices, which loses nothing: the texture has one value a vertex; both are
    in millimetres. Triangles that fill a hole of the model (vertices that are not valid) are left out.

    Args:
        path: NAME.glb, NAME.obj or NAME.ply.
        model: the model, N = P Q vertices.
        alpha: (K,) coefficients in standard deviations; the mean face without it.
        texture: (C, P, Q) with C = 3, values 0..1, as `flatten` and `average_textures` give it.
        rotation: (3, 3), turns the face, as `pose` gives it; y stays up.

    Returns:
        The files written, the mesh first. All of them are written, or none.

    Raises:
        ValueError: another suffix; alpha, texture or rotation of another shape, or not finite.
        OSError: the files cannot be written.

    Example:
        >>> import tempfile
        >>> from stn3dmm import embedded_model, export_mesh
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [file.name for file in export_mesh(f"{folder}/face.glb", embedded_model())]
        ['face.glb']
    """
    files = exported_files(path, textured=texture is not None)
    target = files[0]
    vertices = _vertices(model, alpha, rotation)
    pixels = None if texture is None else _pixels(model, texture)
    faces = grid_faces(model.grid_shape).numpy()
    mesh = trimesh.Trimesh(vertices, faces[model.valid[faces].all(axis=1)], process=False)
    mesh.vertex_normals = _unit_normals(mesh)  # type: ignore[method-assign]  # a property of trimesh
    contents = {".glb": _glb, ".obj": _obj, ".ply": _ply}[target.suffix.lower()](target, mesh, model, pixels)
    with atomic_paths(files) as temporaries:
        for temporary, file in zip(temporaries, files, strict=True):
            temporary.write_bytes(contents[file])
    return files


def exported_files(path: str | os.PathLike[str], *, textured: bool) -> list[Path]:
    """The files that `export_mesh` writes for ``path``, with or without a texture, the mesh first.

    Raises:
        ValueError: a suffix of no mesh that is written.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise ValueError(f"{target}: a mesh is written as {', '.join(FORMATS)}; got {target.suffix!r}.")
    if target.suffix.lower() != ".obj" or not textured:
        return [target]
    # A name of several words would break the references to it.
    name = "_".join(target.stem.split())
    return [target, target.with_name(f"{name}.mtl"), target.with_name(f"{name}{PICTURE}")]


def _vertices(
    model: MorphableModel, alpha: npt.ArrayLike | None, rotation: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    vertices = (model.mean if alpha is None else model.shape(alpha)).astype(np.float64)
    if rotation is not None:
        R = np.asarray(rotation, dtype=np.float64)
        if R.shape != (3, 3):
            raise ValueError(f"export_mesh: rotation must be (3, 3); got {R.shape}.")
        vertices = vertices @ R.T
    if not np.isfinite(vertices).all():
        raise ValueError("export_mesh: alpha or rotation holds NaN or infinity.")
    return vertices


def _pixels(model: MorphableModel, texture: torch.Tensor) -> npt.NDArray[np.uint8]:
    if tuple(texture.shape) != (3, *model.grid_shape):
        raise ValueError(
            f"export_mesh: texture must be {(3, *model.grid_shape)} for this model; got {tuple(texture.shape)}."
        )
    return texture_pixels(texture)


def _unit_normals(mesh: trimesh.Trimesh) -> npt.NDArray[np.float64]:
    """(N, 3): towards the viewer where no triangle tells; glTF forbids normals that are zero."""
    normals = np.array(mesh.vertex_normals, dtype=np.float64)
    normals[~normals.any(axis=1)] = (0.0, 0.0, 1.0)
    return normals


def _texture_coordinates(model: MorphableModel) -> npt.NDArray[np.float64]:
    """(N, 2): the centre of each vertex's own texel, v up, where a bilinear lookup returns that texel alone."""
    P, Q = model.grid_shape
    row, column = np.divmod(np.arange(P * Q), Q)
    return np.stack([(column + 0.5) / Q, 1 - (row + 0.5) / P], axis=1)


def _glb(
    target: Path, mesh: trimesh.Trimesh, model: MorphableModel, pixels: npt.NDArray[np.uint8] | None
) -> dict[Path, bytes]:
    mesh.apply_scale(METRES)
    picture = None if pixels is None else Image.fromarray(pixels)
    material = PBRMaterial(name="face", baseColorTexture=picture, metallicFactor=0.0, roughnessFactor=1.0)
    mesh.visual = TextureVisuals(uv=_texture_coordinates(model), material=material)
    return {target: trimesh.exchange.gltf.export_glb(mesh.scene(), include_normals=True)}


def _obj(
    target: Path, mesh: trimesh.Trimesh, model: MorphableModel, pixels: npt.NDArray[np.uint8] | None
) -> dict[Path, bytes]:
    options = {"include_normals": True, "return_texture": True, "header": "millimetres, y up"}
    if pixels is None:
        text, _ = trimesh.exchange.obj.export_obj(mesh, **options)
        return {target: text.encode()}
    _, library, picture = exported_files(target, textured=True)
    white, black = [255, 255, 255, 255], [0, 0, 0, 255]
    material = SimpleMaterial(Image.fromarray(pixels), diffuse=white, ambient=white, specular=black, name=picture.stem)
    mesh.visual = TextureVisuals(uv=_texture_coordinates(model), material=material)
    text, files = trimesh.exchange.obj.export_obj(mesh, mtl_name=library.name, **options)
    return {target: text.encode(), **{target.with_name(file): content for file, content in files.items()}}


def _ply(
    target: Path, mesh: trimesh.Trimesh, model: MorphableModel, pixels: npt.NDArray[np.uint8] | None
) -> dict[Path, bytes]:
    if pixels is not None:
        mesh.visual = ColorVisuals(mesh, vertex_colors=pixels.reshape(-1, 3))
    return {target: trimesh.exchange.ply.export_ply(mesh, vertex_normal=True)}
