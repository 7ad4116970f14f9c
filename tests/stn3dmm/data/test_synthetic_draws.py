"""Synthetic faces: what is drawn keeps to the configuration, and no two are alike."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from stn3dmm.angles import head_angles
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces
from stn3dmm.fitted_face import posed_points

import stn3dmm_cuda

from .synthetic_cases import SMALL, assert_equal


def test_no_texture_is_symmetric(samples):
    difference = (samples.texture - samples.texture.flip(-1)).abs()
    assert (difference.mean(dim=(1, 2, 3)) > 0.01).all()
    assert (difference.amax(dim=(1, 2, 3)) > 0.15).all()


def test_configured_ranges_are_kept():
    config = SyntheticConfig(
        image_size=(90, 120), yaw=(-20.0, 40.0), pitch=(5.0, 10.0), roll=(-3.0, 3.0), face_size=(0.4, 0.6)
    )
    faces = SyntheticFaces(config, seed=1)
    samples = faces.batch(range(24))
    angles = np.array([head_angles(theta) for theta in samples.theta.double().numpy()])
    for k, (low, high) in enumerate((config.yaw, config.pitch, config.roll)):
        assert angles[:, k].min() >= low - 1e-3
        assert angles[:, k].max() <= high + 1e-3
        assert np.ptp(angles[:, k]) > 0.5 * (high - low)
    points = posed_points(faces.model, samples.theta)[..., :2]
    low, high = points.amin(dim=1), points.amax(dim=1)
    assert (low >= 0).all()
    assert (high <= torch.tensor([119.0, 89.0])).all()
    size = (high - low).amax(dim=1) / 89
    assert size.min() > 0.399
    assert size.max() < 0.601
    assert samples.theta[:, 6:].abs().max() <= config.largest_coefficient


def test_faces_do_not_fold():
    """The cells of 60 faces keep the side that they have on the mean."""
    faces = SyntheticFaces(SMALL, seed=2)
    mean, basis = faces.model.tensors(dtype=torch.float64)
    triangles = stn3dmm_cuda.grid_faces(faces.model.grid_shape)

    def across(vertices: torch.Tensor) -> torch.Tensor:
        a, b, c = vertices[triangles].unbind(1)
        return torch.linalg.cross(b - a, c - a)

    straight = across(mean)
    for alpha in faces.batch(range(60)).theta[:, 6:].double():
        turned = ((across(mean + torch.tensordot(alpha, basis, 1)) * straight).sum(-1) <= 0).sum()
        assert turned == 0


def test_two_seeds_and_two_indices_differ(samples):
    other = SyntheticFaces(seed=8).batch([0])
    assert (other.image[0] - samples.image[0]).abs().mean() > 0.02
    assert (samples.image[1] - samples.image[0]).abs().mean() > 0.02
    assert not torch.equal(other.theta[0], samples.theta[0])


def test_views_share_the_person_and_nothing_else():
    faces = SyntheticFaces(SMALL, seed=4)
    views = faces.views(3, 5)
    assert views.identity.tolist() == [3] * 5
    assert views.view.tolist() == [0, 1, 2, 3, 4]
    assert (views.texture == views.texture[:1]).all()
    mine = torch.tensor([name.startswith("identity/") for name in faces.model.mode_names])
    alpha = views.theta[:, 6:]
    assert (alpha[:, mine] == alpha[:1, mine]).all()
    assert (alpha[:, ~mine] != alpha[:1, ~mine])[1:].any(dim=1).all()
    for a in range(5):
        for b in range(a):
            assert not torch.allclose(views.theta[a, :6], views.theta[b, :6])
            assert (views.image[a] - views.image[b]).abs().mean() > 0.02
    assert not torch.equal(faces.views(4, 1).texture[0], views.texture[0])


def test_indices_run_through_the_views_of_each_identity():
    faces = SyntheticFaces(dataclasses.replace(SMALL, views_per_identity=4), seed=4)
    assert_equal(faces.batch(range(12, 16)), faces.views(3, 4))
    assert faces.batch([5, 6, 8]).identity.tolist() == [1, 1, 2]
