"""Where faces come from: one module for each kind of data set, and `open_source` to open any by name."""

from __future__ import annotations

import dataclasses
import inspect
import numbers
import os
from collections.abc import Callable
from typing import Any

from stn3dmm.data.faces import FaceSource, check_landmark_set, landmark_count
from stn3dmm.data.sources.aflw import open_aflw
from stn3dmm.data.sources.demodata import DemodataFaces
from stn3dmm.data.sources.folder import open_folder
from stn3dmm.data.sources.joined import JoinedFaces
from stn3dmm.data.sources.synthetic import SyntheticSource
from stn3dmm.data.sources.umdfaces import open_umdfaces
from stn3dmm.data.sources.w300lp import LabelledPhotographs
from stn3dmm.data.synthetic import SyntheticConfig

__all__ = ["KINDS", "DemodataFaces", "JoinedFaces", "SyntheticSource", "open_source"]

Path = str | os.PathLike[str]
# What an option may be, by the type of its default.
OPTION_TYPES: dict[type, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a whole number", (numbers.Integral,)),
    float: ("a number", (numbers.Real,)),
    str: ("a text", (str, os.PathLike)),
    tuple: ("a list", (list, tuple)),
}


def _demodata(path: Path, landmark_set: str | None, on_damage: str) -> FaceSource:
    return DemodataFaces(path)


def _people(
    path: Path, landmark_set: str | None, on_damage: str, *, labels: str = "auto", framed: bool = False
) -> FaceSource:
    return open_folder(path, landmark_set, on_damage, labels=labels, framed=framed, people=True)


def _synthetic(
    path: Path | None,
    landmark_set: str | None,
    on_damage: str,
    *,
    seed: int = 0,
    framed: bool = False,
    **options: Any,
) -> FaceSource:
    if path:
        raise ValueError(f"synthetic faces are drawn, not read; leave the path empty (got {os.fspath(path)!r}).")
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    return SyntheticSource(landmark_set, SyntheticConfig(**fields), seed, framed)


KINDS: dict[str, Callable[..., FaceSource]] = {
    "aflw": open_aflw,
    "300w-lp": LabelledPhotographs,
    "aflw2000-3d": LabelledPhotographs,
    "umdfaces": open_umdfaces,
    "folder": open_folder,
    "identities": _people,
    "demodata": _demodata,
    "synthetic": _synthetic,
}


def open_source(
    kind: str, path: Path | None = None, *, landmark_set: str | None = None, on_damage: str = "skip", **options: Any
) -> FaceSource:
    """Opens a data set by the name of its kind, as it stands in a configuration.

    Args:
        kind: one of KINDS.
        path: its file or folder; None for synthetic faces.
        landmark_set: the landmarks that are wanted, "aflw21" or "ibug68"; None: whatever it has, or none.
        on_damage: what damaged labels do: "skip", they are left out and reported once, or "stop", ValueError.
        options: those of the kind; of synthetic faces the fields of `SyntheticConfig`, ``seed`` and
            ``framed``.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: an unknown kind or option, a data set that is something else, is empty, damaged altogether, or has
            other landmarks than wanted.
        TypeError: an option of another type.

    Example:
        >>> len(open_source("synthetic", landmark_set="aflw21", length=10))
        10
    """
    if kind not in KINDS:
        raise ValueError(f"There is no kind of data set {kind!r}; known are {', '.join(KINDS)}.")
    if on_damage not in ("skip", "stop"):
        raise ValueError(f"on_damage must be 'skip' or 'stop'; got {on_damage!r}.")
    landmark_count(landmark_set)
    known = _options(kind)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"{kind}: there is no option {unknown[0]!r}; known are {', '.join(known) or 'none'}.")
    if not path and kind != "synthetic":
        raise ValueError(f"{kind}: the path is empty; name its file or folder.")
    for name, value in options.items():
        _check_option(f"{kind}: {name}", value, known[name])
    source = KINDS[kind](path, landmark_set, on_damage, **options)
    check_landmark_set(source.landmark_set, landmark_set, os.fspath(path) if path else kind)
    return source


def _options(kind: str) -> dict[str, Any]:
    """The options of a kind and their defaults."""
    parameters = inspect.signature(KINDS[kind]).parameters.values()
    named = {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}
    fields = dataclasses.fields(SyntheticConfig) if kind == "synthetic" else ()
    return named | {field.name: field.default for field in fields}


def _check_option(what: str, value: object, default: object) -> None:
    words, types = OPTION_TYPES[type(default)]
    if not isinstance(value, types) or (isinstance(value, bool) and not isinstance(default, bool)):
        raise TypeError(f"{what} must be {words}; got {value!r}.")
