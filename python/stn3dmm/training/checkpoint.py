"""The state of a training run in a file: written whole or not at all, and never trusted unread."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pickle
import shutil
import textwrap
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from stn3dmm.files import TEMPORARY, atomic_path, existing_file
from stn3dmm.formats import load_model
from stn3dmm.localiser import Localiser, build_localiser
from stn3dmm.morphable_model import MorphableModel
from stn3dmm.training.config import TrainConfig, from_dict, to_dict

__all__ = ["Checkpoint", "fingerprint", "load_checkpoint", "save_checkpoint"]

FILE_VERSION = 1
LAST, PREVIOUS, BEST = "last.pt", "previous.pt", "best.pt"
CONTENT = ("config", "model_source", "model_fingerprint", "mode_names", "step", "localiser", "training")
LONGEST_REASON = 160  # characters


@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """A localiser, what it was trained for and with, and how far."""

    config: TrainConfig
    model_source: str
    model_fingerprint: str
    mode_names: tuple[str, ...]  # (K,)
    step: int  # steps done; the next batch of the stream has this number
    localiser: dict[str, torch.Tensor]
    training: dict[str, Any] = dataclasses.field(default_factory=dict)  # the optimiser's state, the best score
    file: Path | None = None  # that it was read from

    def load_model(self, path: str | os.PathLike[str] | None = None) -> MorphableModel:
        """The model that the localiser was trained for: from ``path``, else from where it was when it was trained.

        Raises:
            FileNotFoundError: it is there no more.
            ValueError: another model.
        """
        from stn3dmm.embedded import embedded_model

        place = self.config.model if path is None else path
        if place and not Path(place).exists():
            raise FileNotFoundError(f"{place}: no such file; expected the model of this checkpoint. Name it: --model.")
        model = load_model(place) if place else embedded_model()
        self.check_model(model)
        return model

    def check_model(self, model: MorphableModel) -> None:
        """ValueError unless the localiser answers with parameters of this model."""
        other = "another of that name" if model.source == self.model_source else model.source
        if model.mode_count != len(self.mode_names):
            raise ValueError(
                f"the checkpoint's localiser has {len(self.mode_names)} modes ({self.model_source}), the model "
                f"{model.mode_count} ({other}); choose the model it was trained with by --model."
            )
        if fingerprint(model) != self.model_fingerprint:
            raise ValueError(
                f"the checkpoint was trained with other shapes or landmarks ({self.model_source}) than this model's "
                f"({other}); choose the model it was trained with by --model."
            )

    def build(self, model: MorphableModel) -> Localiser:
        """The trained localiser, in evaluation mode.

        Raises:
            ValueError: another model, or weights that are not those of such a localiser.
        """
        self.check_model(model)
        config = dataclasses.replace(self.config.localiser, weights=None)
        localiser = build_localiser(config, model, self.config.data.image_size)
        self.restore(localiser)
        return localiser.eval()

    def restore(self, localiser: Localiser) -> None:
        """Gives a localiser the weights of this one.

        Raises:
            ValueError: they are of another localiser.
        """
        try:
            localiser.load_state_dict(self.localiser)
        except RuntimeError as error:
            reason = textwrap.shorten(str(error).partition("\n")[2], LONGEST_REASON).rstrip(". ")
            raise ValueError(
                f"{self.file or 'the checkpoint'}: its weights are not those of the localiser that its settings "
                f"describe ({reason}); take another checkpoint of the run."
            ) from error


def fingerprint(model: MorphableModel) -> str:
    """A digest of what the parameters of a model mean: shapes, grid, modes and landmarks."""
    digest = hashlib.sha256(repr((model.grid_shape, model.mode_names)).encode())
    for array in (model.mean, model.basis, model.valid):
        digest.update(np.ascontiguousarray(array).tobytes())
    for name in sorted(model.landmarks):
        digest.update(name.encode() + model.landmarks[name].tobytes())
    return digest.hexdigest()


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Writes a checkpoint atomically; one that was there before stays as previous.pt if this is last.pt.

    At every moment the folder holds a whole last.pt, whatever kills the process.

    Raises:
        OSError: no permission, or no space left; nothing has changed then.
    """
    file = Path(path)
    content = {name: getattr(checkpoint, name) for name in CONTENT} | {
        "version": FILE_VERSION,
        "config": to_dict(checkpoint.config),
        "mode_names": list(checkpoint.mode_names),
    }
    # PyTorch turns a full disk into an error of its own; Python's writing says which it is.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_path(file) as temporary:
        with temporary.open("wb") as stream:
            stream.write(buffer.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        if file.name == LAST and file.exists():
            keep_as(file, file.with_name(PREVIOUS))


def keep_as(file: Path, target: Path) -> None:
    """A second name for a file; the first stays, so that there is no moment without it."""
    if target.exists() and target.samefile(file):
        return
    second = target.with_name(f"{TEMPORARY}{target.name}")
    second.unlink(missing_ok=True)
    try:
        os.link(file.resolve(), second)
    except OSError:  # a file system without hard links
        shutil.copyfile(file, second)
    os.replace(second, target)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Reads a checkpoint, of the run's folder the last one.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read.
        ValueError: something else, damaged, or newer than this program; where it is damaged, the previous one is named
            if there is one.
    """
    place = Path(path)
    file = existing_file(place / LAST if place.is_dir() else place, "a checkpoint of 'stn3dmm train' (.pt)")
    with file.open("rb") as stream:  # a file that may not be read is not a damaged one
        try:
            content = _content(stream)
        except Exception as error:  # zip, pickle and missing keys each raise their own
            unsafe = isinstance(error, pickle.UnpicklingError)
            reason = "it holds more than tensors, numbers and names" if unsafe else str(error).split("\n")[0]
            raise ValueError(f"{file}: not a whole checkpoint ({reason.rstrip('.')}).{_remedy(file)}") from error
    try:
        if int(content["version"]) > FILE_VERSION:
            raise ValueError(f"its file version is {content['version']}")
        config = from_dict(content["config"], "its settings")
    except ValueError as error:
        reason = str(error).rstrip(".")
        raise ValueError(f"{file}: of another version of stn3dmm-cuda ({reason}); upgrade this one.") from error
    return Checkpoint(
        config=config,
        model_source=str(content["model_source"]),
        model_fingerprint=str(content["model_fingerprint"]),
        mode_names=tuple(str(name) for name in content["mode_names"]),
        step=int(content["step"]),
        localiser=content["localiser"],
        training=content["training"],
        file=file,
    )


def _remedy(file: Path) -> str:
    previous = file.with_name(PREVIOUS)
    if file.name == LAST and previous.is_file():
        return f" The one before it is {previous}: go on from there with --resume {previous}."
    return ""


def _content(stream: IO[bytes]) -> dict[str, Any]:
    """What is in a file, if it is a whole checkpoint."""
    if not zipfile.is_zipfile(stream):
        raise ValueError("not a file of torch.save")
    with zipfile.ZipFile(stream) as archive:
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"its part {damaged} is damaged")
    stream.seek(0)
    content = torch.load(stream, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or "model_fingerprint" not in content:
        raise ValueError("not a checkpoint of this program")
    missing = [name for name in CONTENT if name not in content]
    if missing and content.get("version") == FILE_VERSION:
        raise ValueError(f"it lacks {missing[0]!r}")
    return content
