"""Checkpoints: whole or not at all, checked before they are believed."""

from __future__ import annotations

import builtins
import dataclasses
import errno
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stn3dmm
import torch
from stn3dmm.localiser import build_localiser
from stn3dmm.training import Checkpoint, TrainConfig, load_checkpoint
from stn3dmm.training.checkpoint import fingerprint, save_checkpoint


def checkpoint_of(config: TrainConfig, step: int = 3) -> Checkpoint:
    model = stn3dmm.load_model(config.model)
    localiser = build_localiser(config.localiser, model, config.data.image_size)
    return Checkpoint(
        config=config,
        model_source=model.source,
        model_fingerprint=fingerprint(model),
        mode_names=model.mode_names,
        step=step,
        localiser=localiser.state_dict(),
        training={"optimiser": {}, "error": 0.5, "best": 0.25},
    )


def test_checkpoint_survives_its_file(config: TrainConfig, tmp_path: Path) -> None:
    saved = checkpoint_of(config)
    save_checkpoint(tmp_path / "last.pt", saved)
    loaded = load_checkpoint(tmp_path)
    for name in ("config", "model_source", "model_fingerprint", "mode_names", "step", "training"):
        assert getattr(loaded, name) == getattr(saved, name)
    image = torch.rand(2, 3, 64, 64)
    answers = [checkpoint.build(checkpoint.load_model())(image) for checkpoint in (saved, loaded)]
    assert torch.equal(*answers)


def test_checkpoint_keeps_the_one_before(config: TrainConfig, tmp_path: Path) -> None:
    for step in (3, 6, 9):
        save_checkpoint(tmp_path / "last.pt", checkpoint_of(config, step))
    assert load_checkpoint(tmp_path / "last.pt").step == 9
    assert load_checkpoint(tmp_path / "previous.pt").step == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "previous.pt"]


def test_checkpoint_without_hard_links(config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refused)
    for step in (3, 6):
        save_checkpoint(tmp_path / "last.pt", checkpoint_of(config, step))
    assert load_checkpoint(tmp_path / "previous.pt").step == 3


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_checkpoint_damage_is_named_and_the_previous_one_offered(
    config: TrainConfig, tmp_path: Path, where: float
) -> None:
    for step in (3, 6):
        save_checkpoint(tmp_path / "last.pt", checkpoint_of(config, step))
    content = bytearray((tmp_path / "last.pt").read_bytes())
    content[int(where * len(content))] ^= 0xFF
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"last\.pt: not a whole checkpoint .*--resume .*previous\.pt") as raised:
        load_checkpoint(tmp_path)
    assert "\n" not in str(raised.value)
    assert load_checkpoint(tmp_path / "previous.pt").step == 3


@pytest.mark.parametrize("length", [0, 100, 5000])
def test_checkpoint_cut_short_is_named(config: TrainConfig, tmp_path: Path, length: int) -> None:
    save_checkpoint(tmp_path / "best.pt", checkpoint_of(config))
    content = (tmp_path / "best.pt").read_bytes()
    (tmp_path / "best.pt").write_bytes(content[:length])
    with pytest.raises(ValueError, match=r"best\.pt: not a whole checkpoint \(not a file of torch\.save\)\.$"):
        load_checkpoint(tmp_path / "best.pt")


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch hostile",))


def test_checkpoint_runs_no_code(config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model_fingerprint": Hostile()}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt: not a whole checkpoint"):
        load_checkpoint(tmp_path)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ValueError, match=r"plain\.pt: not a whole checkpoint"):
        load_checkpoint(tmp_path / "plain.pt")
    assert not (tmp_path / "hostile").exists()


def test_checkpoint_of_something_else(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="not a checkpoint of this program"):
        load_checkpoint(tmp_path / "other.pt")
    with zipfile.ZipFile(tmp_path / "archive.pt", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(ValueError, match=r"archive\.pt: not a whole checkpoint"):
        load_checkpoint(tmp_path / "archive.pt")
    with pytest.raises(FileNotFoundError, match=r"expected a checkpoint of 'stn3dmm train'"):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError, match=r"last\.pt: no such file"):
        load_checkpoint(tmp_path)


def test_checkpoint_that_may_not_be_read_is_not_called_damaged(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path / "last.pt", checkpoint_of(config))
    original = io.open

    def refused(file: Any, *arguments: Any, **options: Any) -> Any:
        if str(file).endswith("last.pt"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return original(file, *arguments, **options)

    monkeypatch.setattr(io, "open", refused)
    monkeypatch.setattr(builtins, "open", refused)
    with pytest.raises(PermissionError):
        load_checkpoint(tmp_path)


def altered(path: Path, **changes: object) -> Path:
    """The checkpoint with some of its content changed."""
    content = torch.load(path, weights_only=True)
    torch.save({**content, **changes}, path)
    return path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"config": {"run": {"swiftness": 3}}}, r"its settings: there is no setting 'run\.swiftness'"),
        ({"version": 2}, "its file version is 2"),
    ],
)
def test_checkpoint_of_another_version(
    config: TrainConfig, tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    save_checkpoint(tmp_path / "best.pt", checkpoint_of(config))
    with pytest.raises(ValueError, match=rf"best\.pt: of another version of stn3dmm-cuda \({reason}.*upgrade"):
        load_checkpoint(altered(tmp_path / "best.pt", **changes))


def test_checkpoint_that_lacks_a_tensor(config: TrainConfig, tmp_path: Path) -> None:
    saved = checkpoint_of(config)
    save_checkpoint(tmp_path / "best.pt", saved)
    fewer = {name: value for name, value in saved.localiser.items() if name != "head.linear.bias"}
    checkpoint = load_checkpoint(altered(tmp_path / "best.pt", localiser=fewer))
    with pytest.raises(ValueError, match=r"best\.pt: its weights are not .*Missing .*head\.linear\.bias") as raised:
        checkpoint.build(checkpoint.load_model())
    assert "\n" not in str(raised.value)


def test_checkpoint_of_another_model(config: TrainConfig) -> None:
    checkpoint = checkpoint_of(config)
    model = stn3dmm.load_model(config.model)
    fewer = dataclasses.replace(model, basis=model.basis[:7], mode_names=model.mode_names[:7])
    with pytest.raises(
        ValueError, match=rf"localiser has {model.mode_count} modes .* 7 \(another of that name\); .*--m"
    ):
        checkpoint.build(fewer)
    with pytest.raises(ValueError, match=r"the model 7 \(Basel\); choose"):
        checkpoint.build(dataclasses.replace(fewer, source="Basel"))
    larger = dataclasses.replace(model, mean=np.float32(1.01) * model.mean)
    with pytest.raises(ValueError, match="trained with other shapes or landmarks"):
        checkpoint.build(larger)


def test_checkpoint_whose_model_is_gone(config: TrainConfig, tmp_path: Path) -> None:
    gone = dataclasses.replace(config, model=str(tmp_path / "gone.npz"))
    with pytest.raises(FileNotFoundError, match=r"gone\.npz: no such file; expected the model .*--model"):
        dataclasses.replace(checkpoint_of(config), config=gone).load_model()
    assert dataclasses.replace(checkpoint_of(config), config=gone).load_model(config.model).grid_shape == (40, 40)


def test_checkpoint_that_cannot_be_written_changes_nothing(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (3, 6):
        save_checkpoint(tmp_path / "last.pt", checkpoint_of(config, step))

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "last.pt", checkpoint_of(config, 9))
    assert [load_checkpoint(tmp_path / f"{name}.pt").step for name in ("last", "previous")] == [6, 3]
    assert len(list(tmp_path.iterdir())) == 2
