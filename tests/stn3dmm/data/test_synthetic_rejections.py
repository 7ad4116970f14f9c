"""Synthetic faces: what is no configuration, no seed and no index is refused in a sentence."""

from __future__ import annotations

import pytest
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces

from .synthetic_cases import SMALL


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": (-224, 224)}, "image_size must be at least 16 x 16"),
        ({"image_size": (224.0, 224)}, "image_size must be two whole numbers"),
        ({"image_size": 224}, "image_size must be two whole numbers"),
        ({"grid_shape": (8, 8)}, "grid_shape must be at least 32 x 32"),
        ({"length": 0}, "length must be a whole number of 1 or more"),
        ({"views_per_identity": 0}, "views_per_identity must be"),
        ({"samples": 3}, "samples must be 1, 2 or 4"),
        ({"yaw": (10.0, -10.0)}, "yaw must be"),
        ({"yaw": (-200.0, 0.0)}, "yaw must be"),
        ({"pitch": (float("nan"), 0.0)}, "pitch must be"),
        ({"face_size": (0.0, 0.5)}, "face_size must be"),
        ({"blur": 1.0}, "blur must be"),
        ({"hair": 1.5}, "hair must be a probability"),
        ({"occluder": -0.1}, "occluder must be a probability"),
        ({"identity_deviation": -1.0}, "identity_deviation must be finite"),
        ({"expression_deviation": float("inf")}, "expression_deviation must be finite"),
        ({"largest_coefficient": 0.01}, "rejects nearly every draw"),
    ],
)
def test_rejects_configurations(fields, message):
    with pytest.raises(ValueError, match=f"SyntheticConfig: .*{message}"):
        SyntheticConfig(**fields)


def test_rejects_arguments():
    faces = SyntheticFaces(SMALL)
    with pytest.raises(ValueError, match="seed must be 0 or more; got -1"):
        SyntheticFaces(SMALL, seed=-1)
    with pytest.raises(ValueError, match="no indices"):
        faces.batch([])
    with pytest.raises(ValueError, match="indices must be 0 or more; got -2"):
        faces.batch([0, -2])
    with pytest.raises(TypeError):
        faces.batch([0.5])
    with pytest.raises(ValueError, match="count must be 1 or more; got 0"):
        faces.views(0, 0)
    with pytest.raises(ValueError, match="identity must be 0 or more"):
        faces.views(-1, 1)
    with pytest.raises(IndexError, match="-1"):
        faces[-1]
