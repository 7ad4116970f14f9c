"""Fits on disk: what is read is what was written."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from stn3dmm.fit_file import FitRecord, load_fit, save_fit

RECORD = FitRecord(
    theta=np.array([0.1, 0.2, -0.3, 100.123456789, 50.0, -0.5, 1.0, -2.0]),
    error=1.25,
    image="a b.jpg",
    image_size=(480, 640),
    landmark_set="ibug68",
    model="a model",
    mode_names=("identity/1", "expression/ö"),
)


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_round_trip(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    save_fit(path, RECORD)
    again = load_fit(path)
    assert (again.theta == RECORD.theta).all()
    for name in ("error", "image", "image_size", "landmark_set", "model", "mode_names"):
        assert getattr(again, name) == getattr(RECORD, name)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_round_trip_without_landmarks(tmp_path, suffix):
    """What a localiser found has no landmark error; only then may it be missing."""
    path = tmp_path / f"a.{suffix}"
    save_fit(path, dataclasses.replace(RECORD, error=math.nan, landmark_set=""))
    again = load_fit(path)
    assert math.isnan(again.error)
    assert again.landmark_set == ""
    assert (again.theta == RECORD.theta).all()
    with pytest.raises(ValueError, match="theta or error holds NaN"):
        save_fit(path, dataclasses.replace(RECORD, error=math.nan))


def test_rejects_another_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"\.json or \.npz"):
        save_fit(tmp_path / "a.txt", RECORD)


@pytest.mark.parametrize("suffix", ["json", "npz"])
@pytest.mark.parametrize("change", [{"error": math.inf}, {"theta": np.full(8, np.nan)}])
def test_writes_nothing_that_it_would_not_read(tmp_path, suffix, change):
    with pytest.raises(ValueError, match=rf"a\.{suffix}: theta or error holds NaN or infinity"):
        save_fit(tmp_path / f"a.{suffix}", dataclasses.replace(RECORD, **change))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("theta"), "lacks 'theta'"),
        (lambda content: content.update(version=99), "not a fit of this version"),
        (lambda content: content.update(theta=[1, 2]), "6 \\+ 2 values"),
        (lambda content: content.update(theta=[float("nan")] * 8), "NaN"),
        (lambda content: content.update(image_size=5), "not a fit"),
    ],
)
def test_rejects_other_json(tmp_path, change, message):
    path = tmp_path / "a.json"
    save_fit(path, RECORD)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        load_fit(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"PK\x03\x04", b"\xff\xfe\x00"])
def test_rejects_damage(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a fit that 'stn3dmm fit' wrote"):
        load_fit(path)


def test_check_model(embedded):
    with pytest.raises(ValueError, match="belongs to another model"):
        RECORD.check_model(embedded)
    dataclasses.replace(RECORD, mode_names=embedded.mode_names).check_model(embedded)
