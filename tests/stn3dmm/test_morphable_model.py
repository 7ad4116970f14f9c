"""The morphable model as a file and as a value."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stn3dmm.morphable_model import MorphableModel


def small_model(**changes: Any) -> MorphableModel:
    random = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "mean": random.normal(size=(12, 3)),
        "basis": random.normal(size=(2, 12, 3)),
        "grid_shape": (3, 4),
        "valid": np.arange(12) != 5,
        "mode_names": ("identity/width", "expression/smile"),
        "landmarks": {"aflw21": np.arange(21) % 13 - 1},
        "source": "a test",
        "licence": "none",
    }
    return MorphableModel(**{**fields, **changes})


def test_morphable_model_survives_its_file(tmp_path: Path) -> None:
    model = small_model()
    model.save(tmp_path / "model.npz")
    read = MorphableModel.load(tmp_path / "model.npz")
    for field in dataclasses.fields(MorphableModel):
        before, after = getattr(model, field.name), getattr(read, field.name)
        if field.name == "landmarks":
            assert list(before) == list(after)
            np.testing.assert_array_equal(before["aflw21"], after["aflw21"])
        else:
            np.testing.assert_array_equal(before, after)
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_morphable_model_says_what_it_is() -> None:
    assert repr(small_model()) == "MorphableModel('a test', grid 3 x 4, 2 modes, landmarks: aflw21)"


def test_morphable_model_shape_by_hand() -> None:
    model = small_model(mean=np.zeros((12, 3)), basis=np.stack([np.ones((12, 3)), np.full((12, 3), 10.0)]))
    np.testing.assert_array_equal(model.shape([2.0, 0.5]), np.full((12, 3), 7.0))
    mean, basis = model.tensors(dtype=torch.float64)
    assert (mean.shape, basis.shape, mean.dtype) == ((12, 3), (2, 12, 3), torch.float64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": np.zeros((11, 3))}, r"mean must be \(12, 3\).*got \(11, 3\)"),
        ({"basis": np.zeros((3, 12, 3))}, r"basis must be \(2, 12, 3\).*got \(3, 12, 3\)"),
        ({"valid": np.ones(4, dtype=bool)}, r"valid must be \(12,\).*got \(4,\)"),
        ({"mean": np.full((12, 3), np.nan)}, "mean holds NaN or infinity"),
        ({"landmarks": {"ibug68": np.zeros(21, dtype=int)}}, r"landmarks\['ibug68'\] must be \(68,\); got \(21,\)"),
        ({"landmarks": {"own": np.array([12])}}, r"landmarks\['own'\] must lie in -1..11"),
    ],
)
def test_morphable_model_rejects_what_does_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_model(**changes)


def test_morphable_model_rejects_unknown_landmarks() -> None:
    with pytest.raises(ValueError, match="has no landmarks 'ibug68'; it has aflw21"):
        small_model().landmark_indices("ibug68")


def test_morphable_model_rejects_a_newer_file(tmp_path: Path) -> None:
    small_model(version=2).save(tmp_path / "new.npz")
    with pytest.raises(ValueError, match="newer than this program"):
        MorphableModel.load(tmp_path / "new.npz")


def test_morphable_model_leaves_nothing_half_written(tmp_path: Path) -> None:
    target = tmp_path / "model.npz"
    target.mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match=r"model\.npz"):
        small_model().save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]
