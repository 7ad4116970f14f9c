"""Which images of a batch show one face, and which of them mirrored."""

from __future__ import annotations

import numpy as np
import torch
from stn3dmm.data.augmentation import AugmentationConfig
from stn3dmm.data.sources import open_source
from stn3dmm.data.stream import FaceStream, collate
from stn3dmm.training.pairs import paired


def test_pairs_of_an_identity_know_which_view_the_augmentation_mirrored() -> None:
    options = {"grid_shape": [40, 40], "image_size": [64, 64], "views_per_identity": 2, "length": 16}
    source = open_source("synthetic", landmark_set="ibug68", **options, yaw=[-5, 5], roll=[-5, 5])
    stream = FaceStream(
        source, (64, 64), "ibug68", augmentation=AugmentationConfig(mirror=0.5, rotation=5.0), pairs="identity"
    )
    batch = collate(stream.__getitems__(range(16)))
    flipped = np.array([np.linalg.det(affine[:, :2]) < 0 for affine in batch.affine.numpy()])
    expected = flipped[0::2] != flipped[1::2]
    assert set(expected) == {True, False}
    for kind in ("identity", "both"):
        faces, pairs = paired(batch, kind, "ibug68")
        assert pairs is not None
        assert pairs.mirrored[:8].tolist() == expected.tolist()
        assert bool(pairs.mirrored[8:].all())
        assert len(faces.image) == (16 if kind == "identity" else 32)
        assert (batch.identity[pairs.first[:8]] == batch.identity[pairs.second[:8]]).all()
    assert torch.equal(pairs.second[8:], pairs.first[8:] + 16)
