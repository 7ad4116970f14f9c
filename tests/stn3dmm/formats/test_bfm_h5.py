"""The Basel Face Models 2017 to 2023: their exact layout written by h5py, and every kind of damage."""

from __future__ import annotations

import json
import re

import h5py
import numpy as np
import pytest
from stn3dmm.data.mirror import SWAPS
from stn3dmm.formats import bfm_h5, read_mesh

from .model_files import (
    AXIS_LANDMARKS,
    H5_VERTICES,
    K_IDENTITY,
    V,
    expression_modes,
    face,
    h5_landmarks,
    identity_modes,
    triangles,
    write_bfm_h5,
)


@pytest.fixture
def model(tmp_path):
    return write_bfm_h5(tmp_path / "model2017-1_bfm_nomouth.h5")


def replace(path, name, value):
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value


def test_by_hand(model):
    """Variances become deviations; the mean of the expressions, here 0.5, is added."""
    mesh = read_mesh(model)
    assert mesh.mean == pytest.approx(face() + 0.5, rel=1e-6)
    assert mesh.basis == pytest.approx(np.concatenate([identity_modes(), expression_modes()]), rel=1e-5)
    assert mesh.triangles.tolist() == triangles().tolist()
    assert mesh.mode_names[K_IDENTITY - 1 : K_IDENTITY + 1] == ("identity/4", "expression/1")


@pytest.mark.parametrize("name", ["aflw21", "ibug68"])
def test_names_of_left_and_right_mirror_each_other(name):
    names = bfm_h5.NAMES_OF_SET[name]
    turned = {"left": "right", "right": "left", "center": "center"}
    for landmark, own in names.items():
        side, _, rest = own.partition(".")
        assert names[SWAPS[name][landmark]] == f"{turned[side]}.{rest}"
    assert len(set(names.values())) == len(names)


def test_landmarks_by_their_names(model):
    """They lie on the reference mesh here; a landmark of a part that was cut off has no vertex."""
    landmarks = read_mesh(model).landmarks
    assert {k: v for k, v in enumerate(landmarks["ibug68"]) if v >= 0} == AXIS_LANDMARKS | {
        48: H5_VERTICES["right.lips.corner"]
    }
    aflw21 = {6: AXIS_LANDMARKS[36], 11: AXIS_LANDMARKS[45], 14: AXIS_LANDMARKS[30], 20: AXIS_LANDMARKS[8]}
    aflw21[17] = H5_VERTICES["right.lips.corner"]
    assert {k: v for k, v in enumerate(landmarks["aflw21"]) if v >= 0} == aflw21


@pytest.mark.parametrize("kind", ["text", "bytes", "array of text", "byte numbers"])
def test_landmarks_however_the_text_is_stored(model, kind):
    text = json.dumps(h5_landmarks())
    stored = {
        "text": text,
        "bytes": np.bytes_(text),
        "array of text": [text],
        "byte numbers": np.frombuffer(text.encode(), dtype=np.int8),
    }
    replace(model, "metadata/landmarks/json", stored[kind])
    assert read_mesh(model).landmarks["ibug68"][30] == AXIS_LANDMARKS[30]


def test_landmarks_on_the_mean(model):
    entries = [{"id": name, "coordinates": face()[vertex].tolist()} for name, vertex in H5_VERTICES.items()]
    replace(model, "metadata/landmarks/json", json.dumps(entries))
    replace(model, "shape/representer/points", (face()[::-1] + 9).T)
    assert read_mesh(model).landmarks["ibug68"][30] == AXIS_LANDMARKS[30]


def test_without_landmarks_and_expressions(tmp_path):
    mesh = read_mesh(write_bfm_h5(tmp_path / "model.h5", expressions=False, named=False))
    assert mesh.landmarks == {}
    assert mesh.mean == pytest.approx(face(), rel=1e-6)
    assert mesh.mode_names == tuple(f"identity/{k}" for k in (1, 2, 3, 4))


def test_triangles_in_rows_or_columns_and_clockwise(model):
    replace(model, "shape/representer/cells", triangles()[:, ::-1])
    corners = face()[read_mesh(model).triangles]
    assert (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0).all()


BASIS, MEAN, VARIANCE = (f"shape/model/{part}" for part in ("pcaBasis", "mean", "pcaVariance"))
CELLS, JSON = "shape/representer/cells", "metadata/landmarks/json"
FAULTS = {
    "no_basis": (BASIS, None, "lacks the dataset 'shape/model/pcaBasis'"),
    "no_cells": (CELLS, None, "lacks the dataset 'shape/representer/cells'"),
    "no_expression_basis": ("expression/model/pcaBasis", None, "lacks the dataset 'expression/model/pcaBasis'"),
    "group": (MEAN + "/inside", 1.0, "lacks the dataset 'shape/model/mean'"),
    "text": (MEAN, "text", "shape/model/mean must hold real numbers; got object"),
    "complex": (BASIS, np.ones((3 * V, 2)) * 1j, "shape/model/pcaBasis must hold real numbers"),
    "empty": (MEAN, np.zeros(0), "shape/model/mean must hold real numbers"),
    "null": (MEAN, h5py.Empty("f"), "not a readable HDF5 file|must hold real numbers|more than the file"),
    "short_mean": (MEAN, np.zeros(3 * V - 1), "shape/model/mean must hold x, y, z"),
    "short_basis": (BASIS, np.zeros((3 * V - 3, 4)), r"shape/model/pcaBasis must be \(297, K\)"),
    "turned_basis": (BASIS, np.zeros((4, 3 * V)), r"shape/model/pcaBasis must be \(297, K\)"),
    "vector_basis": (BASIS, np.zeros(3 * V), r"shape/model/pcaBasis must be \(297, K\)"),
    "variances": (VARIANCE, np.ones(5), "has 4 modes, but there are 5 standard deviations"),
    "negative_variance": (VARIANCE, [1.0, 1, -1, 1], "shape/model/pcaVariance must not be negative; got -1"),
    "nan": (MEAN, np.full(3 * V, np.nan), "shape/model/mean holds NaN or infinity"),
    "nan_basis": (BASIS, np.full((3 * V, 4), np.nan), "shape/model/pcaBasis holds NaN or infinity"),
    "other_vertices": ("expression/model/mean", np.zeros(3), r"expression/model/pcaBasis must be \(3, K\)"),
    "quads": (CELLS, np.zeros((4, 5)), r"cells must be \(F, 3\) or \(3, F\)"),
    "past_end": (CELLS, np.full((3, 5), V), "cells must hold whole numbers in 0..98"),
    "upside_down": (MEAN, (face() * (1, -1, 1)).reshape(-1), "the mean face is mirrored|metadata"),
    "json": (JSON, "no json", "metadata/landmarks/json is not the list of landmarks"),
    "json_nest": (JSON, "[" * 100_000, "metadata/landmarks/json is not the list of landmarks"),
    "json_object": (JSON, "{}", None),
    "json_list": (JSON, "[1, 2]", "metadata/landmarks/json is not the list of landmarks"),
    "json_id": (JSON, '[{"id": 1, "coordinates": [1, 2, 3]}]', "must give a name and three coordinates"),
    "json_list_id": (JSON, '[{"id": [], "coordinates": [1, 2, 3]}]', "is not the list of landmarks"),
    "json_pair": (JSON, '[{"id": "a", "coordinates": [1, 2]}]', "must give a name and three coordinates"),
    "json_nan": (JSON, '[{"id": "a", "coordinates": [1, 2, NaN]}]', "metadata/landmarks/json holds NaN"),
    "json_huge": (JSON, '[{"id": "a", "coordinates": [1, 2, %s]}]' % ("9" * 400), "is not the list|holds NaN"),
}


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault[2] is not None])
def test_rejects(model, name):
    place, value, message = FAULTS[name]
    if place == MEAN + "/inside":
        replace(model, MEAN, None)
        with h5py.File(model, "r+") as file:
            file[place] = value
    else:
        replace(model, place, value)
    if name == "upside_down":
        replace(model, "shape/representer/points", (face() * (1, -1, 1)).T)
        moved = [
            entry | {"coordinates": (np.array(entry["coordinates"]) * (1, -1, 1)).tolist()} for entry in h5_landmarks()
        ]
        replace(model, JSON, json.dumps(moved))
        replace(model, "expression", None)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(model)
    assert str(caught.value).startswith(str(model))
    assert str(caught.value).count("\n") == 0
    assert [entry.name for entry in model.parent.iterdir()] == [model.name]


def test_landmarks_without_entries(model):
    replace(model, JSON, "[]")
    assert read_mesh(model).landmarks == {}


def test_reads_nothing_outside_the_file(model, tmp_path):
    """Links and raw data in other files are as good as absent."""
    other = write_bfm_h5(tmp_path / "other.h5")
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(4 * 3 * V))
    layout = h5py.VirtualLayout(shape=(3 * V,), dtype="f4")
    layout[:] = h5py.VirtualSource(other, MEAN, shape=(3 * V,))
    for link in (h5py.ExternalLink("other.h5", MEAN), h5py.SoftLink("/expression/model/mean")):
        replace(model, MEAN, link)
        with pytest.raises(ValueError, match=f"lacks the dataset '{MEAN}'"):
            read_mesh(model)
    with h5py.File(model, "r+") as file:
        del file[MEAN]
        file.create_dataset(MEAN, shape=(3 * V,), dtype="f4", external=[("raw", 0, 4 * 3 * V)])
    with pytest.raises(ValueError, match=f"lacks the dataset '{MEAN}'"):
        read_mesh(model)
    with h5py.File(model, "r+") as file:
        del file[MEAN]
        file.create_virtual_dataset(MEAN, layout)
    with pytest.raises(ValueError, match=f"lacks the dataset '{MEAN}'"):
        read_mesh(model)
    with h5py.File(model, "r+") as file:
        del file["shape/model"]
        file["shape/model"] = h5py.ExternalLink("other.h5", "shape/model")
    with pytest.raises(ValueError, match=f"lacks the dataset '{MEAN}'"):
        read_mesh(model)


@pytest.mark.parametrize("shape", [(2**40,), (2**26,)])
def test_rejects_a_size_that_the_file_cannot_hold(model, shape):
    """HDF5 announces what was never written, and reads it as zeros."""
    with h5py.File(model, "r+") as file:
        del file[MEAN]
        file.create_dataset(MEAN, shape=shape, dtype="f4", chunks=(2**16,))
    with pytest.raises(ValueError, match="more than the file can hold"):
        read_mesh(model)


def test_rejects_truncated(model):
    whole = model.read_bytes()
    for part in np.linspace(0, len(whole) - 1, 40).astype(int):
        model.write_bytes(whole[:part])
        with pytest.raises(ValueError, match=re.escape(str(model))):
            bfm_h5.read(model)


def test_rejects_missing_and_others(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file; expected a Basel Face Model 2017, 2019 or 2023"):
        bfm_h5.read(tmp_path / "model.h5")
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["something"] = 1
    with pytest.raises(ValueError, match="it holds something"):
        read_mesh(path)
