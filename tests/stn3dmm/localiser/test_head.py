"""The head: what an untrained network answers, and in which steps it moves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import stn3dmm
import torch
from stn3dmm.localiser import ThetaHead, mean_face_theta

import stn3dmm_cuda


@pytest.mark.parametrize("image_size", [(112, 112), (240, 96), (64, 130)])
@pytest.mark.parametrize("face_size", [0.75, 0.5])
def test_untrained_answer_by_hand(embedded, image_size, face_size):
    """The valid vertices' box lies on the image's centre; its longer side is face_size x the shorter side."""
    H, W = image_size
    head = ThetaHead(256, embedded, image_size, face_size)
    theta = head(torch.rand(3, 256))
    pose = stn3dmm_cuda.pose(theta)
    mean, basis = embedded.tensors()
    points = stn3dmm_cuda.project(
        stn3dmm_cuda.vertices(pose.alpha, mean, basis), pose.rotation, pose.translation, pose.scale
    )[:, torch.from_numpy(embedded.valid), :2]
    low, high = points.amin(dim=1), points.amax(dim=1)
    torch.testing.assert_close(
        (low + high) / 2, torch.tensor([[(W - 1) / 2, (H - 1) / 2]]).repeat(3, 1), atol=0.1, rtol=0
    )
    torch.testing.assert_close((high - low).amax(dim=1), torch.full((3,), face_size * min(H, W)), atol=0.1, rtol=0)
    torch.testing.assert_close(theta[:, :3], torch.zeros(3, 3), atol=5e-3, rtol=0)
    torch.testing.assert_close(theta[:, 6:], torch.zeros(3, embedded.mode_count), atol=1e-2, rtol=0)


def test_offset_is_exact(embedded):
    """By hand, from the mean's own coordinates: y is up there and down in the image."""
    theta = mean_face_theta(embedded, (100, 200), 0.8).double()
    x, y = embedded.mean[embedded.valid, 0].astype(np.float64), embedded.mean[embedded.valid, 1].astype(np.float64)
    s = 80 / max(x.max() - x.min(), y.max() - y.min())
    expected = [0, 0, 0, 99.5 - s * (x.max() + x.min()) / 2, 49.5 + s * (y.max() + y.min()) / 2, np.log(s)]
    np.testing.assert_allclose(theta[:6], expected, rtol=1e-6)
    assert not theta[6:].any()


def test_units_are_natural_steps(embedded):
    head = ThetaHead(4, embedded, (112, 160))
    assert head.unit.tolist() == [0.5, 0.5, 0.5, 14, 14, 0.25, *[1] * embedded.mode_count]
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.fill_(2)
    torch.testing.assert_close(head(torch.ones(1, 4))[0], head.offset + 2 * head.unit)


def test_autocast_keeps_single_precision(embedded):
    """bfloat16 has eight bits: theta in pixels would be rounded to whole ones."""
    head = ThetaHead(8, embedded, (112, 112))
    features = torch.rand(2, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        theta = head(features)
    assert theta.dtype == torch.float32
    assert torch.equal(theta, head(features))


def test_initial_weights_are_small_and_follow_the_seed(embedded):
    heads = []
    for _ in range(2):
        torch.manual_seed(3)
        heads.append(ThetaHead(400, embedded, (112, 112)))
    assert torch.equal(heads[0].linear.weight, heads[1].linear.weight)
    assert heads[0].linear.weight.std().item() == pytest.approx(1e-3 / 20, rel=0.1)
    assert not heads[0].linear.bias.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": 0}, "features must be 1 or more; got 0"),
        ({"image_size": (0, 5)}, "image_size must be"),
        ({"face_size": 0.0}, "face_size must be positive"),
        ({"face_size": float("nan")}, "face_size must be positive"),
    ],
)
def test_rejects(embedded, arguments, message):
    with pytest.raises(ValueError, match=message):
        ThetaHead(**{"features": 3, "model": embedded, "image_size": (64, 64)} | arguments)


def test_rejects_a_model_without_a_face(embedded: stn3dmm.MorphableModel):
    hollow = dataclasses.replace(embedded, valid=np.zeros_like(embedded.valid))
    with pytest.raises(ValueError, match="no valid mean face"):
        mean_face_theta(hollow, (64, 64))
