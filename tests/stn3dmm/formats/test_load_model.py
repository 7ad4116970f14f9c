"""`load_model` and `read_mesh` know a format by its content and say what they found otherwise."""

from __future__ import annotations

import pickle
import struct
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
import stn3dmm
from stn3dmm import MorphableMesh, read_mesh
from stn3dmm.formats import recognition

from .mesh_files import FACE, POLYGONS, ict_folder, own_model, sfm_bytes, write_obj, write_ply


def test_recognises_by_content_not_by_name(model_mat, tmp_path):
    model = stn3dmm.load_model(model_mat)
    odd = tmp_path / "model.bin"
    odd.write_bytes(model_mat.read_bytes())
    assert (stn3dmm.load_model(odd).mean == model.mean).all()
    saved = tmp_path / "saved.dat"
    model.save(saved)
    again = stn3dmm.load_model(saved)
    assert (again.basis == model.basis).all()
    assert again.mode_names == model.mode_names
    assert again.landmarks["ibug68"].tolist() == model.landmarks["ibug68"].tolist()


def test_recognises_mesh_formats_by_content(tmp_path):
    sources = {
        "sfm": tmp_path / "1",
        "plain_mesh": write_obj(tmp_path / "2", FACE, POLYGONS),
        "ict": ict_folder(tmp_path / "3" / "4").parent / "4",
    }
    sources["sfm"].write_bytes(sfm_bytes())
    found = {name: recognition.mesh_format_of(recognition.Source(path)) for name, path in sources.items()}
    assert {name: module.__name__ for name, module in found.items()} == {
        name: f"stn3dmm.formats.{name}" for name in sources
    }
    for path in (write_ply(tmp_path / "5", FACE, POLYGONS), own_model(tmp_path / "6")):
        assert recognition.mesh_format_of(recognition.Source(path)).__name__ == "stn3dmm.formats.plain_mesh"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"PK\x03\x04broken", "a damaged zip archive"),
        (b"\x89PNG\r\n", "a PNG picture"),
        (b"hello there", "it begins with b'hello there'"),
        (b"# only a comment\n", "it begins with b'# only a comment"),
    ],
)
@pytest.mark.parametrize("read", [stn3dmm.load_model, read_mesh])
def test_names_what_it_read(tmp_path, content, message, read):
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["matlab", "hdf5", "zip", "pickle"])
@pytest.mark.parametrize("read", [stn3dmm.load_model, read_mesh])
def test_says_that_a_file_is_cut_off(tmp_path, kind, read):
    path = tmp_path / "model"
    arrays = {f"array{k}": np.arange(3000.0) for k in range(3)}
    if kind == "matlab":
        scipy.io.savemat(path, arrays, appendmat=False)
    elif kind == "hdf5":
        with h5py.File(path, "w") as file:
            file.update(arrays)
    elif kind == "zip":
        with path.open("wb") as stream:
            np.savez(stream, **arrays)
    else:
        path.write_bytes(pickle.dumps(arrays))
    with pytest.raises(ValueError, match=r"array2|lacks basis") as whole:
        read(path)
    assert "damaged" not in str(whole.value)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="seems damaged or cut off; copy or download it again") as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "not a known morphable model" not in str(caught.value)


@pytest.mark.parametrize("read", [stn3dmm.load_model, read_mesh])
def test_rejects_missing_and_other_folders(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        read(tmp_path / "model.npz")
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ValueError, match=r"a folder: it holds holiday\.jpg"):
        read(tmp_path)


def test_rejects_other_archives(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros(3))
    with pytest.raises(ValueError, match="it lacks basis"):
        stn3dmm.load_model(path)
    np.savez(path, mean=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="not a stn3dmm model"):
        stn3dmm.load_model(path)
    scipy.io.savemat(path, {"w_exp": np.zeros(3)})
    with pytest.raises(ValueError, match="it holds w_exp"):
        stn3dmm.load_model(path)


def test_names_of_a_damaged_file_stay_in_one_line(tmp_path):
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file["mean\n\x1b[2Jshape"] = 0.0
    with pytest.raises(ValueError, match=r"it holds mean\?\?\[2Jshape\)"):
        stn3dmm.load_model(tmp_path / "model.h5")


def test_names_the_mesh_that_cannot_be_flattened(tmp_path):
    closed = write_obj(tmp_path / "closed.obj", FACE[:4], [(0, 1, 2), (0, 2, 3), (0, 3, 1), (1, 3, 2)])
    with pytest.raises(ValueError, match=f"^{closed}: the surface is closed and has no boundary"):
        stn3dmm.load_model(closed)
    with pytest.raises(ValueError, match=f"^{tmp_path / 'face.obj'}: grid_shape must have at least 2 rows"):
        stn3dmm.load_model(write_obj(tmp_path / "face.obj", FACE, POLYGONS), grid_shape=(1, 5))


def test_rejects_damage(model_mat, tmp_path):
    model = stn3dmm.load_model(model_mat)
    path = tmp_path / "a.npz"
    model.save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="damaged"):
        stn3dmm.load_model(path)


def test_rejects_options_that_a_format_lacks(model_mat, tmp_path):
    with pytest.raises(ValueError, match="a model on a texture grid takes no option 'part'"):
        stn3dmm.load_model(model_mat, part="full")
    with pytest.raises(ValueError, match="a model on a texture grid takes no option 'landmarks'"):
        stn3dmm.load_model(model_mat, landmarks="mine.txt")
    path = write_obj(tmp_path / "face.obj", FACE, POLYGONS)
    with pytest.raises(ValueError, match=r"a mesh \(OBJ or PLY\).* takes no option 'part'"):
        read_mesh(path, part="full")
    with pytest.raises(
        ValueError, match=r"takes no option 'authors_expressions' \(--authors-expressions\); leave it out"
    ):
        read_mesh(path, authors_expressions=True)
    with pytest.raises(ValueError, match=r"ICT-FaceKit .* takes no option 'expression'"):
        read_mesh(ict_folder(tmp_path), expression=path)


def test_read_mesh_refuses_models_on_a_grid(model_mat):
    with pytest.raises(ValueError, match=r"read it with stn3dmm\.load_model"):
        read_mesh(model_mat)


def test_own_landmarks(tmp_path):
    path = write_obj(tmp_path / "face.obj", FACE, POLYGONS)
    own = tmp_path / "landmarks.json"
    # Chin, tip of the nose, right and left eye; the other points are of no matter here.
    index = {8: 5, 30: 4, 36: 3, 45: 2}
    own.write_text(str([index.get(k, 0) for k in range(68)]))
    mesh = read_mesh(path, landmarks=own)
    assert isinstance(mesh, MorphableMesh)
    assert mesh.landmarks["ibug68"][[8, 30, 36, 45]].tolist() == [5, 4, 3, 2]
    # AFLW's follow where both mark the same place: the chin is the last of them, the left ear has no counterpart.
    assert mesh.landmarks["aflw21"][[20, 14, 12]].tolist() == [5, 4, -1]


def test_landmarks_tell_that_a_mesh_is_turned(tmp_path):
    own = tmp_path / "landmarks.json"
    own.write_text(str([{8: 5, 30: 4, 36: 3, 45: 2}.get(k, 0) for k in range(68)]))
    for vertices, words in (
        (FACE * (1, -1, -1), r"half a turn off: .* Write \(x, -y, -z\)"),
        (FACE[:, [1, 0, 2]], r"mirrored: .* Write \(y, x, z\)"),
    ):
        path = write_obj(tmp_path / "face.obj", vertices, POLYGONS)
        with pytest.raises(ValueError, match=f"the mean face is {words}.*If the mesh is upright, {own} is of another"):
            read_mesh(path, landmarks=own)


@pytest.mark.parametrize("kind", ["zip", "ascii.stl", "stl", "glb", "fbx", "folder"])
def test_says_what_to_do_about_other_files(tmp_path, kind):
    path = tmp_path / f"source.{kind}"
    triangle = struct.pack("<12fH", *[0.0] * 12, 0)
    contents = {
        "stl": bytes(80) + struct.pack("<I", 2) + 2 * triangle, "ascii.stl": b"solid face\nfacet normal 0 0 1\n",
        "glb": b"glTF\x02\x00\x00\x00", "fbx": b"Kaydara FBX Binary  \x00",
    }  # fmt: skip
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mean.obj", "v 0 0 0")
    elif kind == "folder":
        path.mkdir()
        (path / "sfm_shape.bin").write_bytes(sfm_bytes())
        (path / "notes.txt").write_text("mine")
    else:
        path.write_bytes(contents[kind])
    remedies = {"zip": "unpack it, and name what it holds", "folder": "name sfm_shape.bin itself"}
    with pytest.raises(ValueError, match=f"not a known morphable model .*; {remedies.get(kind, 'convert it to OBJ')}"):
        read_mesh(path)


def test_load_model_prepares_a_mesh(tmp_path, caplog):
    path = tmp_path / "shape.bin"
    path.write_bytes(sfm_bytes())
    model = stn3dmm.load_model(path, grid_shape=(9, 8), identity=1)
    assert (model.grid_shape, model.mode_names) == ((9, 8), ("identity/1",))
    assert model.mean[:, 2].max() == pytest.approx(60, abs=25)  # the pyramid's top lies between grid vertices
    assert "`stn3dmm prepare` does it once for all" in caplog.text
    assert str(path) in caplog.text


def test_load_model_prepares_the_real_meshes(real_data):
    sfm = stn3dmm.load_model(
        real_data / "sfm" / "sfm_shape_3448.bin",
        expression=real_data / "sfm" / "expression_blendshapes_3448.bin",
        identity=12,
    )
    assert sfm.mode_names[11:13] == ("identity/12", "expression/anger")
    assert (sfm.landmarks["ibug68"] >= 0).sum() == 50
    ict = stn3dmm.load_model(real_data / "ict", part="narrow", identity=3, expressions=2)
    assert ict.mode_count == 5
    assert ict.licence.startswith("MIT")
    for model in (sfm, ict):
        points = model.mean[model.landmarks["ibug68"]]
        assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
        assert points[30, 2] > np.quantile(model.mean[:, 2], 0.99)
