"""The authors' parametrisation and this project's put every vertex on the same pixel.

The authors' side is computed here in NumPy from its published description: R by Rodrigues' formula, image points
0.99 ** value * (R X)_xy + t in pixels that are 1-based with y up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import stn3dmm
import torch
from stn3dmm.fitted_face import posed_points
from stn3dmm.formats.bas2017 import convert_authors_theta, read_demodata

import stn3dmm_cuda

H = 224


def authors_points(parameters: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """(N, 2) 1-based pixels, y up, of parameters (6 + K,); mean (3N, 1) and basis (3N, K) as model.mat has them."""
    r, t, value, alpha = parameters[:3], parameters[3:5], parameters[5], parameters[6:]
    shape = (mean[:, 0] + basis @ alpha).reshape(-1, 3)
    angle = np.linalg.norm(r)
    k = r / angle if angle > 0 else r
    cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    rotation = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return 0.99**value * (shape @ rotation.T)[:, :2] + t


def check_same_points(path: Path, seed: int) -> None:
    content = scipy.io.loadmat(path)
    model = stn3dmm.load_model(path)
    rng = np.random.default_rng(seed)
    parameters = np.concatenate(
        [rng.uniform(-1, 1, 3), rng.uniform(80, 140, 2), rng.uniform(-40, 60, 1), rng.normal(size=10)]
    )
    theirs = authors_points(parameters, content["shapeMU"], content["shapePC"])
    expected = np.stack([theirs[:, 0] - 1, H - theirs[:, 1]], axis=1)
    theta = torch.from_numpy(convert_authors_theta(parameters))[None]
    ours = posed_points(model, theta)[0, :, :2].numpy()
    assert np.abs(ours - expected).max() < 1e-4  # the model's float32 millimetres
    mean, basis = model.tensors()
    warped = stn3dmm_cuda.warp(
        torch.zeros(1, 3, H, H), theta.float(), mean, basis, model.grid_shape, landmarks=torch.arange(112 * 112)
    )
    assert np.abs(warped.landmarks[0].numpy() - expected).max() < 1e-3


@pytest.mark.parametrize("seed", range(5))
def test_same_image_points(real_data, seed):
    check_same_points(real_data / "bas2017" / "model.mat", seed)


def test_same_image_points_with_a_generated_model(model_mat):
    check_same_points(model_mat, 0)


def test_same_landmark_error_in_either_frame(basel, real_data):
    """A fit turned into the authors' parameters leaves their labels, read raw, the same distances."""
    content = scipy.io.loadmat(real_data / "bas2017" / "model.mat")
    labels = scipy.io.loadmat(real_data / "bas2017" / "demodata.mat")["Labels"][0].astype(np.float64)
    data = read_demodata(real_data / "bas2017" / "demodata.mat")
    fit = stn3dmm.fit_landmarks(basel, torch.from_numpy(data.landmarks))
    for b in range(6):
        parameters = fit.theta[b].numpy().copy()
        parameters[3] += 1
        parameters[4] = H - parameters[4]
        parameters[5] /= np.log(0.99)
        points = authors_points(parameters, content["shapeMU"], content["shapePC"])[basel.landmarks["aflw21"]]
        error = np.linalg.norm(points - labels[:, :, b].T, axis=1).mean()
        assert error == pytest.approx(float(fit.error[b]), abs=1e-4)
        assert convert_authors_theta(parameters) == pytest.approx(fit.theta[b].numpy())
