"""The camera of synthetic faces, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from stn3dmm.data.synthetic import SyntheticConfig
from stn3dmm.data.synthetic.camera import blurred, photograph
from stn3dmm.data.synthetic.draws import Draws


@pytest.mark.parametrize("sigma", [0.3, 0.5, 0.7, 0.71, 1.0, 2.0, 3.0])
def test_blur_is_a_gaussian_of_that_width(sigma):
    point = torch.zeros(1, 61, 61, dtype=torch.float64)
    point[0, 30, 30] = 1
    seen = blurred(point, sigma)[0]
    away = torch.arange(61, dtype=torch.float64) - 30
    assert torch.allclose(seen, seen.T)
    assert torch.allclose(seen, seen.flip(0))
    assert math.isclose(seen.sum(), 1, rel_tol=1e-12)
    assert math.isclose((seen.sum(0) * away**2).sum(), sigma**2, rel_tol=1e-9)
    if sigma >= 1:
        gaussian = (-0.5 * (away / sigma) ** 2).exp()
        assert (seen.sum(0) - gaussian / gaussian.sum()).abs().max() < 0.03


def test_blur_repeats_the_border_and_leaves_its_image_alone():
    ramp = torch.linspace(0, 1, 12).expand(3, 9, 12)
    seen = blurred(ramp, 1.0)
    assert torch.equal(ramp, torch.linspace(0, 1, 12).expand(3, 9, 12))
    assert (seen - ramp)[..., 3:-3].abs().max() < 1e-6
    assert (seen[..., 0] > 0).all()
    assert torch.allclose(blurred(torch.full((3, 5, 7), 0.3), 0.9), torch.tensor(0.3))
    assert torch.equal(blurred(ramp, 0.1), ramp)


def test_photograph_is_in_eight_bits_and_noisy_where_it_is_bright():
    dark_and_bright = torch.stack([torch.full((64, 64), 0.2), torch.full((64, 64), 0.8)], dim=1).reshape(1, 64, 128)
    picture = torch.empty(3, 64, 128)
    config = SyntheticConfig(noise=(0.03, 0.03), tone=(0.0, 0.0), grey=0.0)
    photograph(Draws(3), dark_and_bright.expand(3, 64, 128), config, picture)
    assert torch.equal((picture * 255).round() / 255, picture)
    dark, bright = picture[..., 4:60], picture[..., 68:124]
    assert (dark.mean() - 0.2).abs() < 0.03
    assert (bright.mean() - 0.8).abs() < 0.06
    assert 0.01 < dark.std(dim=(1, 2)).mean() < bright.std(dim=(1, 2)).mean() < 0.05


def test_photograph_without_colour():
    picture = torch.empty(3, 32, 32)
    photograph(Draws(4), torch.rand(3, 32, 32), SyntheticConfig(grey=1.0), picture)
    assert torch.equal(picture[0], picture[1])
    assert torch.equal(picture[0], picture[2])
    assert picture.std() > 0.05
