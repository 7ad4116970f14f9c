"""The photographs of a run: damaged ones in memory, those to validate by, and data sets that change."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from stn3dmm.data.sources import open_source
from stn3dmm.training import data as training_data
from stn3dmm.training import load_checkpoint, train
from stn3dmm.training.config import from_dict

from .small_runs import changed


@pytest.fixture
def short_run(small_run: dict[str, Any]) -> dict[str, Any]:
    """Two steps, then a validation."""
    run = copy.deepcopy(small_run)
    run["run"] |= {"steps": 2, "checkpoint_every": 1, "validate_every": 2}
    return run


@pytest.fixture
def folder(tmp_path: Path, small_run: dict[str, Any]) -> Path:
    """Three labelled photographs; half of b.png is missing."""
    place = tmp_path / "faces"
    place.mkdir()
    (source,) = small_run["data"]["sources"]
    faces = open_source("synthetic", landmark_set="ibug68", **source["options"]).faces(range(3))
    for name, face in zip("abc", faces, strict=True):
        assert face.landmarks is not None
        Image.fromarray(face.image).save(place / f"{name}.png")
        points = "\n".join(f"{x + 1} {y + 1}" for x, y in face.landmarks.tolist())
        (place / f"{name}.pts").write_text(f"{{\n{points}\n}}")
    (place / "b.png").write_bytes((place / "b.png").read_bytes()[:1000])
    return place


@pytest.mark.parametrize("workers", [0, 2])
def test_damage_in_memory_is_skipped_or_stops_as_on_disk(
    short_run: dict[str, Any], folder: Path, tmp_path: Path, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    short_run["data"]["sources"] = [{"kind": "folder", "path": str(folder)}]
    for in_memory in (True, False):
        caplog.clear()
        config = changed(short_run, data__in_memory=in_memory, data__workers=workers)
        with caplog.at_level(logging.WARNING):
            train(config, tmp_path / f"skip{in_memory}", device="cpu")
        (message,) = [record.message for record in caplog.records if "left out" in record.message]
        assert message.startswith(f"left out: {folder / 'b.png'}: a damaged picture (")
        config = changed(short_run, data__in_memory=in_memory, data__workers=workers, data__on_damage="stop")
        with pytest.raises(ValueError, match=r"b\.png: a damaged picture") as error:
            train(config, tmp_path / f"stop{in_memory}", device="cpu")
        assert "Traceback" not in str(error.value)


def test_validation_is_read_by_as_many_workers_as_the_training(
    short_run: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def noted(*arguments: Any, workers: int = 0, **options: Any) -> Any:
        asked.append(workers)
        return loader(*arguments, **options)

    loader = training_data.loader
    monkeypatch.setattr(training_data, "loader", noted)
    train(changed(short_run, data__workers=2, data__in_memory=False), tmp_path, device="cpu")
    assert asked == [2, 2]


def test_a_run_that_goes_on_tells_that_its_data_have_changed(
    short_run: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(from_dict(short_run), tmp_path, device="cpu")
    short_run["run"]["steps"] = 3
    with caplog.at_level(logging.WARNING):
        train(from_dict(short_run), tmp_path, device="cpu", resume=load_checkpoint(tmp_path))
        assert not caplog.records
        short_run["run"]["steps"] = 4
        short_run["data"]["sources"][0]["options"]["length"] = 13
        train(from_dict(short_run), tmp_path, device="cpu", resume=load_checkpoint(tmp_path))
    assert [record.message for record in caplog.records] == [
        "the data sets have 13 faces, and had 12 before: the order of the faces is no longer what it was"
    ]
