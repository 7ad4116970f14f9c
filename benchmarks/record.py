"""The file of a run: written whole after every case, so that a run that is cut short loses nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from stn3dmm.files import existing_file, write_text

from .ceilings import Ceilings

SCHEMA = 1  # of the file; a change that old readers would misread raises it
MACHINE = ("device", "processor", "threads")  # of the environment: what times of two files must share to be compared
SAME_RUN = (
    *MACHINE,
    "commit",
    "libraries",
    "stn3dmm",
    "torch",
    "python",
    "instruction_set",
)  # what a run that goes on must share


@dataclasses.dataclass
class Results:
    """What a run has found so far."""

    environment: dict[str, Any]
    ceilings: Ceilings
    quick: bool
    cases: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    complete: bool = False

    @property
    def keys(self) -> set[tuple[str, str]]:
        """Room and name of the cases."""
        return set(self.by_key)

    @property
    def by_key(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(case["room"], case["name"]): case for case in self.cases}

    @property
    def absent(self) -> list[str]:
        """What was not compared with, and why, each once."""
        return sorted({f"{name}: {why}" for case in self.cases for name, why in case["absent"].items()})

    def as_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    def write(self, path: Path) -> None:
        """JSON; a reader never sees half a file."""
        write_text(path, json.dumps(self.as_dict(), indent=1) + "\n")


def load(path: Path) -> Results:
    """The results in a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no file of results, or of another schema.
    """
    text = existing_file(path, "results of 'stn3dmm bench --json'").read_bytes()
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); expected results of 'stn3dmm bench --json'.") from error
    if not isinstance(content, dict) or "schema" not in content:
        raise ValueError(f"{path}: no schema in it; expected results of 'stn3dmm bench --json'.")
    if content["schema"] != SCHEMA:
        raise ValueError(f"{path}: schema {content['schema']}; this version reads schema {SCHEMA}. Measure again.")
    try:
        return Results(
            environment=content["environment"],
            ceilings=Ceilings(**content["ceilings"]),
            quick=content["quick"],
            cases=content["cases"],
            complete=content["complete"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: damaged ({error}); expected results of 'stn3dmm bench --json'.") from error


def check_same(names: tuple[str, ...], first: Results, second: Results, remedy: str) -> None:
    """ValueError if the two runs differ in something of their environment that they must share."""
    for name in names:
        one, other = first.environment.get(name), second.environment.get(name)
        if one != other:
            raise ValueError(f"the runs differ in {name}: {one} and {other}. {remedy}")
