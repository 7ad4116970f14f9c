"""Landmark fitting: exact where it can be, at a minimum where not, and clear about hostile input."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest
import stn3dmm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stn3dmm.fit import CHUNK
from stn3dmm.formats import bas2017, labels
from stn3dmm.levenberg_marquardt import matrix_to_axis_angle

import stn3dmm_cuda


@pytest.fixture(scope="module")
def small(embedded) -> stn3dmm.MorphableModel:
    """The embedded mean face with ten random modes: 68 landmarks determine all parameters well."""
    basis = np.random.default_rng(0).normal(0, 3.0, (10, *embedded.mean.shape))  # mm
    return dataclasses.replace(embedded, basis=basis, mode_names=tuple(f"random/{k}" for k in range(10)))


def turns(yaw, pitch, roll) -> torch.Tensor:
    """Rotations (B, 3, 3) from degrees (B,)."""
    zero = torch.zeros_like(yaw)
    axes = ([zero, zero, roll], [pitch, zero, zero], [zero, yaw, zero])
    z, x, y = (stn3dmm_cuda.axis_angle_to_matrix(torch.stack(axis, dim=1).deg2rad()) for axis in axes)
    return z @ x @ y


def faces(model, count=37, seed=0, roll=30.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Landmarks (B, 68, 2) of random faces with yaw from -90 to 90 degrees, and their alpha (B, K)."""
    random = torch.Generator().manual_seed(seed)
    yaw = torch.linspace(-90, 90, count, dtype=torch.float64)
    pitch, turn = ((torch.rand(2, count, generator=random, dtype=torch.float64) - 0.5) * 2) * torch.tensor(
        [[35.0], [roll]], dtype=torch.float64
    )
    alpha = torch.randn(count, model.mode_count, generator=random, dtype=torch.float64)
    scale = 0.5 + torch.rand(count, generator=random, dtype=torch.float64)
    translation = 112 + 40 * torch.randn(count, 2, generator=random, dtype=torch.float64)
    index = torch.from_numpy(model.landmarks["ibug68"])
    mean, basis = model.tensors(dtype=torch.float64)
    vertices = stn3dmm_cuda.vertices(alpha, mean[index], basis[:, index].contiguous())
    points = stn3dmm_cuda.project(vertices, turns(yaw, pitch, turn), translation, scale)
    return points[..., :2].contiguous(), alpha


def cost(model, theta, target, visible, prior_weight) -> torch.Tensor:
    """The cost of one face by its definition, differentiable in theta (1, 6 + K)."""
    pose = stn3dmm_cuda.reference.pose(theta)
    index = torch.from_numpy(model.landmarks["ibug68"])
    mean, basis = model.tensors(dtype=torch.float64)
    vertices = stn3dmm_cuda.reference.vertices(pose.alpha, mean[index], basis[:, index])
    points = stn3dmm_cuda.reference.project(vertices, pose.rotation, pose.translation, pose.scale)[0, :, :2]
    return ((points - target).square().sum(-1) * visible).sum() + prior_weight * pose.alpha.square().sum()


@pytest.mark.parametrize("roll", [30.0, 180.0])
def test_recovers_synthetic_faces(small, roll):
    target, alpha = faces(small, roll=roll)
    fit = stn3dmm.fit_landmarks(small, target, indices="ibug68", prior_weight=0)
    assert fit.theta.dtype == torch.float64
    assert fit.error.max() < 1e-6
    assert (fit.theta[:, 6:] - alpha).abs().max() < 1e-4


def test_recovers_faces_of_the_whole_model(embedded):
    """All modes at once, more unknowns than 21 landmarks determine: the points are met all the same."""
    target, _ = faces(embedded, count=13)
    fit = stn3dmm.fit_landmarks(embedded, target, indices="ibug68", prior_weight=1e-9)
    assert fit.error.max() < 1e-3


def test_batch_equals_singles(small):
    target, _ = faces(small, count=9)
    together = stn3dmm.fit_landmarks(small, target, indices="ibug68")
    for b in range(9):
        alone = stn3dmm.fit_landmarks(small, target[b], indices="ibug68")
        assert alone.theta.shape == (1, 16)
        assert torch.allclose(alone.theta[0], together.theta[b], atol=1e-6)


def test_deterministic_and_chunks(small):
    target, _ = faces(small, count=5)
    many = target.repeat(CHUNK // 5 + 1, 1, 1)
    first, second = (stn3dmm.fit_landmarks(small, many, indices="ibug68") for _ in range(2))
    assert torch.equal(first.theta, second.theta)
    assert torch.allclose(first.theta[:5], first.theta[-5:], atol=1e-6)


def test_missing_landmarks_do_not_matter(small):
    target, alpha = faces(small, count=9)
    visible = torch.ones(9, 68, dtype=torch.bool)
    visible[:, ::3] = False
    hostile = target.clone()
    hostile[:, ::3] = torch.tensor([math.nan, math.inf], dtype=torch.float64)
    fit = stn3dmm.fit_landmarks(small, hostile, visible=visible, indices="ibug68", prior_weight=0)
    assert fit.error.max() < 1e-6
    assert (fit.theta[:, 6:] - alpha).abs().max() < 1e-3


def test_error_counts_visible_landmarks_only(small):
    target, _ = faces(small, count=3)
    wrong = target.clone()
    wrong[:, 5] += 1000
    visible = np.ones((3, 68))
    visible[:, 5] = 0
    assert stn3dmm.fit_landmarks(small, wrong, visible=visible, indices="ibug68", prior_weight=0).error.max() < 1e-6


@pytest.mark.parametrize("prior_weight", [0.3, 1.0, 50.0])
def test_gradient_is_zero_at_the_optimum(small, prior_weight):
    target, _ = faces(small, count=7, seed=3)
    noisy = target + 2 * torch.randn(target.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    visible = torch.ones(7, 68, dtype=torch.float64)
    visible[:, 40:50] = 0
    fit = stn3dmm.fit_landmarks(small, noisy, visible=visible, indices="ibug68", prior_weight=prior_weight)
    for b in range(7):
        theta = fit.theta[b : b + 1].clone().requires_grad_()
        value = cost(small, theta, noisy[b], visible[b], prior_weight)
        (gradient,) = torch.autograd.grad(value, theta)
        assert gradient.abs().max() < 1e-3  # of a cost whose curvature reaches 1e6


def test_more_prior_means_smaller_alpha(small):
    target, _ = faces(small, count=3)
    sizes = [
        float(stn3dmm.fit_landmarks(small, target, indices="ibug68", prior_weight=weight).theta[:, 6:].norm())
        for weight in (0.0, 1.0, 100.0, 1e6)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.5


def test_indices_by_number_and_missing_vertices(small):
    target, _ = faces(small, count=3)
    index = small.landmarks["ibug68"].copy()
    index[[0, 7]] = -1
    broken = target.clone()
    broken[:, [0, 7]] = math.nan
    fit = stn3dmm.fit_landmarks(small, broken, indices=index, prior_weight=0)
    assert fit.error.max() < 1e-6


def test_landmarks_outside_the_image_are_left_out(small):
    target, _ = faces(small, count=1)
    moved = target.clone()
    moved[:, 3] = torch.tensor([-500.0, 100.0])
    moved[:, 4] = torch.tensor([100.0, 5000.0])
    inside = stn3dmm.fit_landmarks(small, moved, indices="ibug68", image_size=(1000, 1000), prior_weight=0)
    assert inside.error.max() < 1e-6
    assert stn3dmm.fit_landmarks(small, moved, indices="ibug68", prior_weight=0).error.max() > 1


def test_dtypes_and_containers(small):
    target, _ = faces(small, count=2)
    for given_points, dtype in (
        (target.float(), torch.float32),
        (target.half().float().half(), torch.float32),
        (target.numpy(), torch.float32),
        (target.numpy().tolist(), torch.float32),
        (target.round().long(), torch.float32),
        (target.clone().requires_grad_(), torch.float64),
        (target.transpose(1, 2).contiguous().transpose(1, 2), torch.float64),
    ):
        fit = stn3dmm.fit_landmarks(small, given_points, indices="ibug68")
        assert fit.theta.dtype == fit.error.dtype == dtype
        assert not fit.theta.requires_grad
        assert torch.isfinite(fit.theta).all()


def test_empty_batch(small):
    fit = stn3dmm.fit_landmarks(small, torch.zeros(0, 68, 2), indices="ibug68")
    assert fit.theta.shape == (0, 16)
    assert fit.error.shape == (0,)


def test_inputs_stay_as_they_were(small):
    target, _ = faces(small, count=2)
    target[0, 0] = math.nan
    visible = torch.ones(2, 68)
    visible[0, 0] = 0
    before = target.clone()
    stn3dmm.fit_landmarks(small, target, visible=visible, indices="ibug68")
    assert torch.equal(target.nan_to_num(), before.nan_to_num())
    assert visible.sum() == 135


def test_arrays_that_cannot_be_written_to(small):
    target, _ = faces(small, count=1)
    array = target.numpy().copy()
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stn3dmm.fit_landmarks(small, array, indices="ibug68")


@settings(max_examples=25, deadline=None)
@given(
    size=st.sampled_from([1e-6, 1.0, 1e6, 1e12]),
    seed=st.integers(0, 1000),
    count=st.integers(4, 68),
)
def test_any_points_give_finite_parameters(embedded, size, seed, count):
    """Points that no face produced, of any size: finite parameters, and no worse than the best constant."""
    rng = np.random.default_rng(seed)
    points = size * rng.normal(size=(68, 2))
    fit = stn3dmm.fit_landmarks(embedded, torch.from_numpy(points), visible=np.arange(68) < count, indices="ibug68")
    assert torch.isfinite(fit.theta).all()
    spread = np.sqrt(((points[:count] - points[:count].mean(axis=0)) ** 2).sum(axis=1).mean())
    assert float(fit.error[0]) <= 1.01 * spread


@given(angle=st.floats(0, math.pi), axis=st.tuples(*[st.floats(-1, 1)] * 3))
def test_matrix_to_axis_angle_inverts(angle, axis):
    direction = torch.tensor(axis, dtype=torch.float64)
    if direction.norm() < 1e-3:
        return
    r = angle * direction / direction.norm()
    rotation = stn3dmm_cuda.axis_angle_to_matrix(r[None])
    again = matrix_to_axis_angle(rotation)
    assert again.norm() <= math.pi + 1e-9
    assert torch.allclose(stn3dmm_cuda.axis_angle_to_matrix(again), rotation, atol=1e-9)


def test_real_authors_faces(basel, real_data):
    data = bas2017.read_demodata(real_data / "bas2017" / "demodata.mat")
    fit = stn3dmm.fit_landmarks(basel, data.landmarks, visible=data.visible)
    assert fit.error.max() <= 2.6
    assert fit.theta[:, :3].norm(dim=1).rad2deg().max() < 27


def normalised_errors(model, real_data) -> list[float]:
    found = []
    for path in sorted((real_data / "aflw2000").glob("*.mat")):
        annotation = labels.read_mat(path)
        fit = stn3dmm.fit_landmarks(model, annotation.points, visible=annotation.visible, indices="ibug68")
        found.append(float(fit.error[0]) / math.sqrt(np.ptp(annotation.points, axis=0).prod()))
    return found


def test_real_aflw2000(basel, real_data):
    assert np.mean(normalised_errors(basel, real_data)) <= 0.022
