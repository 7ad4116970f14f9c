"""A localiser on photographs of any size: theta comes back in their own pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import stn3dmm
import torch
from PIL import Image
from stn3dmm.data.crops import LANDMARK_SHARE
from stn3dmm.data.faces import Face
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces
from stn3dmm.fitted_face import posed_points
from stn3dmm.localised import TrainedLocaliser
from stn3dmm.localiser import LocaliserConfig, build_localiser

FACE_SIZE = 0.75


@pytest.fixture(scope="module")
def model() -> stn3dmm.MorphableModel:
    return stn3dmm.embedded_model((40, 40))


@pytest.fixture
def untrained(model) -> TrainedLocaliser:
    """Answers the mean face in the middle of the crop, whatever it sees."""
    torch.manual_seed(0)
    network = build_localiser(LocaliserConfig(width=0.25, face_size=FACE_SIZE), model, (64, 80)).eval()
    torch.nn.init.zeros_(network.head.linear.weight)
    return TrainedLocaliser(network, model, FACE_SIZE)


@pytest.fixture
def lively(model) -> TrainedLocaliser:
    """Answers each picture differently."""
    torch.manual_seed(0)
    network = build_localiser(LocaliserConfig(width=0.25), model, (64, 64)).eval()
    torch.nn.init.normal_(network.head.linear.weight, std=0.02)
    return TrainedLocaliser(network, model)


def outline(localiser: TrainedLocaliser, theta: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The middles (B, 2) and longer sides (B,) of the faces' boxes in the photograph."""
    points = posed_points(localiser.model, theta)[:, torch.from_numpy(localiser.model.valid), :2].numpy()
    low, high = points.min(axis=1), points.max(axis=1)
    return (low + high) / 2, (high - low).max(axis=1)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_untrained_answer_fills_the_box(untrained):
    boxes = [(100.0, 50.0, 200.0, 170.0), (-20.0, 5.0, 30.0, 25.0)]
    theta = untrained.localise([noise(300, 400), noise(90, 60)], boxes)
    middles, sides = outline(untrained, theta)
    assert middles == pytest.approx(np.array([[150.0, 110.0], [5.0, 15.0]]), abs=1e-3)
    assert sides == pytest.approx(np.array([120.0, 50.0]) / LANDMARK_SHARE, rel=1e-5)
    assert theta.dtype == torch.float64


def test_untrained_answer_fills_the_photograph_without_a_box(untrained):
    theta = untrained.localise([noise(640, 800), noise(320, 320)])
    middles, sides = outline(untrained, theta)
    assert middles == pytest.approx(np.array([[399.5, 319.5], [159.5, 159.5]]), abs=1e-2)
    assert sides == pytest.approx(FACE_SIZE * np.array([640, 320]), rel=1e-5)


def test_landmarks_serve_as_box(untrained):
    landmarks = np.full((21, 2), np.nan)
    landmarks[3:5] = [[10.0, 20.0], [50.0, 100.0]]
    visible = np.isfinite(landmarks).all(axis=1)
    face = Face(noise(200, 200), landmarks, visible, None, identity=-1, yaw=None, name="a")
    expected = untrained.localise([noise(200, 200)], [(10.0, 20.0, 50.0, 100.0)])
    assert torch.equal(untrained.localise_faces([face]), expected)


def test_photographs_of_a_batch_do_not_meet(lively):
    pictures = [noise(80, 100, 1), noise(200, 60, 2), noise(64, 64, 3)]
    boxes = [(10.0, 10.0, 60.0, 70.0), None, None]
    together = lively.localise(pictures, boxes)
    for picture, box, theta in zip(pictures, boxes, together, strict=True):
        assert lively.localise([picture], [box])[0].numpy() == pytest.approx(theta.numpy(), rel=1e-4, abs=1e-4)
    assert (together[0] - together[1]).abs().max() > 0.01
    assert torch.equal(lively.localise([Image.fromarray(picture) for picture in pictures], boxes), together)
    assert lively.localise([]).shape == (0, 6 + lively.model.mode_count)


@pytest.mark.parametrize("scale", [2, 3])
def test_enlarged_photograph_gives_the_same_face_enlarged(lively, scale):
    """What lies at x in the smaller one lies at scale x + (scale - 1) / 2."""
    small, large = (
        np.array(Image.fromarray(noise(8, 8)).resize((side, side), Image.Resampling.BICUBIC))
        for side in (128, scale * 128)
    )
    box = (30.0, 40.0, 90.0, 100.0)
    edge = (scale - 1) / 2
    small_theta, large_theta = (
        lively.localise([small], [box])[0],
        lively.localise([large], [tuple(scale * side + edge for side in box)])[0],
    )
    expected = small_theta.clone()
    expected[3:5] = scale * small_theta[3:5] + edge
    expected[5] += math.log(scale)
    assert large_theta.numpy() == pytest.approx(expected.numpy(), abs=0.2)
    assert large_theta[[0, 1, 2, 5]].numpy() == pytest.approx(expected[[0, 1, 2, 5]].numpy(), abs=0.02)


def test_texture_has_the_photograph_resolution(model):
    """Flattened with the true theta through a crop, a large photograph keeps what the crop cannot hold."""
    config = SyntheticConfig(image_size=(256, 256), grid_shape=(40, 40), yaw=(0.0, 0.0), length=1, camera=False)
    sample = SyntheticFaces(config, seed=3).batch([0])
    theta = sample.theta[0]
    fine = stn3dmm.flatten(sample.image, stn3dmm.embedded_model((40, 40)), theta)
    photograph = (sample.image[0].permute(1, 2, 0) * 255).round().byte().numpy()
    network = build_localiser(LocaliserConfig(width=0.25), model, (64, 64)).eval()
    torch.nn.init.zeros_(network.head.linear.weight)
    quarter = theta.clone()
    quarter[3:5] = (theta[3:5] + 0.5) / 4 - 0.5
    quarter[5] -= math.log(4)
    network.head.offset.copy_(quarter)
    answer = TrainedLocaliser(network, model).localise([photograph])
    assert answer[0].numpy() == pytest.approx(theta.double().numpy(), abs=1e-4)
    texture = stn3dmm.flatten(photograph, model, answer).texture
    assert (texture - fine.texture).abs().max() < 0.01


def test_rejects_what_it_cannot_look_at(untrained):
    with pytest.raises(ValueError, match="1 photographs but 2 boxes"):
        untrained.localise([noise(9, 9)], [None, None])
    with pytest.raises(ValueError, match=r"photograph 1: the box must be x0, y0, x1, y1"):
        untrained.localise([noise(9, 9), noise(9, 9)], [None, (5.0, 5.0, 5.0, 9.0)])
    with pytest.raises(ValueError, match=r"photograph 1: the box \(0, 0, 1e\+09, 50\) reaches far outside .* 9 x 9"):
        untrained.localise([noise(9, 9), noise(9, 9)], [None, (0.0, 0.0, 1e9, 50.0)])
    with pytest.raises(ValueError, match=r"photograph 0: the image must be \(H, W, 3\) uint8"):
        untrained.localise(noise(9, 9))
    with pytest.raises(TypeError, match="Put a single one into a list"):
        untrained.localise(["photograph.jpg"])


def test_rejects_weights_that_give_nan(untrained):
    torch.nn.init.constant_(untrained.network.head.linear.bias, torch.nan)
    with pytest.raises(ValueError, match=r"photograph 0: the localiser's answer is not finite"):
        untrained.localise([noise(64, 80)])
