"""FLAME: its exact layout as Python 2 with chumpy, Python 3 and NumPy wrote it, and every kind of damage."""

from __future__ import annotations

import io
import os
import pickle
import re
import struct
import zipfile

import numpy as np
import pytest
import scipy.sparse
from stn3dmm.formats import flame, read_mesh

from .model_files import (
    K_EXPRESSION,
    K_IDENTITY,
    V,
    expression_modes,
    face,
    flame_arrays,
    flame_pickle,
    identity_modes,
    triangles,
)


def write(path, arrays):
    """Every way in which FLAME is had, by the path's ending."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        path.write_bytes(pickle.dumps(arrays | {"J_regressor": scipy.sparse.csc_matrix(np.eye(5, V))}, protocol=2))
    return path


@pytest.fixture(params=["python 2", "python 2 text", "python 3", "npz", "compressed npz"])
def model(tmp_path, request):
    if request.param.startswith("python 2"):
        path = tmp_path / "generic_model.pkl"
        path.write_bytes(flame_pickle(protocol=0 if "text" in request.param else 2))
        return path
    if request.param == "compressed npz":
        path = tmp_path / "flame2023.npz"
        np.savez_compressed(path, **flame_arrays())
        return path
    return write(tmp_path / ("flame2023.npz" if request.param == "npz" else "flame2023.pkl"), flame_arrays())


def test_by_hand(model):
    """Metres become millimetres; 300 identity modes come before the expressions."""
    mesh = read_mesh(model)
    assert mesh.mean == pytest.approx(face(), rel=1e-6)
    assert mesh.triangles.tolist() == triangles().tolist()
    assert mesh.basis.shape == (300 + K_EXPRESSION, V, 3)
    assert mesh.basis[:K_IDENTITY] == pytest.approx(identity_modes(), rel=1e-6)
    assert mesh.basis[300:] == pytest.approx(expression_modes(), rel=1e-6)
    assert mesh.mode_names[299:302] == ("identity/300", "expression/1", "expression/2")
    assert mesh.landmarks == {}


def test_fewer_modes_are_all_identities(tmp_path):
    arrays = flame_arrays()
    path = write(tmp_path / "flame.npz", arrays | {"shapedirs": arrays["shapedirs"][:, :, :10]})
    assert read_mesh(path).mode_names == tuple(f"identity/{k}" for k in range(1, 11))


def test_only_a_mesh_of_its_size_is_called_flame(tmp_path):
    """Bodies and hands of the same makers have the same layout and other licences."""
    arrays = flame_arrays(identities=4)
    other = read_mesh(write(tmp_path / "other.npz", arrays))
    assert (other.source, other.licence) == (f"a model in the layout of FLAME, {V} vertices", "")
    more = 5023 - V
    arrays["v_template"] = np.concatenate([arrays["v_template"], np.zeros((more, 3))])
    arrays["shapedirs"] = np.concatenate([arrays["shapedirs"], np.zeros((more, *arrays["shapedirs"].shape[1:]))])
    mesh = read_mesh(write(tmp_path / "flame.npz", arrays))
    assert mesh.source == "FLAME"
    assert "research only" in mesh.licence


FAULTS = {
    "text": (lambda c: {"v_template": np.array(["a"] * V)}, "real numbers"),
    "objects": (lambda c: {"v_template": c["v_template"].astype(object)}, "real numbers"),
    "structure": (lambda c: {"f": np.zeros(4, dtype="i4,f8")}, "real numbers"),
    "two_columns": (lambda c: {"v_template": c["v_template"][:, :2]}, "v_template must hold x, y, z"),
    "cube": (lambda c: {"v_template": np.zeros((3, 3, 3))}, "v_template must hold x, y, z"),
    "nan": (lambda c: {"v_template": c["v_template"] * np.nan}, "v_template holds NaN or infinity"),
    "nan_mode": (lambda c: {"shapedirs": np.full_like(c["shapedirs"], np.inf)}, "shapedirs holds NaN or infinity"),
    "flat": (lambda c: {"shapedirs": c["shapedirs"].reshape(3 * V, -1)}, r"shapedirs must be \(99, 3, K\)"),
    "short": (lambda c: {"shapedirs": c["shapedirs"][:-1]}, r"shapedirs must be \(99, 3, K\) .* got \(98, 3, 303\)"),
    "no_modes": (lambda c: {"shapedirs": c["shapedirs"][:, :, :0]}, "shapedirs must hold real numbers|not a readable"),
    "quads": (lambda c: {"f": np.zeros((5, 4), dtype=int)}, r"f must be \(F, 3\) or \(3, F\)"),
    "past_end": (lambda c: {"f": c["f"] + 1}, "f must hold whole numbers in 0..98"),
}


@pytest.mark.parametrize("ending", [".pkl", ".npz"])
@pytest.mark.parametrize("name", FAULTS)
def test_rejects(tmp_path, name, ending):
    change, message = FAULTS[name]
    arrays = flame_arrays()
    path = write(tmp_path / f"flame{ending}", arrays | change(arrays))
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).count("\n") == 0
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_rejects_truncated(model):
    whole = model.read_bytes()
    for part in np.linspace(0, len(whole) - 1, 40).astype(int):
        model.write_bytes(whole[:part])
        with pytest.raises(ValueError, match=re.escape(str(model))):
            flame.read(model)


def member(name, content, announced=None):
    """An .npz archive with a member of this content, and the size that its directory announces."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, array in flame_arrays().items():
            if f"{other}.npy" != name:
                data = io.BytesIO()
                np.save(data, array)
                archive.writestr(f"{other}.npy", data.getvalue())
        archive.writestr(name, content)
    data = stream.getvalue()
    if announced is not None:
        size = struct.pack("<I", len(content))
        assert data.count(size) == 2  # beside the member and in the directory
        data = data.replace(size, struct.pack("<I", announced))
    return data


def npy(shape, dtype="<f8", version=b"\x01\x00"):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header + bytes(1001)


ARCHIVES = {
    "huge": (member("f.npy", npy((2**40, 3))), "announces"),
    "larger_than_any_model": (member("f.npy", npy((2**26, 3)), announced=2**32 - 2), "announces"),
    "more_than_there_is": (member("f.npy", npy((2**20, 3)), announced=2**31), "not a readable .npz archive"),
    "negative": (member("f.npy", npy((-1, 3))), "not a readable .npz archive"),
    "version_3": (member("f.npy", npy((10, 3), version=b"\x03\x00")), "format version"),
    "objects": (member("f.npy", npy((10, 3), dtype="|O")), "only real numbers are read"),
    "void": (member("f.npy", npy((10, 3), dtype="|V1000000")), "only real numbers are read"),
    "expression": (member("f.npy", npy("__import__('os').system('touch proof')")), "not a readable .npz archive"),
    "no_array": (member("f.npy", b"text" * 10), "not a readable .npz archive"),
    "pickle": (member("f.npy", pickle.dumps(1)), "not a readable .npz archive"),
    "missing": (member("other.npy", npy((1, 3))).replace(b"f.npy", b"g.npy"), "lacks the array 'f'"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_rejects_archives(tmp_path, monkeypatch, name):
    content, message = ARCHIVES[name]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "flame.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        flame.read(path)
    assert str(caught.value).startswith(str(path))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_executes_nothing(tmp_path, monkeypatch):
    class Hostile:
        def __reduce__(self):
            return os.system, ("touch proof",)

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "flame.pkl"
    path.write_bytes(pickle.dumps(flame_arrays() | {"J_regressor": Hostile()}))
    with pytest.raises(ValueError, match=r"it wants to load posix\.system"):
        read_mesh(path)
    objects = np.array([Hostile()], dtype=object)
    np.savez(tmp_path / "flame.npz", **flame_arrays() | {"v_template": objects}, allow_pickle=True)
    with pytest.raises(ValueError, match="only real numbers are read"):
        read_mesh(tmp_path / "flame.npz")
    assert not (tmp_path / "proof").exists()
