"""The configuration of a training run, and its TOML file."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from typing import Any

import pydantic
import tomli_w

from stn3dmm.data.augmentation import AugmentationConfig
from stn3dmm.files import existing_file, write_text
from stn3dmm.localiser import LocaliserConfig
from stn3dmm.objective import WEIGHTS, ObjectiveConfig, weighs
from stn3dmm.training.sources import SourceConfig, absolute, held_out

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "DataConfig",
    "OptimiserConfig",
    "RunConfig",
    "ScheduleConfig",
    "SourceConfig",
    "TrainConfig",
    "from_dict",
    "read_config",
    "to_dict",
    "write_config",
]

AMP = ("none", "bf16")
OPTIMISERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "step", "constant")
PAIRS = ("none", "mirror", "identity", "both")


def _one_of(section: str, name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{section}.{name} must be one of {', '.join(known)}; got {value!r}.")


def _at_least(section: object, smallest: float, *names: str) -> None:
    title = type(section).__name__.removesuffix("Config").lower()
    for name in names:
        value = getattr(section, name)
        if not (math.isfinite(value) and value >= smallest):
            raise ValueError(f"{title}.{name} must be at least {smallest:g}; got {value}.")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The faces to train on and to validate with."""

    sources: tuple[SourceConfig, ...] = (SourceConfig("synthetic"),)
    validation: tuple[SourceConfig, ...] = ()  # none of the sources; empty: the last checkpoint counts as the best
    image_size: tuple[int, int] = (224, 224)  # (H, W) pixels of the crops
    landmark_set: str = "ibug68"  # or "aflw21": what the labels are; photographs without labels may be among them
    pairs: str = "mirror"  # "none", "mirror" (each image and its mirror image), "identity" (two views), "both"
    workers: int = 2  # processes that load images
    labelled: float = 1.0  # share of the faces whose landmarks are used; the others are photographs without labels
    in_memory: bool = False  # photographs are read once, before the first step; for sets that fit
    on_damage: str = "skip"  # a damaged file is reported and skipped, or stops the run: "stop"
    augmentation: AugmentationConfig = dataclasses.field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        _one_of("data", "pairs", self.pairs, PAIRS)
        _one_of("data", "on_damage", self.on_damage, ("skip", "stop"))
        _at_least(self, 0, "workers")
        if not 0 <= self.labelled <= 1:
            raise ValueError(f"data.labelled must lie in 0..1; got {self.labelled}.")
        if not self.sources:
            raise ValueError("data.sources is empty; name at least one data set.")
        object.__setattr__(self, "validation", tuple(held_out(source, self.sources) for source in self.validation))
        for source in self.validation:
            if any(source.same_faces(other) for other in self.sources):
                raise ValueError(
                    f"data.validation has the faces of data.sources ({source.kind} {source.path or source.options}); "
                    "name others, or synthetic ones of another seed (options.seed)."
                )


@dataclasses.dataclass(frozen=True)
class OptimiserConfig:
    """How the weights move."""

    name: str = "adamw"  # or "sgd"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9  # of sgd
    betas: tuple[float, float] = (0.9, 0.99)  # of adamw
    trunk_rate: float = 1.0  # learning rate of the trunk, in learning rates; small for a pretrained one
    clip: float = 10.0  # largest norm of all gradients together; 0 = no clipping

    def __post_init__(self) -> None:
        _one_of("optimiser", "name", self.name, OPTIMISERS)
        _at_least(self, 0, "learning_rate", "weight_decay", "momentum", "trunk_rate", "clip")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"optimiser.betas must lie in 0..1, 1 not included; got {list(self.betas)}.")


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate moves."""

    name: str = "cosine"  # "cosine" to 0, "step" or "constant"
    warmup: int = 100  # steps from 0 to the learning rate
    every: int = 10_000  # steps between the falls of "step"
    factor: float = 0.1  # of each fall

    def __post_init__(self) -> None:
        _one_of("schedule", "name", self.name, SCHEDULES)
        _at_least(self, 0, "warmup", "factor")
        _at_least(self, 1, "every")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """How long, how fast, and what is written when."""

    steps: int = 20_000
    batch_size: int = 32  # photographs of a step on all devices together, mirror images not counted
    seed: int = 0
    amp: str = "none"  # "bf16": the localiser computes in bfloat16 where PyTorch deems it safe
    compile: bool = False  # the localiser through torch.compile
    checkpoint_every: int = 1000  # steps
    validate_every: int = 1000  # steps
    sample_every: int = 1000  # steps between the pictures; 0 = none
    log_every: int = 20  # steps between the lines of the log

    def __post_init__(self) -> None:
        _one_of("run", "amp", self.amp, AMP)
        _at_least(self, 1, "steps", "batch_size", "checkpoint_every", "validate_every", "log_every")
        _at_least(self, 0, "seed", "sample_every")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """A training run. Every field has a default; the defaults train the compact localiser on synthetic faces."""

    model: str = ""  # any model that docs/formats.md lists; "" = the embedded one
    start: str = ""  # checkpoint whose localiser the run begins with, to fine-tune it; "" = an untrained one
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    localiser: LocaliserConfig = dataclasses.field(default_factory=LocaliserConfig)
    objective: ObjectiveConfig = dataclasses.field(default_factory=ObjectiveConfig)
    optimiser: OptimiserConfig = dataclasses.field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = dataclasses.field(default_factory=ScheduleConfig)
    run: RunConfig = dataclasses.field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        if self.data.pairs == "none" and weighs(self.objective.siamese):
            raise ValueError("objective.siamese compares pairs of images; set data.pairs, or objective.siamese = 0.")
        if weighs(self.objective.anchor) and not self.start:
            raise ValueError(
                "objective.anchor holds a run to the localiser that it started with; set start to a checkpoint, or "
                "objective.anchor = 0."
            )
        if self.data.pairs in ("identity", "both") and self.run.batch_size % 2:
            raise ValueError(f"run.batch_size must be even for pairs of one identity; got {self.run.batch_size}.")
        if not any(weighs(getattr(self.objective, name)) for name in WEIGHTS):
            raise ValueError(f"every weight of the objective is 0; set one of objective.{', '.join(WEIGHTS)}.")

    def resolved(self) -> TrainConfig:
        """With whole paths, as seen from the working folder, so that it holds in any other."""
        weights = self.localiser.weights
        return dataclasses.replace(
            self,
            model=absolute(self.model),
            start=absolute(self.start),
            data=dataclasses.replace(
                self.data,
                sources=tuple(source.resolved() for source in self.data.sources),
                validation=tuple(source.resolved() for source in self.data.validation),
            ),
            localiser=dataclasses.replace(self.localiser, weights=None if weights is None else absolute(weights)),
        )


SECTIONS = (SourceConfig, DataConfig, LocaliserConfig, ObjectiveConfig, OptimiserConfig, ScheduleConfig, RunConfig)
for _section in (*SECTIONS, AugmentationConfig, TrainConfig):
    pydantic.with_config(extra="forbid")(_section)  # a name that is misspelt must not pass for one that is left out
_READER = pydantic.TypeAdapter(TrainConfig)


def from_dict(content: dict[str, Any], where: str = "the configuration") -> TrainConfig:
    """The configuration of a nested dictionary.

    Raises:
        ValueError: a name that is none of the configuration's, a value of another type or out of range.
    """
    try:
        # As JSON, where strictness still takes an array for a tuple, but neither true for 1 nor "3" for 3.
        return _READER.validate_json(json.dumps(content, default=str), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("function", "float", "tuple")))
        reason = first["msg"].removeprefix("Value error, ").rstrip(".").replace("an object", "a table")
        got = "" if first["type"] in ("value_error", "missing") else f"; got {first['input']!r}"
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            raise ValueError(f"{where}: there is no setting {place!r}; see docs/training.md for all.") from None
        start = "" if first["type"] == "value_error" else f"{place}: "
        raise ValueError(f"{where}: {start}{reason}{got}.") from None


def to_dict(config: TrainConfig) -> dict[str, Any]:
    """The configuration as nested dictionaries of what TOML and JSON can hold."""
    return _plain(dataclasses.asdict(config))  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items() if member is not None}
    return [_plain(member) for member in value] if isinstance(value, list | tuple) else value


def read_config(path: str | os.PathLike[str]) -> TrainConfig:
    """Reads a TOML file; what it leaves out has its default.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not TOML, or as `from_dict`.
    """
    return from_dict(read_toml(path), str(path))


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not TOML.
    """
    file = existing_file(path, "the configuration of a training run (.toml)")
    try:
        return parse_toml(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: not a TOML file ({error}).") from None


def parse_toml(text: str) -> dict[str, Any]:
    """TOML as nested dictionaries; ValueError for anything else."""
    return tomllib.loads(text)


def write_config(path: str | os.PathLike[str], config: TrainConfig) -> None:
    """Writes the whole configuration as TOML, atomically."""
    write_text(path, tomli_w.dumps(to_dict(config)))
