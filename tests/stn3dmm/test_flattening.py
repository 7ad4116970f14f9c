"""Flattening: upright, not mirrored, the same for every kind of picture."""

from __future__ import annotations

import numpy as np
import pytest
import stn3dmm
import torch
from PIL import Image

import stn3dmm_cuda

H, W = 200, 240


@pytest.fixture
def frontal(embedded) -> np.ndarray:
    """theta of the mean face in the middle of a W x H picture."""
    return np.concatenate([[0, 0, 0, W / 2, H / 2, -0.3], np.zeros(embedded.mode_count)])


def picture() -> np.ndarray:
    """Red grows to the right, green downwards: (H, W, 3)."""
    y, x = np.mgrid[0:H, 0:W]
    return np.stack([x, y, np.full_like(x, 128)], axis=2).astype(np.uint8)


def test_upright_and_not_mirrored(embedded, frontal):
    texture, mask = stn3dmm.flatten(picture(), embedded, frontal)
    red, green, _ = texture[0]
    P, Q = embedded.grid_shape
    middle = slice(P // 4, 3 * P // 4), slice(Q // 4, 3 * Q // 4)
    assert (red[middle].diff(dim=1) > -1e-6).float().mean() > 0.95
    assert (green[middle].diff(dim=0) > -1e-6).float().mean() > 0.95
    assert mask[0, 0][middle].mean() > 0.9


def test_turned_face_hides_its_far_side(embedded, frontal):
    Q = embedded.grid_shape[1]
    frontal[1] = 1.0  # the nose to the image's right: the face's side at the image's right turns away
    mask = stn3dmm.flatten(picture(), embedded, frontal).mask[0, 0]
    assert mask[:, : Q // 2].mean() > 2 * mask[:, Q // 2 :].mean()


def test_equals_warp_for_every_kind_of_picture(embedded, frontal):
    tensor = torch.from_numpy(picture()).permute(2, 0, 1)[None] / 255
    mean, basis = embedded.tensors()
    theta = torch.from_numpy(frontal).float()[None]
    expected = stn3dmm_cuda.warp(
        tensor.contiguous(), theta, mean, basis, embedded.grid_shape, valid=torch.from_numpy(embedded.valid)
    )
    for image in (picture(), Image.fromarray(picture()), tensor, np.asfortranarray(picture())):
        texture, mask = stn3dmm.flatten(image, embedded, frontal)
        assert torch.equal(texture, expected.texture)
        assert torch.equal(mask, expected.mask)
    double = stn3dmm.flatten(tensor.double(), embedded, theta)
    assert double.texture.dtype == torch.float64
    assert torch.allclose(double.texture.float(), expected.texture, atol=1e-4)


def test_several_faces_in_one_picture(embedded, frontal):
    both = stn3dmm.flatten(picture(), embedded, np.stack([frontal, frontal]))
    assert both.texture.shape[0] == 2
    assert torch.equal(both.texture[0], both.texture[1])


def test_gradient_reaches_theta(embedded, frontal):
    theta = torch.from_numpy(frontal).float().requires_grad_()
    stn3dmm.flatten(picture(), embedded, theta).texture.sum().backward()
    assert theta.grad is not None
    assert theta.grad.abs().sum() > 0


def test_nan_theta_gives_an_empty_mask(embedded, frontal):
    frontal[2] = np.nan
    texture, mask = stn3dmm.flatten(picture(), embedded, frontal)
    assert torch.isfinite(texture).all()
    assert mask.sum() == 0


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((5, 5), dtype=np.uint8), ValueError, r"\(H, W, 3\) uint8"),
        (np.zeros((5, 5, 4), dtype=np.uint8), ValueError, r"\(H, W, 3\) uint8"),
        (np.zeros((5, 5, 3)), ValueError, "float64"),
        (torch.zeros(3, 5, 5), ValueError, r"\(B, 3, H, W\)"),
        (torch.zeros(1, 3, 5, 5, dtype=torch.uint8), ValueError, "floating"),
        ("photo.jpg", TypeError, "got str"),
        (torch.zeros(3, 3, 5, 5), ValueError, "3 images but 1 theta"),
    ],
)
def test_rejects_pictures(embedded, frontal, image, error, message):
    with pytest.raises(error, match=message):
        stn3dmm.flatten(image, embedded, frontal)


@pytest.mark.parametrize("theta", [np.zeros(3), np.zeros((1, 7)), np.zeros((1, 1, 6))])
def test_rejects_theta_of_another_model(embedded, theta):
    with pytest.raises(ValueError, match="theta must be"):
        stn3dmm.flatten(picture(), embedded, theta)


@pytest.mark.parametrize(
    ("theta", "error", "message"),
    [
        ("abc", TypeError, "flatten: theta must be real numbers; got str"),
        (None, TypeError, "flatten: theta must be real numbers"),
        (torch.zeros(6, dtype=torch.complex64), TypeError, "flatten: theta must be real numbers"),
        ([[0.0] * 6, [0.0] * 7], ValueError, "flatten: theta must be numbers in rows of one length"),
    ],
)
def test_rejects_what_is_no_theta(embedded, theta, error, message):
    with pytest.raises(error, match=message):
        stn3dmm.flatten(picture(), embedded, theta)


def test_rejects_pictures_without_a_white(embedded, frontal):
    with pytest.raises(ValueError, match=r"flatten: floating values must lie in 0\.\.1"):
        stn3dmm.flatten(Image.fromarray(np.full((9, 9), 7.0, dtype=np.float32)), embedded, frontal)
