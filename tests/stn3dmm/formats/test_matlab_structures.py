"""Cells and structs of MATLAB files: what is let through is read as it is, what is damaged never reaches SciPy."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from stn3dmm.formats.matlab import read_matlab
from stn3dmm.formats.matlab_structures import cells, member, text

from .mutation import damage_bytes


def cell(*entries):
    row = np.empty((1, len(entries)), dtype=object)
    row[0, :] = entries
    return row


CONTENT = {
    "outer": {"name": "conv1_1", "weights": cell(np.arange(6.0).reshape(2, 3), np.ones((2, 1), dtype=np.float32))},
    "list": cell({"a": 1.0, "long_name": cell("x", cell())}, "text", np.zeros((0, 0))),
    "number": np.eye(2),
}


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def file(tmp_path, request):
    path = tmp_path / "content.mat"
    scipy.io.savemat(path, CONTENT, do_compression=request.param)
    return path


def test_reads_structures_by_hand(file):
    content = read_matlab(file, "structures", structures=("outer", "list", "absent"))
    assert sorted(content) == ["list", "number", "outer"]
    assert text(member(content["outer"], "name")) == "conv1_1"
    numbers, ones = cells(member(content["outer"], "weights"))
    assert numbers.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert ones.dtype == np.float32
    first, second, third = cells(content["list"])
    assert member(first, "a").tolist() == [[1.0]]
    assert text(cells(member(first, "long_name"))[0]) == "x"
    assert text(second) == "text"
    assert third.size == 0


def test_structures_are_read_only_where_they_are_expected(file):
    with pytest.raises(ValueError, match="outer is of class struct, not an array of real numbers"):
        read_matlab(file, "numbers", ["outer"])
    assert list(read_matlab(file, "numbers")) == ["number"]


def test_what_is_not_there_is_none(file):
    outer = read_matlab(file, "structures", structures=("outer",))["outer"]
    assert member(outer, "other") is None
    assert member(outer, "name", "deeper") is None
    assert member(None, "name") is None
    assert cells(outer) == []
    assert text(outer) == ""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": scipy.sparse.csc_matrix(np.eye(3))}, "holds a matrix of class sparse"),
        ({"a": np.array([[1j]])}, "holds a matrix of class complex"),
        (cell(np.zeros(2**27 + 1, dtype=np.int8)), "larger than any network's layer"),
    ],
    ids=["sparse", "complex", "large"],
)
def test_refuses_members_of_other_kinds(tmp_path, value, message):
    scipy.io.savemat(tmp_path / "a.mat", {"outer": value}, do_compression=True)
    with pytest.raises(ValueError, match=message):
        read_matlab(tmp_path / "a.mat", "structures", structures=("outer",))


def test_refuses_endless_nesting(tmp_path):
    value = np.eye(1)
    for _ in range(40):
        value = cell(value)
    scipy.io.savemat(tmp_path / "a.mat", {"outer": value})
    with pytest.raises(ValueError, match="nested deeper than"):
        read_matlab(tmp_path / "a.mat", "structures", structures=("outer",))


@pytest.mark.parametrize("kind", [0, 8, 10, 11, 14, 17, 0xFFFF])
def test_refuses_inner_numbers_of_no_known_type(tmp_path, kind):
    """The fault that ends the process where SciPy meets it."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"outer": {"a": np.arange(4.0)}})
    content = path.read_bytes()
    place = content.rindex(struct.pack("<II", 9, 32))
    path.write_bytes(content[:place] + struct.pack("<I", kind) + content[place + 4 :])
    with pytest.raises(ValueError, match=f"not a readable MATLAB file .*bytes of type {kind}"):
        read_matlab(path, "structures", structures=("outer",))


def test_damaged_files_are_read_or_refused(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, CONTENT)
    whole = path.read_bytes()
    results = set()
    for case in range(500):
        path.write_bytes(damage_bytes(whole, np.random.default_rng(case)))
        try:
            read_matlab(path, "structures", structures=("outer", "list"))
            results.add("read")
        except ValueError as error:
            results.add(f"refused in {len(str(error).splitlines())} line")
    assert results == {"read", "refused in 1 line"}
