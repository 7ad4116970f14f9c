"""Runs: what they leave, that they learn, that they can be cut off anywhere, and what they refuse."""

from __future__ import annotations

import errno
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stn3dmm
import torch
from PIL import Image
from stn3dmm.data.stream import FaceBatch
from stn3dmm.localiser import build_localiser
from stn3dmm.objective import Objective
from stn3dmm.training import Progress, TrainConfig, load_checkpoint, train, training_step
from stn3dmm.training.config import from_dict, to_dict
from stn3dmm.training.data import opened
from stn3dmm.training.pairs import paired

import stn3dmm_cuda.reference

from .small_runs import changed, losses


@pytest.fixture(scope="module")
def whole_run(small_run: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    train(from_dict(small_run), folder, device="cpu")
    return folder


def test_run_leaves_its_files(whole_run: Path, small_run: dict[str, Any]) -> None:
    names = {path.name for path in whole_run.iterdir()} - {"tensorboard"}
    assert names == {"last.pt", "previous.pt", "best.pt", "config.toml", "log.jsonl"}
    assert stn3dmm.training.read_config(whole_run / "config.toml") == from_dict(small_run)
    lines = losses(whole_run)
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert all(math.isfinite(line["total"]) and line["gradient"] > 0 for line in lines)
    assert lines[0]["siamese"] is None  # its weight begins at 0
    assert lines[-1]["siamese"] is not None
    assert load_checkpoint(whole_run).step == 12
    assert load_checkpoint(whole_run / "previous.pt").step == 9


def test_run_keeps_the_best(whole_run: Path) -> None:
    errors = {line["error"] for line in losses(whole_run)} | {load_checkpoint(whole_run).training["error"]}
    best = load_checkpoint(whole_run / "best.pt")
    assert best.training["best"] == min(error for error in errors if error is not None)


def test_run_is_the_same_twice_and_with_workers(whole_run: Path, small_run: dict[str, Any], tmp_path: Path) -> None:
    train(changed(small_run, data__workers=2, data__in_memory=False), tmp_path, device="cpu")
    assert losses(tmp_path) == losses(whole_run)


def test_run_goes_on_bit_by_bit(whole_run: Path, small_run: dict[str, Any], tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == 8:
            raise StoppedError

    config = from_dict(small_run)
    with pytest.raises(StoppedError):
        train(config, tmp_path, device="cpu", watch=stop)
    assert load_checkpoint(tmp_path).step == 6
    train(config, tmp_path, device="cpu", resume=load_checkpoint(tmp_path))
    assert losses(tmp_path) == losses(whole_run)
    ended, whole = (load_checkpoint(folder).localiser for folder in (tmp_path, whole_run))
    assert all(torch.equal(ended[name], whole[name]) for name in whole)


KILLED = """
import os, signal, sys
from stn3dmm.training import load_checkpoint, read_config, train
folder, function, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
original = getattr(os, function)
def deadly(*arguments):
    global count
    count -= 1
    if count < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)
setattr(os, function, deadly)
resume = load_checkpoint(folder) if os.path.exists(folder + "/last.pt") else None
train(read_config(sys.argv[4]), folder, resume=resume, device="cpu")
"""


@pytest.mark.parametrize(("function", "counts"), [("fsync", (0, 2)), ("link", (0, 0)), ("replace", (3, 6))])
def test_run_survives_kill_9_while_it_writes(
    whole_run: Path, tmp_path: Path, function: str, counts: tuple[int, int]
) -> None:
    """Killed at a system call of writing a checkpoint, twice, and gone on with."""
    arguments = [sys.executable, "-c", KILLED, str(tmp_path), function]
    settings = str(whole_run / "config.toml")
    for count in counts:
        ended = subprocess.run([*arguments, str(count), settings], capture_output=True, text=True, timeout=120)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
    config = stn3dmm.training.read_config(settings)
    resume = load_checkpoint(tmp_path) if (tmp_path / "last.pt").exists() else None
    train(config, tmp_path, resume=resume, device="cpu")
    assert losses(tmp_path) == losses(whole_run)
    assert not list(tmp_path.glob(".stn3dmm-*"))


def test_run_learns(small_run: dict[str, Any], tmp_path: Path) -> None:
    config = changed(
        small_run,
        run__steps=60,
        run__validate_every=60,
        objective={},
        localiser={"width": 0.25},
        data__augmentation={name: 0.0 for name in to_dict(from_dict({}))["data"]["augmentation"]},
    )
    train(config, tmp_path, device="cpu")
    totals = [line["total"] for line in losses(tmp_path)]
    assert np.mean(totals[-5:]) < 0.3 * np.mean(totals[:5])


def test_run_without_validation_ends_with_its_best(small_run: dict[str, Any], tmp_path: Path) -> None:
    best = train(changed(small_run, data__validation=[], run__steps=4), tmp_path, device="cpu")
    assert best == tmp_path / "best.pt"
    assert best.read_bytes() == (tmp_path / "last.pt").read_bytes()


def test_run_draws_samples(small_run: dict[str, Any], tmp_path: Path) -> None:
    train(changed(small_run, run__steps=2, run__sample_every=2), tmp_path, device="cpu")
    with Image.open(tmp_path / "samples" / "0000002.png") as picture:
        assert np.asarray(picture).std() > 30


def batch_of(config: TrainConfig, dtype: torch.dtype) -> FaceBatch:
    from stn3dmm.data.stream import FaceStream, collate

    stream = FaceStream(opened(config.data.sources, config.data), config.data.image_size, "ibug68")
    batch = collate(stream.__getitems__(range(4)))
    return batch._replace(landmarks=batch.landmarks.to(dtype))


@pytest.mark.parametrize("visibility", ["hard", "soft"])
def test_training_step_gradients_match_reference(small_run: dict[str, Any], visibility: str) -> None:
    config = changed(small_run, objective__siamese=5.0, objective__visibility=visibility, localiser__dropout=0.0)
    model = stn3dmm.load_model(config.model)
    faces, pairs = paired(batch_of(config, torch.float64), "mirror", "ibug68")
    gradients = []
    for operators in (stn3dmm_cuda, stn3dmm_cuda.reference):
        torch.manual_seed(0)
        localiser = build_localiser(config.localiser, model, config.data.image_size).double()
        torch.nn.init.normal_(localiser.head.linear.weight, std=0.02)  # faces of different poses
        objective = Objective(model, config.objective, "ibug68", operators).double()
        training_step(localiser, objective, faces, pairs, progress=1.0)
        gradients.append(
            torch.cat([value.grad.flatten() for value in localiser.parameters() if value.grad is not None])
        )
    fused, reference = gradients
    assert len(fused) == sum(value.numel() for value in localiser.parameters())
    assert float((fused - reference).norm()) <= 1e-8 * float(reference.norm())
    torch.testing.assert_close(fused, reference, rtol=1e-8, atol=1e-10 * float(reference.abs().max()))


def test_training_step_in_bfloat16(config: TrainConfig) -> None:
    model = stn3dmm.load_model(config.model)
    localiser = build_localiser(config.localiser, model, config.data.image_size)
    objective = Objective(model, config.objective, "ibug68")
    faces, pairs = paired(batch_of(config, torch.float32), "mirror", "ibug68")
    terms = training_step(localiser, objective, faces, pairs, 1.0, amp="bf16")
    assert terms.total.dtype == torch.float32
    assert all(value.grad is not None and value.grad.isfinite().all() for value in localiser.parameters())


def test_run_compiled(small_run: dict[str, Any], tmp_path: Path) -> None:
    train(changed(small_run, run__compile=True, run__steps=2), tmp_path, device="cpu")
    checkpoint = load_checkpoint(tmp_path)
    checkpoint.build(checkpoint.load_model())  # the weights have the names of a localiser that is not compiled


def test_run_refuses_a_folder_that_holds_one(whole_run: Path, config: TrainConfig) -> None:
    before = {path.name: path.read_bytes() for path in whole_run.iterdir() if path.is_file()}
    with pytest.raises(ValueError, match=r"last\.pt: this folder holds a run; go on with it by --resume"):
        train(config, whole_run, device="cpu")
    assert {path.name: path.read_bytes() for path in whole_run.iterdir() if path.is_file()} == before


def test_run_refuses_to_go_on_when_done(whole_run: Path, config: TrainConfig) -> None:
    with pytest.raises(ValueError, match=r"the run is done: the checkpoint has 12 steps of 12; give more with --steps"):
        train(config, whole_run, resume=load_checkpoint(whole_run), device="cpu")


def test_run_begins_with_another_ones_localiser(whole_run: Path, small_run: dict[str, Any], tmp_path: Path) -> None:
    """Fine-tuning without landmarks: at a learning rate of 0 the answers are those of the checkpoint."""
    objective = {"landmark": 0.0, "symmetry": 5.0, "siamese": 5.0}
    start = str(whole_run / "last.pt")
    config = changed(small_run, start=start, objective=objective, optimiser__learning_rate=0.0, run__steps=2)
    train(config, tmp_path / "run", device="cpu")
    before, after = (load_checkpoint(folder).localiser for folder in (whole_run, tmp_path / "run"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert losses(tmp_path / "run")[0]["landmark"] is None
    with pytest.raises(
        ValueError, match=r"last\.pt: its localiser is 'compact' of width 0\.25, .* set localiser\.name"
    ):
        train(changed(small_run, start=start, localiser__width=0.5), tmp_path / "other", device="cpu")


def test_run_names_losses_that_are_not_finite(small_run: dict[str, Any], tmp_path: Path) -> None:
    optimiser = {"learning_rate": 1e30, "clip": 0.0}
    config = changed(
        small_run, objective={"symmetry": 5.0}, optimiser=optimiser, schedule__warmup=0, run__validate_every=2
    )
    with pytest.raises(ValueError, match=r"as was seen at step \d+ .*optimiser\.learning_rate") as raised:
        train(config, tmp_path, device="cpu")
    assert "prior" in str(raised.value)
    assert "siamese" not in str(raised.value)  # not computed
    for path in tmp_path.glob("*.pt"):
        assert all(value.isfinite().all() for value in load_checkpoint(path).localiser.values())


def test_run_says_that_its_warmup_is_longer(
    small_run: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for warmup, said in ((2, False), (3, True)):
        train(changed(small_run, run__steps=2, schedule__warmup=warmup), tmp_path / str(warmup), device="cpu")
        assert ("never reaches optimiser.learning_rate: schedule.warmup is 3 steps" in caplog.text) is said


def test_run_on_a_full_disk(small_run: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as raised:
        train(changed(small_run, data__validation=[]), tmp_path, device="cpu")
    last = tmp_path / "last.pt"
    assert raised.value.filename == str(last)
    assert raised.value.strerror.endswith(f"once that is mended, go on from {last} with --resume {tmp_path}")
    assert load_checkpoint(tmp_path).step == 6
    assert not list(tmp_path.glob(".stn3dmm-*"))


def test_run_of_another_model(whole_run: Path, small_run: dict[str, Any], tmp_path: Path) -> None:
    stn3dmm.embedded_model((36, 36)).save(tmp_path / "other.npz")
    config = changed(small_run, model=str(tmp_path / "other.npz"), run__steps=20)
    with pytest.raises(ValueError, match="trained with other shapes or landmarks"):
        train(config, tmp_path / "run", resume=load_checkpoint(whole_run), device="cpu")


def test_run_names_a_damaged_photograph(small_run: dict[str, Any], tmp_path: Path) -> None:
    """Fatal in a worker process: the sentence without the process's traceback."""
    folder = tmp_path / "faces"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)).save(folder / f"{name}.png")
        points = "\n".join(f"{x:.1f} {y:.1f}" for x, y in rng.uniform(20, 60, (68, 2)))
        (folder / f"{name}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{points}\n}}\n")
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:200])
    data = {"sources": [{"kind": "folder", "path": str(folder)}], "workers": 1, "on_damage": "stop"}
    config = changed(small_run, data={**small_run["data"], **data, "in_memory": False, "validation": []})
    with pytest.raises(ValueError, match=r"b\.png: a damaged picture") as raised:
        train(config, tmp_path / "run", device="cpu")
    assert "\n" not in str(raised.value)
