"""Crops: colours, labels and theta move by one and the same map."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from stn3dmm.data import crops
from stn3dmm.data.faces import Face
from stn3dmm.fitted_face import posed_points

from stn3dmm_cuda import sample

from .face_cases import centroid, landmarks_of, listed, photograph

SIZE = (150, 170)  # (H, W) of the photographs


def similarity(scale, degrees=0.0, shift=(0.0, 0.0), mirror=False):
    """About the photograph's centre to the centre of a crop of 64 x 80, so that there is something to see."""
    angle = math.radians(degrees)
    linear = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = np.diag([-1.0, 1.0]) @ linear if mirror else linear
    centre, target = np.array([84.5, 74.5]), np.array([39.5, 31.5])
    return np.column_stack([linear, target + shift - linear @ centre])


SLOPE = 1.37  # of the colours over pixels: no whole number, so that roundings do not agree


def ramp(size):
    """Colours that are linear in the photograph's x and y."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    return np.stack([SLOPE * x, SLOPE * y, 0 * x], axis=-1).round().astype(np.uint8)


@pytest.mark.parametrize("scale", [1.7, 0.97, 0.83, 0.61, 0.5, 0.37, 0.2])
@pytest.mark.parametrize(("degrees", "mirror"), [(0, False), (23, False), (-65, True)])
def test_crop_has_the_colour_of_the_photograph_at_the_same_place(scale, degrees, mirror):
    affine = similarity(scale, degrees, (0.3, -0.2), mirror)
    made = crops.crop(ramp(SIZE), affine, (64, 80)).astype(float)
    y, x = np.mgrid[:64, :80].astype(float)
    at = crops.move_points(np.stack([x, y], axis=-1), crops.inverted(affine))
    border = 2 / scale  # averages at the photograph's rim lack one side
    inside = ((at > border) & (at < np.array([SIZE[1], SIZE[0]]) - 1 - border)).all(axis=-1)
    assert inside.mean() > 0.05
    for channel in (0, 1):
        error = made[..., channel] - SLOPE * at[..., channel]
        assert np.abs(error[inside]).max() <= 1.01  # rounded to 8 bits twice
        assert abs(error[inside].mean()) < 0.15  # a quarter of a pixel would be 0.34


@pytest.mark.parametrize("scale", [2.0, 1.0, 0.7])
def test_crop_is_what_sample_gives(scale):
    """The library's own sampler on a smooth photograph, zero padding included but for the last half pixel."""
    affine = similarity(scale, 17)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / 30.0
    image = (127 + 100 * np.stack([np.sin(x + y), np.cos(x), np.sin(y - x / 2)], axis=-1)).astype(np.uint8)
    made = crops.crop(image, affine, (64, 80)).astype(float)
    v, u = np.mgrid[:64, :80].astype(float)
    at = crops.move_points(np.stack([u, v], axis=-1).reshape(1, -1, 2), crops.inverted(affine))
    tensor = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float64))
    expected = sample(tensor, torch.from_numpy(at))[0].T.reshape(64, 80, 3).numpy()
    outside = ((at < -1) | (at > (SIZE[1], SIZE[0]))).any(axis=-1).reshape(64, 80)
    inside = ((at >= 1) & (at <= (SIZE[1] - 2, SIZE[0] - 2))).all(axis=-1).reshape(64, 80)
    assert np.abs(made - expected)[inside].max() <= 1.5
    assert (made[outside] == 0).all()
    assert (expected[outside] == 0).all()


@pytest.mark.parametrize(("scale", "degrees"), [(0.45, 0), (0.45, 30), (0.3, 10), (0.21, 45), (0.6, 5)])
def test_crop_does_not_alias_where_it_shrinks(scale, degrees):
    """A checkerboard of single pixels becomes grey, not a pattern of its own."""
    y, x = np.mgrid[:300, :300]
    board = np.repeat((((x + y) % 2) * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    angle = math.radians(degrees)
    linear = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    affine = np.column_stack([linear, np.array([19.5, 19.5]) - linear @ np.array([149.7, 149.2])])
    made = crops.crop(board, affine, (40, 40)).astype(float)
    assert made.std() < 25  # single samples would have about 75
    assert abs(made.mean() - 127.5) < 3


def test_crop_discs_are_where_the_labels_say():
    points = landmarks_of(0)
    image = photograph(points)
    for affine in (similarity(0.9), similarity(0.55, 30), similarity(0.4, -20, mirror=True), similarity(1.1, 5)):
        wide = affine + np.array([[0, 0, 40.0], [0, 0, 40.0]])
        made = crops.crop(image, wide, (144, 160))[..., 0].astype(float)
        for x, y in crops.move_points(points, wide):
            reach = 6 * abs(np.linalg.det(wide[:, :2])) ** 0.5
            assert centroid(made, x, y, reach) == pytest.approx((x, y), abs=0.15)


def test_crop_without_change_is_the_photograph():
    image = listed(1).list[0].image
    made = crops.crop(image, crops.whole_transform(image.shape[:2], image.shape[:2]), image.shape[:2])
    assert (made == image).all()
    assert not np.shares_memory(made, image)


def test_crop_beside_the_photograph_is_black():
    image = np.full((20, 20, 3), 200, dtype=np.uint8)
    assert (crops.crop(image, np.array([[1.0, 0, 500], [0, 1, 0]]), (16, 16)) == 0).all()
    half = crops.crop(image, np.array([[1.0, 0, 8], [0, 1, 0]]), (16, 16))
    assert (half[:, :8] == 0).all()
    assert (half[:, 8:] == 200).all()


@pytest.mark.parametrize(
    ("affine", "message"),
    [([[1, 0, math.nan], [0, 1, 0]], "finite"), ([[1, 1, 0], [1, 1, 0]], "line"), ([[0, 0, 0], [0, 0, 0]], "line")],
)
def test_crop_rejects(affine, message):
    with pytest.raises(ValueError, match=f"crop: the affine must .*{message}"):
        crops.crop(np.zeros((8, 8, 3), dtype=np.uint8), np.array(affine, dtype=float), (8, 8))


@pytest.mark.parametrize("box", [(100.0, 50.0, 180.0, 150.0), (-40.0, 10.0, 60.0, 30.0)])
@pytest.mark.parametrize("image_size", [(224, 224), (96, 128)])
def test_crop_transform_puts_the_box_in_the_middle(box, image_size):
    affine = crops.crop_transform(box, image_size, face_size=0.8)
    (x0, y0), (x1, y1) = crops.move_points(np.array([box[:2], box[2:]]), affine)
    H, W = image_size
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx(((W - 1) / 2, (H - 1) / 2))
    assert max(x1 - x0, y1 - y0) == pytest.approx(0.8 * crops.LANDMARK_SHARE * min(H, W))
    assert (x1 - x0) / (y1 - y0) == pytest.approx((box[2] - box[0]) / (box[3] - box[1]))


def test_landmark_share_makes_the_mean_face_as_large_as_asked_for(embedded):
    """A photograph of the frontal mean face, cropped by its landmarks, has the face about face_size high."""
    mean = embedded.mean.astype(float) * (1, -1, 1)
    for vertices in embedded.landmarks.values():
        points = mean[vertices, :2]
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        affine = crops.crop_transform((x0, y0, x1, y1), (224, 224), 0.75)
        whole = crops.move_points(mean[embedded.valid, :2], affine)
        assert (whole.max(axis=0) - whole.min(axis=0)).max() == pytest.approx(0.75 * 224, rel=0.03)


def test_whole_transform_shows_all():
    affine = crops.whole_transform((300, 200), (96, 128))
    corners = crops.move_points(np.array([[-0.5, -0.5], [199.5, 299.5]]), affine)
    assert corners[:, 1] == pytest.approx([-0.5, 95.5])
    assert corners[:, 0].mean() == pytest.approx(63.5)
    assert affine[0, 0] == pytest.approx(96 / 300)


def test_box_of():
    face = listed(1).list[0]
    points = face.landmarks
    assert crops.box_of(face) == pytest.approx((*points.min(axis=0), *points.max(axis=0)))
    hidden = np.zeros(21, dtype=bool)
    for visible, expected in ((hidden, None), (np.arange(21) == 3, None), (np.arange(21) < 2, 2)):
        box = crops.box_of(Face(face.image, points, visible, None, -1, None, "a"))
        assert box is None if expected is None else box[0] == pytest.approx(points[:2, 0].min())
    assert crops.box_of(Face(face.image, points, hidden, (1.0, 2.0, 3.0, 4.0), -1, None, "a")) == (1, 2, 3, 4)
    assert crops.box_of(Face(face.image, None, None, None, -1, None, "a")) is None


def test_affines_compose_and_invert():
    a, b = similarity(0.7, 20, (3, 4)), similarity(1.3, -50, (1, -7), mirror=True)
    points = landmarks_of(1)
    there = crops.move_points(crops.move_points(points, a), b)
    assert crops.move_points(points, crops.composed(b, a)) == pytest.approx(there)
    assert np.abs(crops.move_points(there, crops.inverted(crops.composed(b, a))) - points).max() < 1e-9


def test_theta_to_photograph_moves_every_vertex(embedded):
    torch.manual_seed(1)
    theta = torch.randn(3, 6 + embedded.mode_count, dtype=torch.float64) * 0.3
    theta[:, 3:5] += 100
    affine = np.stack([crops.crop_transform((10.0, 20.0, 90.0 + 30 * k, 80.0), (96, 128)) for k in range(3)])
    moved = crops.theta_to_photograph(theta, torch.from_numpy(affine))
    in_crop, in_photograph = posed_points(embedded, theta), posed_points(embedded, moved)
    for b in range(3):
        back = crops.move_points(in_crop[b, :, :2].numpy(), crops.inverted(affine[b]))
        assert np.abs(back - in_photograph[b, :, :2].numpy()).max() < 1e-9


def test_theta_to_photograph_rejects():
    theta = torch.zeros(1, 16)
    for affine in (similarity(1.0, 10), similarity(1.0, mirror=True), similarity(1.0) * [[2, 1, 1], [1, 1, 1]]):
        with pytest.raises(ValueError, match="without rotation or mirroring"):
            crops.theta_to_photograph(theta, torch.from_numpy(affine)[None])
    with pytest.raises(ValueError, match=r"got \(1, 16\) and \(2, 3\)"):
        crops.theta_to_photograph(theta, torch.eye(2, 3))
