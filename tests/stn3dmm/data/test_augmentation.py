"""Augmentation: labels follow the picture, and the picture stays a picture."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from stn3dmm.data.augmentation import AugmentationConfig, augment, plain, recoloured
from stn3dmm.data.crops import box_of, crop_transform, inverted, move_points
from stn3dmm.data.mirror import SWAPS
from stn3dmm.data.synthetic.draws import Draws

from .face_cases import centroid, listed

NOTHING = AugmentationConfig(**dict.fromkeys((field.name for field in dataclasses.fields(AugmentationConfig)), 0.0))
GEOMETRY = dataclasses.replace(NOTHING, rotation=40.0, scale=0.3, shift=0.1, mirror=0.5)
SIZE = (160, 180)
SMALL = (16, 20)


def varied(config, number, L=21):
    """A variation of a face of discs, cropped so that discs are large."""
    face = listed(1, L=L).list[0]
    affine = crop_transform(box_of(face), SIZE, 0.9)
    return face, augment(face, affine, SIZE, {21: "aflw21", 68: "ibug68"}[L], config, Draws(3, number))


def mirrored(made):
    return np.linalg.det(made.affine[:, :2]) < 0


@pytest.mark.parametrize("L", [21, 68])
def test_labels_lead_back_to_the_photograph(L):
    seen = set()
    for number in range(20):
        face, made = varied(GEOMETRY, number, L)
        back = move_points(made.landmarks, inverted(made.affine))
        order = list(SWAPS[{21: "aflw21", 68: "ibug68"}[L]]) if mirrored(made) else list(range(L))
        assert np.abs(back - face.landmarks[order]).max() < 1e-9
        seen.add(bool(mirrored(made)))
    assert seen == {True, False}


def test_discs_are_where_the_labels_say():
    for number in range(12):
        _, made = varied(GEOMETRY, number)
        reach = 6 * abs(np.linalg.det(made.affine[:, :2])) ** 0.5
        image = made.image[0].double().numpy()
        inside = ((made.landmarks > reach) & (made.landmarks < np.array([SIZE[1], SIZE[0]]) - 1 - reach)).all(axis=1)
        assert inside.sum() >= 10
        for x, y in made.landmarks[inside]:
            assert centroid(image, x, y, reach) == pytest.approx((x, y), abs=0.3)


def test_ranges():
    H, W = SMALL
    face = listed(1).list[0]
    base = crop_transform(box_of(face), SMALL, 0.9)
    middle = np.array([(W - 1) / 2, (H - 1) / 2])
    angles, scales, shifts, turned = [], [], [], 0
    for number in range(300):
        affine = augment_affine(face, base, number)
        turned += np.linalg.det(affine[:, :2]) < 0
        if np.linalg.det(affine[:, :2]) < 0:
            affine = np.array([[-1.0, 0, W - 1], [0, 1, 0]])[:, :2] @ affine + [[0, 0, W - 1], [0, 0, 0]]
        linear = affine[:, :2] / base[0, 0]
        scales.append(math.log(np.linalg.det(linear)) / 2)
        angles.append(math.degrees(math.atan2(linear[1, 0], linear[0, 0])))
        at = move_points(move_points(middle, inverted(base)), affine)
        shifts.append((at - middle) / min(H, W))
    for values, most in ((angles, 40), (scales, 0.3), (np.ravel(shifts), 0.1)):
        assert np.abs(values).max() <= most + 1e-9
        assert np.max(values) > 0.9 * most
        assert np.min(values) < -0.9 * most
        assert abs(np.mean(values)) < 0.15 * most
    assert 110 < turned < 190


def augment_affine(face, base, number):
    small = dataclasses.replace(face, image=face.image[:70, :80])  # only the geometry matters
    return augment(small, base, SMALL, "aflw21", GEOMETRY, Draws(0, number)).affine


def test_no_augmentation_is_the_plain_crop():
    face, made = varied(NOTHING, 0)
    expected = plain(face, crop_transform(box_of(face), SIZE, 0.9), SIZE, "aflw21")
    assert np.abs(made.affine - expected.affine).max() < 1e-12
    assert torch.equal(made.image, expected.image)
    assert np.abs(made.landmarks - expected.landmarks).max() < 1e-9


def portrait():
    """Something smooth and coloured (H, W, 3), 0..255."""
    y, x = np.mgrid[:80, :100] / 20.0
    return (128 + 90 * np.stack([np.sin(x), np.cos(y), np.sin(x + y)], axis=-1)).round()


def changed(seed=0, **fields):
    image = torch.from_numpy(portrait()).permute(2, 0, 1).float()
    made = recoloured(image, dataclasses.replace(NOTHING, **fields), Draws(seed))
    return made.permute(1, 2, 0).double().numpy().clip(0, 255)


def test_colours_by_hand():
    pixels = portrait()
    assert np.abs(changed() - pixels).max() == 0
    grey = changed(grey=1.0)
    assert (np.ptp(grey, axis=2) == 0).all()
    assert np.abs(grey[..., 0] - pixels @ (0.299, 0.587, 0.114)).max() <= 1
    middle = (pixels > 60) & (pixels < 190)
    brighter = np.array([np.median((changed(k, brightness=0.2) / pixels)[middle]) for k in range(40)])
    assert brighter.min() == pytest.approx(0.8, abs=0.03)
    assert brighter.max() == pytest.approx(1.2, abs=0.03)
    for seed in range(5):
        contrast = changed(seed, contrast=0.3)
        factor = (contrast - 127.5)[middle].std() / (pixels - 127.5)[middle].std()
        assert np.abs(contrast - (127.5 + factor * (pixels - 127.5)))[middle].max() < 1.5


def test_noise_and_blur():
    pixels = portrait()
    deviations = np.array([(changed(k, noise=0.05) - pixels).std() / 255 for k in range(60)])
    assert 0.3 < (deviations == 0).mean() < 0.7
    assert 0.045 < deviations.max() < 0.08  # each channel its own noise, and half as much in all
    sharpness = np.array([np.abs(np.diff(changed(k, blur=3.0), axis=0)).mean() for k in range(60)])
    sharp = np.abs(np.diff(pixels, axis=0)).mean()
    assert (sharpness < 1.05 * sharp).all()
    assert sharpness.min() < 0.98 * sharp
    assert 0.3 < (sharpness == sharp).mean() < 0.8


def test_occluder_covers_a_part():
    covered = [(changed(k, occluder=1.0) != portrait()).any(axis=2).mean() for k in range(20)]
    assert all(0.01 < share < 0.7 for share in covered)


def test_hidden_landmarks_stay_where_they_are():
    face = listed(1).list[0]
    visible = np.arange(21) % 3 > 0
    points = np.where(visible[:, None], face.landmarks, np.nan)
    made = augment(
        dataclasses.replace(face, landmarks=points, visible=visible),
        np.eye(2, 3),
        SIZE,
        "aflw21",
        dataclasses.replace(NOTHING, mirror=1.0),
        Draws(0),
    )
    assert (made.visible == visible[list(SWAPS["aflw21"])]).all()
    assert np.isfinite(made.landmarks).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rotation": -1.0}, r"augmentation\.rotation must lie in 0\.\.180; got -1"),
        ({"mirror": 1.5}, r"augmentation\.mirror must lie in 0\.\.1; got 1\.5"),
        ({"blur": math.nan}, r"augmentation\.blur must lie in 0\.\.10; got nan"),
        ({"shift": 0.7}, r"augmentation\.shift must lie in 0\.\.0\.5"),
    ],
)
def test_config_rejects(fields, message):
    with pytest.raises(ValueError, match=message):
        AugmentationConfig(**fields)
