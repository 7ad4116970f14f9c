"""What a run refuses before it changes anything, and what it must not refuse."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stn3dmm
import torch
from PIL import Image
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces
from stn3dmm.objective import Objective
from stn3dmm.training import load_checkpoint, train
from stn3dmm.training.config import from_dict
from stn3dmm.training.data import TrainingData
from stn3dmm.training.devices import Place
from stn3dmm.training.state import TrainingState

from .small_runs import changed, losses

GEOMETRIC = {"landmark": 0.0, "symmetry": 5.0}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs without landmarks."""
    folder = tmp_path_factory.mktemp("plain")
    faces = SyntheticFaces(SyntheticConfig(image_size=(64, 64), grid_shape=(40, 40)), seed=3).batch(range(4))
    for number, image in enumerate(faces.image):
        pixels = (image.permute(1, 2, 0) * 255).round().byte().numpy()
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def bare_model(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model without landmarks, in a file."""
    path = tmp_path_factory.mktemp("bare") / "bare.npz"
    dataclasses.replace(stn3dmm.load_model(model_file), landmarks={}).save(path)
    return path


def sources(folder: Path) -> list[dict[str, Any]]:
    return [{"kind": "folder", "path": str(folder)}]


def test_run_refuses_to_validate_by_faces_without_landmarks(
    small_run: dict[str, Any], plain: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"data\.validation has no landmarks to measure by"):
        train(changed(small_run, data__validation=sources(plain)), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_run_refuses_a_validation_that_measures_nothing(small_run: dict[str, Any], plain: Path, tmp_path: Path) -> None:
    """The only photograph that is labelled is damaged."""
    (tmp_path / "0.png").write_bytes((plain / "0.png").read_bytes()[:300])
    points = "\n".join(f"{20 + number % 8} {20 + number // 8}" for number in range(68))
    (tmp_path / "0.pts").write_text(f"version: 1\nn_points: 68\n{{\n{points}\n}}\n")
    found = [{"kind": "folder", "path": str(tmp_path)}]
    config = changed(small_run, data__validation=found, run__steps=2)
    place = Place(torch.device("cpu"))
    state = TrainingState(config, place, None)
    data = TrainingData(config, place, "ibug68")
    with pytest.raises(ValueError, match=r"data\.validation measures nothing: none of its 1 faces"):
        data.error(state.localiser, Objective(state.model, config.objective, "ibug68"))


@pytest.mark.parametrize("labelled", [1.0, 0.0])
def test_run_refuses_a_landmark_loss_without_labels(
    small_run: dict[str, Any], plain: Path, tmp_path: Path, labelled: float
) -> None:
    data = {"sources": sources(plain)} if labelled else {"labelled": 0.0}
    config = changed(small_run, data={**small_run["data"], **data, "validation": []})
    with pytest.raises(ValueError, match=r"the landmark loss has no labels .* objective\.landmark = 0"):
        train(config, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_run_without_landmarks_needs_none_of_the_model(
    small_run: dict[str, Any], plain: Path, bare_model: Path, tmp_path: Path
) -> None:
    data = {**small_run["data"], "sources": sources(plain), "validation": [], "pairs": "both"}
    faces = {"kind": "synthetic", "options": {"length": 4, "grid_shape": [40, 40], "views_per_identity": 2}}
    for found in (sources(plain), [faces]):  # labels that are there are not asked for
        data |= {"sources": found, "pairs": "mirror" if found != [faces] else "both"}
        config = changed(
            small_run, model=str(bare_model), data=data, objective=GEOMETRIC, run__steps=2, run__sample_every=2
        )
        folder = tmp_path / data["pairs"]
        train(config, folder, device="cpu")
        assert all(line["landmark"] is None and line["symmetry"] >= 0 for line in losses(folder))
        assert (folder / "samples" / "0000002.png").is_file()


def test_run_names_landmarks_that_the_model_lacks(small_run: dict[str, Any], bare_model: Path, tmp_path: Path) -> None:
    for objective, validation in (({}, []), (GEOMETRIC, small_run["data"]["validation"])):
        config = changed(small_run, model=str(bare_model), objective=objective, data__validation=validation)
        with pytest.raises(ValueError, match=r"has no landmarks 'ibug68'; it has none\. Set data\.landmark_set, or"):
            train(config, tmp_path / "run", device="cpu")


def test_run_takes_steps_on_which_nothing_weighs(small_run: dict[str, Any], tmp_path: Path) -> None:
    objective = {"landmark": 0.0, "prior": 0.0, "symmetry": [[0.0, 0.0], [0.5, 0.0], [1.0, 5.0]]}
    train(changed(small_run, objective=objective, run__steps=4), tmp_path, device="cpu")
    totals = [line["total"] for line in losses(tmp_path)]
    assert totals[:2] == [0.0, 0.0]
    assert totals[3] > 0


def test_run_refuses_to_begin_with_another_size_of_faces(small_run: dict[str, Any], tmp_path: Path) -> None:
    train(changed(small_run, data__validation=[], run__steps=1), tmp_path / "first", device="cpu")
    config = changed(small_run, start=str(tmp_path / "first" / "last.pt"), localiser__face_size=0.5)
    with pytest.raises(ValueError, match=r"faces of size 0\.75; set .* localiser\.face_size to these"):
        train(config, tmp_path / "second", device="cpu")
    assert not (tmp_path / "second").exists()


def test_run_changes_nothing_before_it_refuses(small_run: dict[str, Any], tmp_path: Path) -> None:
    config = changed(small_run, data__validation=[], run__steps=4)
    train(config, tmp_path, device="cpu")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    resume = load_checkpoint(tmp_path)
    shorter = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=2))
    other = tmp_path.parent / f"{tmp_path.name}.npz"
    stn3dmm.embedded_model((36, 36)).save(other)
    longer = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=6), model=str(other))
    for bad, words in ((shorter, "the run is done"), (longer, "trained with other shapes")):
        with pytest.raises(ValueError, match=words):
            train(bad, tmp_path, resume=resume, device="cpu")
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_validation_has_other_faces_than_the_training() -> None:
    """Synthetic ones of another seed without being told; the same ones are refused, however they are written."""
    config = from_dict({"data": {"validation": [{"kind": "synthetic"}]}})
    assert config.data.validation[0].options == {"length": 200, "seed": 1}
    seeded = [{"kind": "synthetic", "options": {"seed": 1}}]
    config = from_dict({"data": {"sources": seeded, "validation": [{"kind": "synthetic", "options": {"length": 9}}]}})
    assert config.data.validation[0].options == {"length": 9, "seed": 2}
    assert from_dict({"data": {"sources": seeded}}).data.validation == ()
    options = {"options": {"seed": 0, "length": 9}}
    for source, measured in (
        ({"kind": "synthetic"}, {"kind": "synthetic", **options}),
        ({"kind": "folder", "path": "faces"}, {"kind": "folder", "path": "./faces/"}),
    ):
        with pytest.raises(ValueError, match=r"data\.validation has the faces of data\.sources .*another seed"):
            from_dict({"data": {"sources": [source], "validation": [measured]}})
    tables = [{"kind": "folder", "path": "faces", "options": {"labels": f"{name}.csv"}} for name in ("a", "b")]
    assert from_dict({"data": {"sources": tables[:1], "validation": tables[1:]}}).data.validation
