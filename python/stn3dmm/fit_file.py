"""Fitted parameters of one photograph in a file: .json to read, .npz to compute with."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stn3dmm.angles import head_angles
from stn3dmm.files import atomic_path, existing_file, write_text
from stn3dmm.morphable_model import MorphableModel

FILE_VERSION = 1
FORMATS = ("json", "npz")


@dataclasses.dataclass(frozen=True, eq=False)
class FitRecord:
    """The fit of one face and what it belongs to."""

    theta: npt.NDArray[np.float64]  # (6 + K,): r (radians), t (pixels), log s, alpha
    error: float  # mean distance in pixels over the visible landmarks; nan where there were none
    image: str  # name of the photograph
    image_size: tuple[int, int]  # (H, W) pixels
    landmark_set: str  # "aflw21" or "ibug68"; "": found by a localiser, without landmarks
    model: str  # source of the model
    mode_names: tuple[str, ...]  # (K,)

    def check_model(self, model: MorphableModel) -> None:
        """ValueError unless the fit was made with a model of the same modes."""
        if self.mode_names != model.mode_names:
            raise ValueError(
                f"the fit of {self.image} belongs to another model ({self.model}, {len(self.mode_names)} modes) than "
                f"the one at hand ({model.source}, {model.mode_count} modes); choose it with --model."
            )


def save_fit(path: str | os.PathLike[str], record: FitRecord) -> None:
    """Writes the fit atomically; the suffix .json or .npz chooses the format.

    Raises:
        ValueError: another suffix, or a fit that is not finite.
        OSError: the file cannot be written.
    """
    _check_finite(path, record)
    content = {"version": FILE_VERSION, **dataclasses.asdict(record)}
    suffix = Path(path).suffix
    if suffix == ".json":
        content["theta"] = record.theta.tolist()
        content["error"] = record.error if math.isfinite(record.error) else None
        content["angles"] = {name: round(value, 4) for name, value in head_angles(record.theta)._asdict().items()}
        write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    elif suffix == ".npz":
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in content.items()}
        arrays["mode_names"] = np.array(record.mode_names, dtype=np.str_)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)
    else:
        raise ValueError(f"{path}: a fit is written as .json or .npz; got {suffix!r}.")


def is_fit(path: str | os.PathLike[str]) -> bool:
    """Whether a file claims to be a fit, by its content: whoever reads it still meets damage.

    Example:
        >>> is_fit("no such file")
        False
    """
    file = Path(path)
    if not file.is_file():
        return False
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            return "theta.npy" in archive.namelist()
    with file.open("rb") as stream:
        return stream.read(64).lstrip().startswith(b"{")


def load_fit(path: str | os.PathLike[str]) -> FitRecord:
    """Reads a fit that `save_fit` wrote, in either format.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is something else, damaged, or newer than this program.
    """
    file = existing_file(path, "a fit written by 'stn3dmm fit' (.json or .npz)")
    try:
        content = _read_npz(file) if zipfile.is_zipfile(file) else json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or int(content["version"]) > FILE_VERSION:
            raise ValueError("not a fit of this version")
        height, width = content["image_size"]
        record = FitRecord(
            theta=np.asarray(content["theta"], dtype=np.float64),
            error=math.nan if content["error"] is None else float(content["error"]),
            image=str(content["image"]),
            image_size=(int(height), int(width)),
            landmark_set=str(content["landmark_set"]),
            model=str(content["model"]),
            mode_names=tuple(str(name) for name in content["mode_names"]),
        )
    except Exception as error:  # zip, JSON, missing keys and wrong types each raise their own
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{file}: not a fit that 'stn3dmm fit' wrote ({reason}).") from error
    if record.theta.shape != (6 + len(record.mode_names),):
        raise ValueError(f"{file}: theta must have 6 + {len(record.mode_names)} values; got {record.theta.shape}.")
    _check_finite(file, record)
    return record


def _check_finite(path: str | os.PathLike[str], record: FitRecord) -> None:
    fitted = record.landmark_set != ""
    if not np.isfinite(record.theta).all() or (fitted and not math.isfinite(record.error)):
        raise ValueError(f"{path}: theta or error holds NaN or infinity.")


def _read_npz(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name].tolist() for name in arrays.files}
