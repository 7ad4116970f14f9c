"""Synthetic faces: what is said about an image is true of it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from stn3dmm.data.synthetic import SyntheticFaces
from stn3dmm.fitted_face import posed_points

import stn3dmm_cuda

from .synthetic_cases import BARE, tensors


def test_shapes_and_ranges(samples):
    B, K, P, Q = 12, 42, 112, 112
    assert samples.image.shape == (B, 3, 224, 224)
    assert samples.theta.shape == (B, 6 + K)
    assert {name: points.shape for name, points in samples.landmarks.items()} == {
        "aflw21": (B, 21, 2),
        "ibug68": (B, 68, 2),
    }
    assert samples.mask.shape == samples.occluded.shape == (B, 1, P, Q)
    assert samples.texture.shape == samples.shaded.shape == (B, 3, P, Q)
    assert samples.face.shape == (B, 1, 224, 224)
    for tensor in tensors(samples):
        assert torch.isfinite(tensor).all()
    for part in (samples.image, samples.texture, samples.shaded, samples.face):
        assert part.min() >= 0
        assert part.max() <= 1
    assert 0.1 < samples.image.mean() < 0.9
    assert (samples.image.flatten(1).std(dim=1) > 0.03).all()


def test_little_lies_before_a_bare_face():
    """Hair, neck and glasses aside, what the face shows by itself is seen, ears included."""
    faces = SyntheticFaces(BARE, seed=5)
    samples = faces.batch(range(12))
    mean, basis = faces.model.tensors()
    alone = stn3dmm_cuda.warp(samples.image, samples.theta, mean, basis, faces.model.grid_shape).mask > 0
    assert samples.occluded[alone].mean() < 0.01


def test_theta_gives_the_landmarks(samples):
    model = SyntheticFaces(seed=7).model
    points = posed_points(model, samples.theta.double())
    for name, landmarks in samples.landmarks.items():
        expected = points[:, torch.from_numpy(model.landmarks[name]), :2]
        assert (landmarks - expected).abs().max() < 1e-3


def test_mask_is_what_warp_sees_but_for_what_lies_before(samples):
    faces = SyntheticFaces(seed=7)
    mean, basis = faces.model.tensors()
    warped = stn3dmm_cuda.warp(samples.image, samples.theta, mean, basis, faces.model.grid_shape)
    # The fused operator may differ in the last bit of a point, and so on a vertex in the rim.
    assert (samples.mask - warped.mask * (1 - samples.occluded)).abs().mean() < 1e-3
    for name, index in faces.model.landmarks.items():
        assert torch.equal(samples.visible[name], samples.mask.flatten(1)[:, torch.from_numpy(index)])
    assert 0.05 < samples.occluded.mean() < 0.6


@pytest.mark.parametrize("yaw", [-80.0, -45.0, 0.0, 45.0, 80.0])
def test_flattening_gives_the_lit_texture_back(yaw):
    config = dataclasses.replace(BARE, yaw=(yaw, yaw), image_size=(320, 320), face_size=(0.85, 0.85))
    faces = SyntheticFaces(config, seed=3)
    samples = faces.batch(range(3))
    mean, basis = faces.model.tensors()
    texture = stn3dmm_cuda.warp(samples.image, samples.theta, mean, basis, faces.model.grid_shape).texture
    error = (texture - samples.shaded).abs().mean(dim=1, keepdim=True)[samples.mask > 0]
    assert len(error) > 3 * 0.3 * 112 * 112
    assert error.median() < 0.006
    assert error.quantile(0.9) < 0.05  # silhouettes mix with what is behind, strands of hair with each other


def test_flattening_behind_an_occluder_gives_something_else():
    faces = SyntheticFaces(dataclasses.replace(BARE, occluder=1.0, yaw=(-20.0, 20.0)), seed=4)
    samples = faces.batch(range(12))
    mean, basis = faces.model.tensors()
    warped = stn3dmm_cuda.warp(samples.image, samples.theta, mean, basis, faces.model.grid_shape)
    error = (warped.texture - samples.shaded).abs().mean(dim=1, keepdim=True)
    hidden, seen = (samples.occluded > 0) & (warped.mask > 0), samples.mask > 0
    assert hidden.float().mean() > 0.05
    assert error[hidden].median() > 10 * error[seen].median()
    assert error[seen].quantile(0.9) < 0.06


@pytest.mark.parametrize("thing", ["occluder", "glasses"])
def test_occluded_is_where_the_image_changes(thing):
    """The same image with and without it: vertices called occluded are those whose pixels changed."""
    plain = dataclasses.replace(BARE, yaw=(-30.0, 30.0))
    without = SyntheticFaces(plain, seed=5).batch(range(8))
    adorned = SyntheticFaces(dataclasses.replace(plain, **{thing: 1.0}), seed=5).batch(range(8))
    assert torch.equal(without.theta, adorned.theta)
    assert without.occluded.mean() < 0.05  # by the neck and the back of the head
    change = (without.image - adorned.image).abs().amax(dim=1, keepdim=True)
    points = posed_points(SyntheticFaces(plain).model, without.theta)
    changed = stn3dmm_cuda.sample((change > 0.01).float(), points)[:, 0].reshape(-1, 1, 112, 112)
    seen = without.mask > 0
    assert adorned.occluded[seen].mean() > 0.01
    # Half a pixel at a rim is open to argument.
    assert (adorned.occluded[seen & (changed == 0)] == 0).float().mean() > 0.995
    assert (adorned.occluded[seen & (changed == 1)] == 1).float().mean() > (0.95 if thing == "occluder" else 0.75)


def test_far_side_of_a_profile_is_hidden():
    right = SyntheticFaces(dataclasses.replace(BARE, yaw=(75.0, 85.0), pitch=(0.0, 0.0)), seed=6).batch(range(4))
    left = SyntheticFaces(dataclasses.replace(BARE, yaw=(-85.0, -75.0), pitch=(0.0, 0.0)), seed=6).batch(range(4))
    far, near = slice(42, 48), slice(36, 42)  # iBUG's eyes at the image's right and left of a frontal face
    assert right.visible["ibug68"][:, far].mean() < 0.1
    assert left.visible["ibug68"][:, near].mean() < 0.1
    assert right.visible["ibug68"][:, near].mean() > 0.6
    assert left.visible["ibug68"][:, far].mean() > 0.6
    assert right.mask[..., :56].mean() > 2 * right.mask[..., 56:].mean()


def test_face_fraction_covers_the_seen_vertices(samples):
    points = posed_points(SyntheticFaces().model, samples.theta)
    shown = stn3dmm_cuda.sample(samples.face, points)[:, 0].reshape(samples.mask.shape)
    assert (shown[samples.mask > 0] > 0.2).float().mean() > 0.97


def test_upright_and_not_mirrored():
    """Head up, the image's left eye left; dark pupils in a bright eye, red lips below it."""
    config = dataclasses.replace(BARE, yaw=(-10.0, 10.0), pitch=(-5.0, 5.0), roll=(0.0, 0.0), beard=0.0)
    samples = SyntheticFaces(config, seed=8).batch(range(16))
    points = samples.landmarks["aflw21"]
    left_eye, right_eye, mouth, chin = points[:, 7], points[:, 10], points[:, 18], points[:, 20]
    assert (left_eye[:, 0] < right_eye[:, 0]).all()
    assert (left_eye[:, 1] < mouth[:, 1]).all()
    assert (mouth[:, 1] < chin[:, 1]).all()
    flat = samples.texture.flatten(2)
    index = {name: torch.from_numpy(vertices) for name, vertices in SyntheticFaces().model.landmarks.items()}
    pupils = flat[..., index["aflw21"][[7, 10]]].mean(1)
    # Between the outer and the inner edge of the upper lip.
    lips = flat[..., (index["ibug68"][51] // 112 + index["ibug68"][62] // 112) // 2 * 112 + 50]
    cheek, brows = flat[..., 45 * 112 + 30], flat[..., index["ibug68"][[19, 24]]].mean((1, 2))
    assert (pupils.amin(1) < 0.2).float().mean() > 0.9
    assert (brows < cheek.mean(1)).float().mean() > 0.85
    redness = (lips[:, 0] / lips[:, 1]) / (cheek[:, 0] / cheek[:, 1])
    assert (redness > 1.05).float().mean() > 0.9
