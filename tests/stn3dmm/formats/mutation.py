"""Damage for fuzzing: to bytes, which leaves no container whole, and to what a container holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Random = np.random.Generator
Array = npt.NDArray[Any]

# What breaks readers: signs, ends of ranges, counts that no file can hold.
NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)


@dataclasses.dataclass(frozen=True)
class Fuzzed:
    """A format to fuzz: how its seed is written, and damaged so that the container stays whole."""

    name: str
    write: Callable[[Path], Path]  # writes the seed into an empty folder; returns what the reader is given
    damage_content: Callable[[Path, Random], None]  # damages what `write` returned, the container stays readable
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)  # of the reader; "FOLDER/" is that folder
    reader: str = "read_mesh"  # of stn3dmm.formats


def damage_bytes(content: bytes, random: Random) -> bytes:
    """One to four accidents: bits and numbers changed, pieces lost, doubled or exchanged, the end cut off."""
    data = bytearray(content)
    for _ in range(int(random.integers(1, 5))):
        place = int(random.integers(0, len(data) + 1))
        length = int(random.integers(1, 33))
        accident = int(random.integers(0, 7))
        if accident == 0 and data:
            data[place % len(data)] ^= 1 << int(random.integers(0, 8))
        elif accident == 1:
            data[place : place + length] = random.bytes(length)
        elif accident == 2:
            width = int(random.choice([1, 2, 4, 8]))
            number = NUMBERS[int(random.integers(0, len(NUMBERS)))] % 256**width
            # Headers are where counts are.
            place = place if random.random() < 0.5 else place % 256
            data[place : place + width] = number.to_bytes(width, "little" if random.random() < 0.8 else "big")
        elif accident == 3:
            del data[place : place + length]
        elif accident == 4:
            data[place:place] = data[place : place + length]
        elif accident == 5:
            del data[place:]
        else:
            other = int(random.integers(0, len(data) + 1))
            data[place : place + length], data[other : other + length] = (
                data[other : other + length],
                data[place : place + length],
            )
    return bytes(data)


TEXTS = (
    "",
    "{",
    "[]",
    "null",
    "1",
    '{"aflw21": [[1]]}',
    '{"ibug68": 3}',
    '{"x": ["a"]}',
    "[" * 2000,
    "\x00",
    "é" * 300,
)


def damage_array(array: Array, random: Random) -> Array:
    """The array with wrong values, of another shape, or of another type."""
    array = np.array(array)
    if array.dtype.kind not in "biuf":
        return np.zeros(array.shape) if random.random() < 0.5 else np.array(str(random.choice(TEXTS)))
    fault = int(random.integers(0, 9))
    if fault <= 2:  # one value, a few, or all
        flat = array.reshape(-1)
        count = (1, min(8, flat.size), flat.size)[fault]
        places = random.integers(0, flat.size, count) if flat.size else np.empty(0, dtype=int)
        flat[places] = _wrong_value(array.dtype, random)
        return flat.reshape(array.shape)
    if fault == 3:
        return array.reshape(-1)[: int(random.integers(0, array.size + 1))]
    if fault == 4:
        return array.T if array.ndim > 1 else array[..., None]
    if fault == 5:
        axis = int(random.integers(0, max(1, array.ndim)))
        return np.concatenate([array, array], axis=axis) if array.ndim else array[None]
    if fault == 6:
        return array[None]
    if fault == 7:
        return np.empty((0, *array.shape[1:]), dtype=array.dtype)
    with np.errstate(all="ignore"):
        return array.astype(random.choice(["f4", "f8", "i1", "u2", "i4", "i8", "u8", "c8", "b1", "U4"]))


def _wrong_value(dtype: np.dtype[Any], random: Random) -> Any:
    if dtype.kind == "f":
        with np.errstate(all="ignore"):
            return dtype.type(random.choice([np.nan, np.inf, -np.inf, 0.0, -1.0, 0.5, 1e30, 1e300, 2.0**31, 1e-40]))
    if dtype.kind == "b":
        return bool(random.integers(0, 2))
    information = np.iinfo(dtype)
    return dtype.type(random.choice([information.min, information.max, 0, 1, min(information.max, 10**6)]))


def damage_arrays(arrays: Mapping[str, Array], random: Random) -> dict[str, Array]:
    """Arrays by name, one or two of them damaged, lost, exchanged or renamed."""
    damaged = dict(arrays)
    for _ in range(int(random.integers(1, 3))):
        names = sorted(damaged)
        if not names:
            break
        name, other = random.choice(names), random.choice(names)
        fault = int(random.integers(0, 10))
        if fault == 0:
            del damaged[name]
        elif fault == 1:
            damaged[name], damaged[other] = damaged[other], damaged[name]
        elif fault == 2:
            damaged[f"{name}_"] = damaged.pop(name)
        else:
            damaged[name] = damage_array(damaged[name], random)
    return damaged


WORDS = ("nan", "inf", "-inf", "1e400", "1e-400", "0", "-1", "-9", "1.5", "x", "", "99999999999999999999", "2147483648")


def damage_words(text: str, random: Random) -> str:
    """Text of words in lines with one or two words or lines changed, lost or doubled."""
    lines = text.split("\n")
    for _ in range(int(random.integers(1, 3))):
        k = int(random.integers(0, len(lines)))
        fault = int(random.integers(0, 6))
        words = lines[k].split(" ")
        w = int(random.integers(0, len(words)))
        if fault <= 2:
            words[w] = str(random.choice(WORDS))
            lines[k] = " ".join(words)
        elif fault == 3:
            del words[w]
            lines[k] = " ".join(words)
        elif fault == 4:
            lines.insert(k, lines[int(random.integers(0, len(lines)))])
        elif len(lines) > 1:
            del lines[k]
    return "\n".join(lines)
