"""A morphable mesh takes whole numbers for indices and says what is wrong otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stn3dmm import MorphableMesh


def mesh(**change: Any) -> MorphableMesh:
    fields = {"mean": np.eye(3), "basis": np.zeros((0, 3, 3)), "triangles": [[0, 1, 2]], "mode_names": ()}
    return MorphableMesh(**{**fields, "landmarks": {"own": [0, -1]}, **change})


def test_indices_are_kept():
    for kind in (np.int32, np.uint8, np.int64):
        assert mesh(triangles=np.array([[2, 0, 1]], dtype=kind)).triangles.tolist() == [[2, 0, 1]]
    assert mesh().landmarks["own"].tolist() == [0, -1]
    assert mesh(landmarks={"none": []}).landmarks["none"].shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"triangles": [[0.5, 1.0, 2.0]]}, "MorphableMesh: triangles must be integers; got float64"),
        ({"triangles": [["0", "1", "2"]]}, "MorphableMesh: triangles must be integers; got <U1"),
        ({"landmarks": {"own": [1.5]}}, r"MorphableMesh: landmarks\['own'\] must be integers; got float64"),
        ({"landmarks": {"own": [True]}}, r"MorphableMesh: landmarks\['own'\] must be integers; got bool"),
    ],
)
def test_rejects_what_is_no_index(change, message):
    with pytest.raises(TypeError, match=message):
        mesh(**change)
