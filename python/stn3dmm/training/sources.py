"""Data sets as a configuration names them."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Sequence

Option = bool | int | float | str | list[int] | list[float]
SYNTHETIC = "synthetic"
MEASURED = 200  # synthetic faces to measure by
FILE_OPTIONS = {"images": (), "labels": ("auto", "none")}  # those that name files, and what else they may say


@dataclasses.dataclass(frozen=True)
class SourceConfig:
    """One data set."""

    kind: str  # what `stn3dmm.data.sources.open_source` knows: "300w-lp", "aflw", "folder", "synthetic", ...
    path: str = ""  # its file or folder
    options: dict[str, Option] = dataclasses.field(default_factory=dict)  # of its kind

    @property
    def seed(self) -> Option:
        """That of synthetic faces."""
        return self.options.get("seed", 0)

    def same_faces(self, other: SourceConfig) -> bool:
        """Whether both name the same faces; synthetic ones of one seed are of the same people."""
        if SYNTHETIC in (self.kind, other.kind):
            return (self.kind, self.seed) == (other.kind, other.seed)
        return self.resolved() == other.resolved()

    def resolved(self) -> SourceConfig:
        """With whole paths, as seen from the working folder."""
        options = {
            name: absolute(value) if isinstance(value, str) and _names_file(name, value) else value
            for name, value in self.options.items()
        }
        return dataclasses.replace(self, path=absolute(self.path), options=options)


def absolute(path: str) -> str:
    """The whole path; "" stays what it is."""
    return os.path.abspath(path) if path else ""


def _names_file(option: str, value: str) -> bool:
    return option in FILE_OPTIONS and value not in FILE_OPTIONS[option]


def held_out(source: SourceConfig, trained: Sequence[SourceConfig]) -> SourceConfig:
    """A data set to measure by: synthetic faces, of which there is no end, get a number and a seed.

    Where they are not given: `MEASURED` faces, of a seed that no data set of the training has.

    Example:
        >>> held_out(SourceConfig("synthetic"), [SourceConfig("synthetic")]).options
        {'length': 200, 'seed': 1}
    """
    if source.kind != SYNTHETIC:
        return source
    source = dataclasses.replace(source, options={"length": MEASURED, **source.options})
    if "seed" in source.options:
        return source
    taken = {other.seed for other in trained if other.kind == SYNTHETIC and isinstance(other.seed, int)}
    seed = next(number for number in itertools.count(1) if number not in taken)
    return dataclasses.replace(source, options={**source.options, "seed": seed})


def moved(sources: Sequence[SourceConfig], named: Sequence[SourceConfig], what: str) -> tuple[SourceConfig, ...]:
    """The same data sets at the places of ``named``.

    Raises:
        ValueError: these are others.
    """
    if [source.kind for source in sources] != [source.kind for source in named]:
        kinds = ", ".join(source.kind for source in sources) or "none"
        raise ValueError(
            f"{what} may only say where the run's own data sets are now, in their order ({kinds}); got "
            f"{', '.join(source.kind for source in named)}. Begin another run for other data."
        )
    return tuple(dataclasses.replace(source, path=place.path) for source, place in zip(sources, named, strict=True))
