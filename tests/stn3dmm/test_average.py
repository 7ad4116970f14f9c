"""The mean flattened face: weights, and the documented fill."""

from __future__ import annotations

import pytest
import torch
from stn3dmm import average_textures


def test_weighted_mean_by_hand():
    textures = torch.tensor([[[[0.2, 0.4]]], [[[0.6, 0.8]]]])
    masks = torch.tensor([[[[1.0, 1.0]]], [[[1.0, 0.5]]]])
    mean = average_textures(textures, masks)
    assert torch.allclose(mean.texture, torch.tensor([[[0.4, 0.8 / 1.5]]]))
    assert mean.weight.tolist() == [[[2.0, 1.5]]]


def test_fill_from_the_mirrored_side_then_the_mean_colour():
    textures = torch.tensor([[[[0.3, 9.0, 9.0, 9.0], [9.0, 9.0, 9.0, 0.5]]]])
    masks = torch.tensor([[[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]]])
    mean = average_textures(textures, masks)
    expected = torch.tensor([[[0.3, 0.4, 0.4, 0.3], [0.5, 0.4, 0.4, 0.5]]])
    assert torch.allclose(mean.texture, expected)
    assert (mean.weight > 0).sum() == 2


def test_hidden_values_never_leak():
    textures = torch.full((2, 3, 4, 4), torch.nan)
    textures[1, :, :, :2] = 0.25
    masks = torch.zeros(2, 1, 4, 4)
    masks[1, :, :, :2] = 1
    assert torch.allclose(average_textures(textures, masks).texture, torch.full((3, 4, 4), 0.25))


def test_nothing_seen_is_black():
    mean = average_textures(torch.rand(2, 3, 4, 4), torch.zeros(2, 1, 4, 4))
    assert mean.texture.abs().sum() == 0
    assert mean.weight.sum() == 0


@pytest.mark.parametrize(
    ("textures", "masks", "message"),
    [
        (torch.zeros(3, 4, 4), torch.zeros(1, 4, 4), r"\(M, C, P, Q\)"),
        (torch.zeros(0, 3, 4, 4), torch.zeros(0, 1, 4, 4), "M > 0"),
        (torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), r"masks must be \(2, 1, 4, 4\)"),
    ],
)
def test_rejects(textures, masks, message):
    with pytest.raises(ValueError, match=message):
        average_textures(textures, masks)
