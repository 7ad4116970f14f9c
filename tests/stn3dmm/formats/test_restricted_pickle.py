"""Pickles are read as data: every protocol, Python 2's too, and nothing of a hostile one is ever done."""

from __future__ import annotations

import os
import pickle
import struct
import sys
import time
import tracemalloc
import types

import numpy as np
import pytest
import scipy.sparse
from stn3dmm.formats.pickle_machine import MOST_OPERATIONS
from stn3dmm.formats.restricted_pickle import read_array, read_arrays

from .model_files import Python2

ARRAYS = {
    "doubles": np.arange(24, dtype=np.float64).reshape(2, 3, 4),
    "by_columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "big_endian": np.arange(5, dtype=">i4"),
    "bytes": np.arange(256, dtype=np.uint8),  # all of Latin-1, quotes and line ends among them
    "number": np.array(3.5),
}


@pytest.fixture
def chumpy(monkeypatch):
    """A stand-in for chumpy: its class by name, with the state that its __getstate__ leaves."""
    module = types.ModuleType("chumpy.ch")
    module.Ch = type("Ch", (), {"__module__": "chumpy.ch"})
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    return module.Ch


def chumpy_array(chumpy, value):
    wrapped = chumpy()
    wrapped.__dict__.update(
        x=value, _dirty_vars={"x"}, _itr=None, _depends_on_deps={"r": {"deps": {"x"}, "value": None}}
    )
    return wrapped


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol(tmp_path, chumpy, protocol):
    path = tmp_path / "model.pkl"
    content = {
        **ARRAYS,
        "wrapped": chumpy_array(chumpy, ARRAYS["doubles"]),
        "sparse": scipy.sparse.csc_matrix(np.eye(3)),
        "scalar": np.float32(2),
        "style": "lbs",
        "again": ARRAYS["doubles"],
        "nested": [(1, 2.5, None, True, 2**70), {"k": b"bytes"}, frozenset({1})],
    }
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    read = read_arrays(path, "arrays", [*ARRAYS, "wrapped", "again", "not there"])
    assert list(read) == [*ARRAYS, "wrapped", "again"]
    for name, value in (ARRAYS | {"wrapped": ARRAYS["doubles"], "again": ARRAYS["doubles"]}).items():
        assert read[name].dtype == value.dtype
        assert read[name].tolist() == value.tolist()
    path.write_bytes(pickle.dumps(ARRAYS["by_columns"], protocol=protocol))
    assert read_array(path, "an array").tolist() == ARRAYS["by_columns"].tolist()


@pytest.mark.parametrize("protocol", range(3))
def test_python_2(tmp_path, protocol):
    writer = Python2(protocol)
    path = tmp_path / "model.pkl"
    items = {name.encode(): writer.array(value) for name, value in ARRAYS.items() if name != "big_endian"}
    items[b"wrapped"] = writer.chumpy(ARRAYS["doubles"])
    items[b"sparse"] = writer.sparse(np.eye(3))
    path.write_bytes(writer.pickle(items))
    read = read_arrays(path, "arrays", [name.decode() for name in items if name != b"sparse"])
    for name, value in read.items():
        assert value.tolist() == ARRAYS["doubles" if name == "wrapped" else name].tolist(), name


class Hostile:
    """Does what its arguments say when a plain unpickler meets it."""

    def __init__(self, call, *arguments):
        self.reduction = (call, arguments)

    def __reduce__(self):
        return self.reduction


def hostile_objects(folder):
    proof = str(folder / "proof")
    yield "os.system", Hostile(os.system, f"touch {proof}")
    yield "eval", Hostile(eval, f"open({proof!r}, 'w')")
    yield "exec", Hostile(exec, f"open({proof!r}, 'w')")
    yield "open", Hostile(open, proof, "w")
    yield "getattr", Hostile(getattr, "text", "format")
    yield "chain", Hostile(getattr, Hostile(__import__, "os"), "system")
    yield "np.save", Hostile(np.save, proof, np.zeros(3))
    yield "np.load", Hostile(np.load, proof, None, True)


@pytest.mark.parametrize("protocol", range(6))
def test_executes_nothing(tmp_path, protocol):
    path = tmp_path / "model.pkl"
    for name, hostile in hostile_objects(tmp_path):
        for content in (hostile, {"u": hostile}, {"u": np.zeros(3), "w_shp": [hostile]}):
            path.write_bytes(pickle.dumps(content, protocol=protocol))
            with pytest.raises(ValueError, match=r"it wants to load .*, and only arrays are admitted") as caught:
                read_arrays(path, "arrays", ["u"])
            assert str(path) in str(caught.value), name
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pkl"]


def test_executes_nothing_in_what_is_never_read(tmp_path):
    """An array of objects whose objects are code, in a place that nobody asks for."""
    path = tmp_path / "model.pkl"
    objects = np.array([Hostile(os.system, f"touch {tmp_path / 'proof'}")], dtype=object)
    path.write_bytes(pickle.dumps({"u": np.zeros(3), "other": objects}))
    with pytest.raises(ValueError, match="it wants to load"):
        read_arrays(path, "arrays", ["u"])
    assert not (tmp_path / "proof").exists()


ARRAY = Python2(2).array(np.zeros(3))

# fmt: off
OPCODES = {
    "instance": (b"(S'touch proof'\nios\nsystem\n.", "operation INST is not admitted"),
    "object": (b"(cos\nsystem\nS'touch proof'\no.", "it wants to load os.system"),
    "newobj_ex": (b"\x80\x04cnumpy\nndarray\n)}\x92.", "operation NEWOBJ_EX is not admitted"),
    "extension": (b"\x80\x02\x82\x01.", "operation EXT1 is not admitted"),
    "persistent": (b"Pnumber\n.", "operation PERSID is not admitted"),
    "buffer": (b"\x80\x05\x97.", "operation NEXT_BUFFER is not admitted"),
    "dotted": (b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.", "it wants to load numpy.ndarray.__class__"),
    "state_for_a_class": (b"\x80\x02cnumpy\nndarray\n}b.", "a state for something that is no object"),
    "call_of_data": (b"\x80\x02I1\n)R.", "a call of something that is no name"),
    "key": (b"\x80\x02}K\x01K\x02s.", "only dictionaries with strings as keys"),
    "no_key": (b"\x80\x02](K\x01u.", "only dictionaries with strings as keys"),
    "no_list": (b"\x80\x02}K\x01a.", "no list"),
    "memo": (b"\x80\x02h\x07.", "it is damaged"),
    "stack": (b"\x80\x02.", "it is damaged"),
    "mark": (b"\x80\x02t.", "it is damaged"),
    "end": (b"\x80\x02}", "it ends too early"),
    "unknown": (b"\x80\x02\xff.", "is unknown"),
    "empty": (b"", "empty"),
    "text": (b"Zoe", "is unknown"),
}
# fmt: on


@pytest.mark.parametrize("name", OPCODES)
def test_rejects_opcodes(tmp_path, monkeypatch, name):
    content, message = OPCODES[name]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_arrays(path, "arrays", ["u"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pkl"]


REPLACEMENTS = {
    "object_dtype": (b"T\x02\x00\x00\x00f8", b"T\x02\x00\x00\x00O8", "something else than real numbers"),
    "void_dtype": (b"T\x02\x00\x00\x00f8", b"T\x02\x00\x00\x00V8", "something else than real numbers"),
    "byte_order": (b"T\x01\x00\x00\x00<", b"T\x01\x00\x00\x00?", "something else than real numbers"),
    "size": (b"(J\x03\x00\x00\x00t", b"(J\x04\x00\x00\x00t", r"with the shape \(4,\) and 24 bytes"),
    "huge": (b"(J\x03\x00\x00\x00t", b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft", "and 24 bytes"),
    "negative": (b"(J\x03\x00\x00\x00t", b"(J\xff\xff\xff\xfft", "without a shape"),
    "no_shape": (b"(J\x03\x00\x00\x00t", b"J\x03\x00\x00\x00", "without a shape"),
    "no_data": (b"T\x18\x00\x00\x00" + bytes(24), b"N", "without its bytes"),
    "list_data": (b"T\x18\x00\x00\x00" + bytes(24), b"]", "without its bytes"),
    "no_state": (b"(J\x01\x00\x00\x00", b"(", "without its content"),
}


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_rejects_arrays(tmp_path, name):
    path = tmp_path / "model.pkl"
    before, after, message = REPLACEMENTS[name]
    assert ARRAY.count(before) == 1
    content = Python2(2).pickle({b"u": ARRAY})
    path.write_bytes(content)
    assert read_arrays(path, "arrays", ["u"])["u"].tolist() == [0, 0, 0]
    path.write_bytes(content.replace(before, after))
    with pytest.raises(ValueError, match=message):
        read_arrays(path, "arrays", ["u"])


def test_rejects_what_is_no_array(tmp_path, chumpy):
    path = tmp_path / "model.pkl"
    for value in (None, "text", [1.0, 2.0], scipy.sparse.csr_matrix(np.eye(2)), np.float64(1), chumpy()):
        path.write_bytes(pickle.dumps({"u": value}))
        with pytest.raises(ValueError, match=r"is no array|expected an array"):
            read_arrays(path, "arrays", ["u"])
    for content in ([np.zeros(3)], 3, None):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match="it holds no dictionary"):
            read_arrays(path, "arrays", ["u"])
    nest = chumpy_array(chumpy, None)
    nest.x = nest
    path.write_bytes(pickle.dumps({"u": nest}))
    with pytest.raises(ValueError, match="expected an array"):
        read_arrays(path, "arrays", ["u"])


def nested_tuples(depth):
    """t = ((t, t), (t, t)) ... as a key: to hash it takes 2^depth steps."""
    doubling = b"".join(b"q%ch%ch%c\x86" % (k, k, k) for k in range(depth))
    return b"\x80\x02}N" + doubling + b"K\x01s."


BOMBS = {
    "memo": b"\x80\x02}r\xff\xff\xff\x7fK\x01.",  # a C unpickler makes room for 2^31 entries
    "bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",
    "bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.",
    "text": b"\x80\x02X\xff\xff\xff\x7fx.",
    "number": b"\x80\x02\x8b\xff\xff\xff\x7fx.",
    "digits": b"L" + b"9" * 100_000 + b"L\n.",
    "keys": nested_tuples(60),
    "operations": b"\x80\x02" + b"N0" * MOST_OPERATIONS + b".",
    "marks": b"\x80\x02" + b"(" * (MOST_OPERATIONS + 1),
    "depth": b"\x80\x02" + b"]" * 90_000 + b"a" * 89_999 + b".",
    "calls": b"\x80\x02" + b"cnumpy\ndtype\n)R" * 49_000 + b"b" * 48_999 + b".",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(tmp_path, name):
    path = tmp_path / "model.pkl"
    path.write_bytes(BOMBS[name])
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"not a readable pickle of arrays .*; expected arrays\."):
        read_arrays(path, "arrays", ["u"])
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()
    assert time.perf_counter() - started < 20  # a tenth of that where nothing else runs


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file; expected arrays\."):
        read_arrays(tmp_path / "model.pkl", "arrays", ["u"])
