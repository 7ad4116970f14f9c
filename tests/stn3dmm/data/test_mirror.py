"""Mirror images of faces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stn3dmm.data.mirror import SWAPS, mirror_faces
from stn3dmm.morphable_model import LANDMARK_SETS


@pytest.mark.parametrize("name", SWAPS)
def test_swaps_are_involutions(name):
    swap = np.array(SWAPS[name])
    assert len(swap) == LANDMARK_SETS[name]
    assert (swap[swap] == np.arange(len(swap))).all()


@pytest.mark.parametrize("name", SWAPS)
def test_swaps_are_those_of_the_model(embedded, name):
    """The mirror image of a landmark's vertex, on the symmetric mean face, is the vertex of its partner."""
    points = embedded.mean[embedded.landmarks[name]]
    mirrored = points[list(SWAPS[name])] * (-1, 1, 1)
    assert np.abs(points - mirrored).max() < 4.0  # mm; neighbouring vertices are that far apart
    Q = embedded.grid_shape[1]
    row, column = np.divmod(embedded.landmarks[name], Q)
    assert np.abs(row - row[list(SWAPS[name])]).max() <= 2
    assert np.abs(column + column[list(SWAPS[name])] - (Q - 1)).max() <= 2


def test_mirror_by_hand():
    image = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6).to(torch.uint8)
    landmarks, visible = torch.rand(2, 21, 2), torch.ones(2, 21)
    landmarks[1, 12] = torch.tensor([1.0, 2.0])  # left ear
    visible[1, 12] = 0
    mirrored = mirror_faces(image, landmarks, visible, "aflw21")
    assert torch.equal(mirrored.image[..., 0], image[..., 5])
    assert mirrored.landmarks[1, 16].tolist() == [4.0, 2.0]
    assert mirrored.visible[1].argmin() == 16
    assert mirrored.visible[0].all()


@pytest.mark.parametrize("name", SWAPS)
def test_mirror_twice_is_nothing(name):
    L = LANDMARK_SETS[name]
    image, landmarks, visible = torch.rand(3, 3, 5, 8), 8 * torch.rand(3, L, 2).double(), torch.rand(3, L).round()
    twice = mirror_faces(*mirror_faces(image, landmarks, visible, name), name)
    assert torch.equal(twice.image, image)
    assert torch.allclose(twice.landmarks, landmarks, atol=1e-12)
    assert torch.equal(twice.visible, visible)
    one = mirror_faces(image[0], landmarks[0], visible[0], name)
    assert torch.equal(one.landmarks, mirror_faces(image, landmarks, visible, name).landmarks[0])


def test_mirror_without_landmarks():
    mirrored = mirror_faces(torch.rand(2, 3, 4, 4), torch.zeros(2, 0, 2), torch.zeros(2, 0), None)
    assert mirrored.landmarks.shape == (2, 0, 2)


def test_mirror_rejects():
    image = torch.zeros(1, 3, 4, 4)
    with pytest.raises(ValueError, match="landmark_set must be one of aflw21, ibug68; got 'wflw98'"):
        mirror_faces(image, torch.zeros(1, 98, 2), torch.zeros(1, 98), "wflw98")
    with pytest.raises(ValueError, match=r"landmarks must be \(\.\.\., 68, 2\)"):
        mirror_faces(image, torch.zeros(1, 21, 2), torch.zeros(1, 21), "ibug68")
    with pytest.raises(ValueError, match=r"visible \(\.\.\., 0\)"):
        mirror_faces(image, torch.zeros(1, 21, 2), torch.zeros(1, 21), None)
