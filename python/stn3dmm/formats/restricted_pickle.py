"""Reading the arrays of a pickle without running it.

Protocols 0 to 5 are read, and pickles of Python 2, whose strings are Latin-1. Admitted are plain data, NumPy arrays,
SciPy sparse matrices and chumpy's arrays (`pickle_machine`); only arrays of real numbers are handed out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from stn3dmm.files import existing_file
from stn3dmm.formats.pickle_machine import Call, plain_data

Array = npt.NDArray[Any]
T = TypeVar("T")

DEEPEST = 8  # arrays within arrays: chumpy wraps one
NUMPY_RECONSTRUCT = tuple(f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core"))
NUMPY_FROM_BUFFER = tuple(f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core"))
CHUMPY_ARRAY = "chumpy.ch.Ch"
NUMBER_TYPES = frozenset(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])


def read_arrays(path: str | os.PathLike[str], what: str, names: Collection[str]) -> dict[str, Array]:
    """Those of the named arrays that the pickled dictionary holds; ``what`` names the expected content in errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a pickle, holds anything but plain data and arrays, or is damaged.
    """
    return _read(path, what, lambda content: _named_arrays(content, names))


def read_array(path: str | os.PathLike[str], what: str) -> Array:
    """The one array that the pickle is; errors as in `read_arrays`."""
    return _read(path, what, _array)


def _read(path: str | os.PathLike[str], what: str, decode: Callable[[Any], T]) -> T:
    file = existing_file(path, what)
    try:
        return decode(plain_data(file))
    except ValueError as error:
        raise ValueError(f"{file}: not a readable pickle of arrays ({error}); expected {what}.") from error


def _named_arrays(content: Any, names: Collection[str]) -> dict[str, Array]:
    if not isinstance(content, dict):
        raise ValueError("it holds no dictionary")
    wanted = {name: content[name] for name in names if name in content}
    return {name: _array(value) for name, value in wanted.items()}


def _array(value: Any) -> Array:
    for _ in range(DEEPEST):
        if not isinstance(value, Call):
            break
        if value.path in NUMPY_RECONSTRUCT:
            _, shape, dtype, fortran, data = _parts(value.state, 5)
            return _array_of(shape, dtype, "F" if fortran else "C", data)
        if value.path in NUMPY_FROM_BUFFER:
            data, dtype, shape, order = _parts(value.arguments, 4)
            return _array_of(shape, dtype, order, data)
        if value.path != CHUMPY_ARRAY or not isinstance(value.state, dict):
            raise ValueError(f"{value.path} is no array")
        value = value.state.get("x")
    raise ValueError(f"expected an array; got {type(value).__name__}")


def _parts(value: Any, count: int) -> tuple[Any, ...]:
    if not isinstance(value, tuple) or len(value) != count:
        raise ValueError("an array without its content")
    return value


def _array_of(shape: Any, dtype_call: Any, order: Any, content: Any) -> Array:
    dtype, data = _number_type(dtype_call), _bytes(content)
    if not isinstance(shape, tuple) or not all(isinstance(size, int) and size >= 0 for size in shape):
        raise ValueError("an array without a shape")
    if math.prod(shape) * dtype.itemsize != len(data) or order not in ("C", "F"):
        raise ValueError(f"an array of {dtype} with the shape {_short(shape)} and {len(data)} bytes")
    array: Array = np.frombuffer(data, dtype=dtype).reshape(shape, order=order)
    return array


def _number_type(value: Any) -> np.dtype[Any]:
    if isinstance(value, Call) and value.path == "numpy.dtype":
        code = value.arguments[0] if value.arguments else None
        byte_order = value.state[1] if isinstance(value.state, tuple) and len(value.state) > 1 else None
        if isinstance(code, str) and code in NUMBER_TYPES and byte_order in ("<", ">", "|", "="):
            dtype: np.dtype[Any] = np.dtype(byte_order + code)
            return dtype
    raise ValueError("an array of something else than real numbers")


def _bytes(value: Any) -> bytes | bytearray:
    if isinstance(value, Call) and value.path == "_codecs.encode" and value.arguments:  # Python 3 for Python 2
        value = value.arguments[0]
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, bytes | bytearray):
        return value
    raise ValueError("an array without its bytes")


def _short(shape: tuple[int, ...]) -> str:
    text = str(shape)
    return text if len(text) <= 60 else text[:60] + " ..."
