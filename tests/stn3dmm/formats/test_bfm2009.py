"""The Basel Face Model 2009 with 3DDFA's expressions: full size, exact layout, published lists, every damage."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.io
from stn3dmm.formats import bfm2009, read_mesh

from . import basel_files

V = bfm2009.VERTEX_COUNT
INTERIOR = bfm2009.mouth_interior()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return basel_files.write(tmp_path_factory.mktemp("basel"))


@pytest.fixture(scope="module")
def mesh(files):
    return read_mesh(files[0], expression=files[1])


def test_by_hand(files):
    """Micrometres become millimetres, deviations are multiplied in, triangles are turned over."""
    mesh = read_mesh(files[0])
    vertices, triangles = basel_files.face()
    content = basel_files.shape_content(3)
    assert mesh.mean == pytest.approx(vertices, abs=1e-4)
    for k in range(3):
        mode = content["shapePC"][:, k].reshape(-1, 3) * content["shapeEV"][k, 0] / 1000
        assert mesh.basis[k] == pytest.approx(mode, rel=1e-5, abs=1e-9)
    assert mesh.mode_names == ("identity/1", "identity/2", "identity/3")
    assert (np.sort(mesh.triangles) == np.sort(triangles)).all()
    corners = mesh.mean[mesh.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).all()


def test_expressions_with_their_deviations_and_mean(mesh):
    expected = basel_files.displacements(2)
    known = ~INTERIOR
    assert mesh.mean[known] - basel_files.face()[0][known] == pytest.approx(expected[0, known], abs=1e-4)
    assert mesh.basis[3:, known] == pytest.approx(expected[1:, known], abs=1e-4)
    assert mesh.mode_names[3:] == ("expression/1", "expression/2")


def test_mouth_interior_recovers_a_smooth_displacement(mesh):
    """Within 6 % of its length, though the pocket is as deep as wide and the displacement varies by 1.3 mm in it."""
    expected = basel_files.displacements(2)[:, INTERIOR]
    read = np.concatenate([mesh.mean[None] - basel_files.face()[0], mesh.basis[3:]])[:, INTERIOR]
    assert np.linalg.norm(expected, axis=-1).min() > 4
    assert np.ptp(expected, axis=1).max() > 1.2
    assert np.linalg.norm(read - expected, axis=-1).max() < 0.06 * np.linalg.norm(expected, axis=-1).max()


def test_expressions_of_the_whole_mesh(files, tmp_path):
    whole = tmp_path / "whole.mat"
    scipy.io.savemat(whole, basel_files.expression_content(2, keep=np.ones(V, dtype=bool)))
    mesh = read_mesh(files[0], expression=whole)
    assert mesh.basis[3:] == pytest.approx(basel_files.displacements(2)[1:], abs=1e-4)


def test_expressions_as_the_authors_took_them(files, mesh):
    """Neither deviations (1.5 and 0.25 here) nor the mean expression."""
    old = read_mesh(files[0], expression=files[1], authors_expressions=True)
    assert old.mean == pytest.approx(basel_files.face()[0], abs=1e-4)
    assert old.basis[3] == pytest.approx(mesh.basis[3] / 1.5, abs=1e-4)
    assert old.basis[4] == pytest.approx(mesh.basis[4] / 0.25, abs=1e-4)
    assert old.source == mesh.source + " as Bas et al. 2017 took them"
    with pytest.raises(ValueError, match=r"authors_expressions .* name their file \(expression\) too"):
        read_mesh(files[0], authors_expressions=True)


def test_mouth_interior_is_what_the_published_map_leaves_out(real_data):
    content = scipy.io.loadmat(real_data / "bas2017" / "map_tddfa_to_basel.mat")
    assert np.flatnonzero(~INTERIOR).tolist() == content["map_tddfa_to_basel"].reshape(-1).tolist()


def changed(content, name, place, value):
    array = content[name].astype(np.float64)
    array[place] = value
    return {name: array}


FAULTS = {
    "no_deviations": (lambda c: {"shapeEV": None}, "not a known morphable model .*it holds segbin, shapeMU"),
    "text": (lambda c: {"tl": "text"}, "tl is of class char"),
    "cell": (lambda c: {"shapePC": np.array([1, "a"], dtype=object)}, "shapePC is of class cell"),
    "other_size": (lambda c: {"shapeMU": c["shapeMU"][:-3]}, "shapeMU has 53489 vertices; .* has 53490"),
    "square": (lambda c: {"shapeMU": np.zeros((6, 6))}, "shapeMU must hold x, y, z"),
    "empty": (lambda c: {"shapePC": np.zeros((0, 0))}, "shapePC must hold real numbers"),
    "short_basis": (lambda c: {"shapePC": c["shapePC"][1:]}, r"shapePC must be \(160470, K\)"),
    "deviations": (lambda c: {"shapeEV": c["shapeEV"][:2]}, "shapePC has 3 modes, but there are 2 standard deviations"),
    "negative": (lambda c: {"shapeEV": -c["shapeEV"]}, "shapeEV must not be negative; got -88"),
    "nan": (lambda c: changed(c, "shapePC", (7, 1), np.nan), "shapePC holds NaN or infinity"),
    "index_0": (lambda c: {"tl": c["tl"] - 1}, r"tl must hold whole numbers in 1\.\.53490"),
    "quads": (lambda c: {"tl": np.ones((10, 4))}, r"tl must be \(F, 3\) or \(3, F\)"),
    "from_behind": (
        lambda c: {"shapeMU": (c["shapeMU"].reshape(-1, 3) * (-1, 1, -1)).reshape(-1, 1)},
        "half a turn off",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_rejects(tmp_path, name):
    change, message = FAULTS[name]
    content = {key: value for key, value in basel_files.shape_content(3).items() if key != "texMU"}
    faulty = {key: value for key, value in (content | change(content)).items() if value is not None}
    path = tmp_path / "01_MorphableModel.mat"
    scipy.io.savemat(path, faulty)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(path)
    assert str(caught.value).startswith(str(path))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


EXPRESSION_FAULTS = {
    "no_mean": (lambda c: {"mu_exp": None}, "lacks the array 'mu_exp'"),
    "no_deviations": (lambda c: {"sigma_exp": None}, "lacks the array 'sigma_exp'"),
    "size": (lambda c: {"mu_exp": c["mu_exp"][:-3], "w_exp": c["w_exp"][:-3]}, "mu_exp has 53214 vertices; .* 53215"),
    "short_basis": (lambda c: {"w_exp": c["w_exp"][3:]}, r"w_exp must be \(159645, K\)"),
    "deviations": (lambda c: {"sigma_exp": np.ones(3)}, "w_exp has 2 modes, but there are 3 standard deviations"),
    "nan": (lambda c: changed(c, "mu_exp", (7, 0), np.nan), "mu_exp holds NaN or infinity"),
    "text": (lambda c: {"w_exp": "text"}, "w_exp is of class char"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPRESSION_FAULTS)
def test_rejects_expressions(files, tmp_path, name):
    change, message = EXPRESSION_FAULTS[name]
    content = basel_files.expression_content(2)
    faulty = {key: value for key, value in (content | change(content)).items() if value is not None}
    path = tmp_path / "Model_Expression.mat"
    scipy.io.savemat(path, faulty)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(files[0], expression=path)
    assert str(caught.value).startswith(str(path))


def test_rejects_a_mouth_that_hangs_on_nothing(files, tmp_path):
    content = basel_files.shape_content(3)
    content["tl"] = content["tl"][~INTERIOR[content["tl"] - 1].any(axis=1)]
    path = tmp_path / "01_MorphableModel.mat"
    scipy.io.savemat(path, content)
    with pytest.raises(
        ValueError, match="in the mouth's interior the values cannot be continued: 275 unknown vertices"
    ):
        read_mesh(path, expression=files[1])


def test_rejects_truncated(files, tmp_path):
    copies = tmp_path / "shape.mat", tmp_path / "expression.mat"
    for damaged, other in ((0, 1), (1, 0)):
        whole = files[damaged].read_bytes()
        copies[other].write_bytes(files[other].read_bytes())
        for part in np.linspace(0, len(whole) - 1, 5).astype(int):
            copies[damaged].write_bytes(whole[:part])
            with pytest.raises(ValueError, match=re.escape(str(copies[damaged]))):
                bfm2009.read(copies[0], expression=copies[1])


def test_rejects_matlab_7_3(tmp_path):
    import h5py

    path = tmp_path / "01_MorphableModel.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name in bfm2009.NAMES:
            file[name] = np.zeros(3)
    with path.open("r+b") as stream:  # what MATLAB writes before the HDF5 file
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    with pytest.raises(ValueError, match=r"a MATLAB 7\.3 \(HDF5\) file; .* Save it again with save"):
        read_mesh(path)


def test_rejects_missing(files, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file; expected the Basel Face Model 2009"):
        bfm2009.read(tmp_path / "model.mat")
    with pytest.raises(FileNotFoundError, match=r"expected 3DDFA's expressions for it \(Model_Expression\.mat\)"):
        bfm2009.read(files[0], expression=tmp_path / "model.mat")
