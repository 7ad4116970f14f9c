"""Exported meshes, read by other code: the same vertices, every vertex with its own texel, all files or none."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from stn3dmm import MorphableModel, export_mesh

P, Q = 4, 6


@pytest.fixture
def model() -> MorphableModel:
    """A bump of 4 x 6 vertices that faces the viewer, one of them not valid."""
    row, column = np.divmod(np.arange(P * Q), Q)
    mean = np.stack([10.0 * column, -10.0 * row, -((column - 2.5) ** 2) - (row - 1.5) ** 2], axis=1)
    valid = np.ones(P * Q, dtype=bool)
    valid[0] = False
    basis = np.zeros((1, P * Q, 3))
    basis[0, :, 1] = 2.0
    return MorphableModel(mean, basis, (P, Q), valid, ("identity/height",), {})


@pytest.fixture
def texture() -> torch.Tensor:
    """Colours that differ from vertex to vertex, of whole levels."""
    return torch.from_numpy(np.random.default_rng(0).permutation(3 * P * Q).reshape(3, P, Q) / 255.0)


def levels(texture: torch.Tensor) -> np.ndarray:
    """(N, 3) uint8."""
    return np.rint(texture.numpy() * 255).astype(np.uint8).reshape(3, -1).T


def looked_up(picture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(N, 3): the picture at texture coordinates with v up, bilinear, as a renderer reads it."""
    H, W = picture.shape[:2]
    x, y = uv[:, 0] * W - 0.5, (1 - uv[:, 1]) * H - 0.5
    left, top = np.floor(x + 1e-6).astype(int), np.floor(y + 1e-6).astype(int)
    result = np.zeros((len(uv), 3))
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - (x - left)) * np.abs(1 - dy - (y - top))
            result += weight[:, None] * picture[np.clip(top + dy, 0, H - 1), np.clip(left + dx, 0, W - 1)]
    return result


def glb_parts(path: Path) -> tuple[dict, bytes]:
    """The two chunks of a binary glTF file, by its specification."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    return json.loads(data[20 : 20 + size]), data[20 + size + 8 :]


def glb_array(content: dict, blob: bytes, accessor: int, dtype: str, width: int) -> np.ndarray:
    description = content["accessors"][accessor]
    view = content["bufferViews"][description["bufferView"]]
    offset = view.get("byteOffset", 0) + description.get("byteOffset", 0)
    return np.frombuffer(blob, dtype, description["count"] * width, offset).reshape(-1, width)


def test_glb_by_its_specification(model, texture, tmp_path):
    assert export_mesh(tmp_path / "a.glb", model, texture=texture) == [tmp_path / "a.glb"]
    content, blob = glb_parts(tmp_path / "a.glb")
    (primitive,) = content["meshes"][0]["primitives"]
    positions = glb_array(content, blob, primitive["attributes"]["POSITION"], "<f4", 3)
    np.testing.assert_allclose(positions, model.mean / 1000, atol=1e-9)
    normals = glb_array(content, blob, primitive["attributes"]["NORMAL"], "<f4", 3)
    assert (normals[1:, 2] > 0).all()  # the surface faces the viewer; vertex 0 has no triangle left
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(normals[0], [0, 0, 1])
    view = content["bufferViews"][content["images"][0]["bufferView"]]
    png = blob[view.get("byteOffset", 0) :][: view["byteLength"]]
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    uv = glb_array(content, blob, primitive["attributes"]["TEXCOORD_0"], "<f4", 2).astype(float)
    uv[:, 1] = 1 - uv[:, 1]  # glTF counts v downwards
    np.testing.assert_allclose(looked_up(picture, uv), levels(texture), atol=1e-2)
    assert content["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] == 0


def test_obj_with_its_picture(model, texture, tmp_path):
    files = export_mesh(tmp_path / "my face.obj", model, texture=texture)
    assert sorted(path.name for path in files) == ["my face.obj", "my_face.mtl", "my_face_material.png"]
    lines = [line.split() for line in files[0].read_text().splitlines()]
    table = {kind: np.array([line[1:] for line in lines if line[:1] == [kind]], dtype=object) for kind in ("v", "vt")}
    np.testing.assert_allclose(table["v"].astype(float), model.mean, atol=1e-6)
    corners = np.array([line[1:] for line in lines if line[:1] == ["f"]])
    index = np.array([[corner.split("/") for corner in face] for face in corners], dtype=int) - 1
    assert (index[..., 0] == index[..., 1]).all()
    (material,) = [line[1] for line in lines if line[:1] == ["mtllib"]]
    (picture,) = [line.split()[1] for line in (tmp_path / material).read_text().splitlines() if "map_Kd" in line]
    pixels = np.asarray(Image.open(tmp_path / picture).convert("RGB"))
    np.testing.assert_array_equal(np.rint(looked_up(pixels, table["vt"].astype(float))), levels(texture))


def test_ply_has_a_colour_a_vertex(model, texture, tmp_path):
    export_mesh(tmp_path / "a.ply", model, texture=texture)
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0")
    names = [line.split()[-1].decode() for line in header.splitlines() if line.startswith(b"property")]
    assert names[:10] == ["x", "y", "z", "nx", "ny", "nz", "red", "green", "blue", "alpha"]
    row = np.dtype([("position", "<f4", 3), ("normal", "<f4", 3), ("colour", "u1", 4)])
    vertices = np.frombuffer(body, row, P * Q)
    np.testing.assert_allclose(vertices["position"], model.mean, atol=1e-5)
    np.testing.assert_array_equal(vertices["colour"][:, :3], levels(texture))


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply"])
def test_without_a_texture(model, suffix, tmp_path):
    files = export_mesh(tmp_path / f"a{suffix}", model)
    assert [path.name for path in tmp_path.iterdir()] == [path.name for path in files] == [f"a{suffix}"]
    assert len(trimesh.load_mesh(files[0], process=False).faces) == 2 * (P - 1) * (Q - 1) - 1


def test_triangles_of_filled_holes_stay_out(model, tmp_path):
    export_mesh(tmp_path / "a.ply", model)
    mesh = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    assert len(mesh.faces) == 2 * (P - 1) * (Q - 1) - 1
    assert 0 not in mesh.faces


def test_coefficients_and_rotation(model, tmp_path):
    quarter = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    export_mesh(tmp_path / "a.ply", model, [1.5], rotation=quarter)
    moved = model.mean + np.array([0, 3.0, 0])
    expected = np.stack([-moved[:, 1], moved[:, 0], moved[:, 2]], axis=1)
    np.testing.assert_allclose(trimesh.load_mesh(tmp_path / "a.ply", process=False).vertices, expected, atol=1e-5)


def test_repeated_bit_for_bit(model, texture, tmp_path):
    for suffix in (".glb", ".obj", ".ply"):
        first = [path.read_bytes() for path in export_mesh(tmp_path / f"a{suffix}", model, texture=texture)]
        assert first == [path.read_bytes() for path in export_mesh(tmp_path / f"a{suffix}", model, texture=texture)]


def test_all_files_or_none(model, texture, tmp_path):
    (tmp_path / "a_material.png").mkdir()
    with pytest.raises(OSError, match=r"a_material\.png: a folder"):
        export_mesh(tmp_path / "a.obj", model, texture=texture)
    assert [path.name for path in tmp_path.iterdir()] == ["a_material.png"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"path": "a.stl"}, r"a mesh is written as \.glb, \.obj, \.ply; got '\.stl'"),
        ({"alpha": [1.0, 2.0]}, r"alpha must be \(1,\); got \(2,\)"),
        ({"alpha": [float("nan")]}, "holds NaN or infinity"),
        ({"texture": torch.zeros(3, Q, P)}, r"texture must be \(3, 4, 6\) for this model; got \(3, 6, 4\)"),
        ({"rotation": [0.0, 1.0, 0.0]}, r"rotation must be \(3, 3\); got \(3,\)"),
    ],
)
def test_rejects(model, change, sentence, tmp_path):
    arguments = {"path": "a.glb", "alpha": None, **change}
    with pytest.raises(ValueError, match=sentence):
        export_mesh(tmp_path / arguments.pop("path"), model, arguments.pop("alpha"), **arguments)
    assert not list(tmp_path.iterdir())
