"""MATLAB files: what they announce is checked before SciPy, which would end the process, reads it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import scipy.io
from stn3dmm.formats.matlab import read_matlab
from stn3dmm.formats.matlab_variables import variables

CONTENT = {
    "double": np.arange(6.0).reshape(2, 3),
    "single": np.ones((3, 1), dtype=np.float32),
    "flags": np.array([[True, False]]),
    "large": np.array([[2**62]]),
    "a_rather_long_name": np.zeros((1, 2, 3, 2), dtype=np.int16),
    "empty": np.zeros((0, 0)),
    "text": "words",
    "cell": np.array([1, "a"], dtype=object),
    "struct": {"a": 1},
    "sparse": scipy.sparse.csc_matrix(np.eye(3)),
    "complex": np.array([[1j]]),
}
NUMERIC = ("double", "single", "flags", "large", "a_rather_long_name", "empty")


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def file(tmp_path, request):
    path = tmp_path / "content.mat"
    scipy.io.savemat(path, CONTENT, do_compression=request.param)
    return path


def test_variables_by_hand(file):
    found = {variable.name: variable for variable in variables(file)}
    assert list(found) == list(CONTENT)
    assert [name for name, variable in found.items() if variable.is_numeric] == list(NUMERIC)
    assert [found[name].kind for name in ("double", "flags", "large", "text", "complex")] == [
        "double",
        "uint8",
        "int64",
        "char",
        "complex",
    ]
    for name in NUMERIC:
        assert found[name].shape == CONTENT[name].shape


def test_reads_all_numbers_or_those_named(file):
    content = read_matlab(file, "numbers")
    assert sorted(content) == sorted(NUMERIC)
    for name, array in content.items():
        assert array.tolist() == np.asarray(CONTENT[name]).tolist()
    assert list(read_matlab(file, "numbers", ["single", "other"])) == ["single"]
    assert read_matlab(file, "numbers", ["other"]) == {}


def test_agrees_with_matlab(real_data):
    """Files that MATLAB wrote: compressed, small elements, numbers stored in fewer bytes than their class has."""
    for path in [*(real_data / "bas2017").glob("*.mat"), *(real_data / "aflw2000").glob("*.mat")]:
        whole = {name: value for name, value in scipy.io.loadmat(path).items() if not name.startswith("__")}
        found = {variable.name: variable for variable in variables(path)}
        assert set(found) == set(whole)
        read = read_matlab(path, "numbers")
        assert read
        for name, array in read.items():
            assert found[name].shape == whole[name].shape
            assert np.array_equal(array, whole[name], equal_nan=True)


def plain(tmp_path, array):
    path = tmp_path / "plain.mat"
    scipy.io.savemat(path, {"a": array}, do_compression=False)
    return path


@pytest.mark.parametrize("kind", [0, 8, 10, 11, 14, 15, 17, 0xFFFF])
@pytest.mark.parametrize("array", [np.arange(4.0), np.zeros((0, 0))], ids=["numbers", "none"])
def test_refuses_numbers_of_no_known_type(tmp_path, array, kind):
    """SciPy looks the type up in a table, without a look at its size."""
    path = plain(tmp_path, array)
    tag = struct.pack("<II", 9, 8 * array.size)
    content = path.read_bytes()
    place = content.rindex(tag)
    path.write_bytes(content[:place] + struct.pack("<I", kind) + content[place + 4 :])
    with pytest.raises(ValueError, match=f"not a readable MATLAB file .*bytes of type {kind}"):
        read_matlab(path, "numbers")


@pytest.mark.parametrize("order", ["IM", "MI", "xx"])
def test_byte_order(tmp_path, order):
    path = plain(tmp_path, np.arange(4.0))
    content = path.read_bytes()
    path.write_bytes(content[:126] + order.encode() + content[128:])
    if order == "IM":
        assert read_matlab(path, "numbers")["a"].tolist() == [[0, 1, 2, 3]]
    else:
        with pytest.raises(ValueError, match="not a readable MATLAB file"):
            read_matlab(path, "numbers")


def test_refuses_what_follows_the_last_variable(tmp_path):
    path = plain(tmp_path, np.arange(4.0))
    whole = path.read_bytes()
    for content in (
        whole + b"x",
        whole + bytes(8),
        whole[:-1],
        whole[:200],
        whole[:128] + struct.pack("<II", 14, 2**31),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a readable MATLAB file"):
            read_matlab(path, "numbers")


def test_refuses_what_is_larger_than_any_model(tmp_path):
    """A small file of zeros, compressed."""
    path = tmp_path / "zeros.mat"
    scipy.io.savemat(path, {"a": np.zeros(2**27 + 1, dtype=np.int8)}, do_compression=True)
    assert path.stat().st_size < 1e6
    with pytest.raises(ValueError, match="larger than any morphable model"):
        read_matlab(path, "numbers")
