"""Attributes of a package that are imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def lazily(package: str, homes: dict[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose attribute ``name`` lies in its module ``homes[name]``.

    Example:
        >>> lazily("stn3dmm", {"head_angles": "angles"})("head_angles").__name__
        'head_angles'
    """

    def attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return attribute
