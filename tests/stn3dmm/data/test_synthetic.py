"""Synthetic faces: what is said about an image is true of it, and it depends on seed and index alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from stn3dmm.angles import head_angles
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces, SyntheticSamples
from stn3dmm.data.synthetic.__main__ import main
from stn3dmm.data.synthetic.sheet import sheet
from stn3dmm.fitted_face import posed_points
from torch.utils.data import DataLoader

import stn3dmm_cuda

# Nothing but the face: no hair, no glasses, nothing before it, no camera.
BARE = SyntheticConfig(hair=0.0, glasses=0.0, occluder=0.0, camera=False)
SMALL = SyntheticConfig(image_size=(64, 80))


@pytest.fixture(scope="module")
def samples() -> SyntheticSamples:
    """Twelve images of the default configuration."""
    return SyntheticFaces(seed=7).batch(range(12))


def tensors(samples: SyntheticSamples) -> list[torch.Tensor]:
    return [one for part in samples for one in (part.values() if isinstance(part, dict) else [part])]


def assert_equal(a: SyntheticSamples, b: SyntheticSamples) -> None:
    for one, other in zip(tensors(a), tensors(b), strict=True):
        assert torch.equal(one, other)


# --- the truth --------------------------------------------------------------------------------------------------------


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


# --- the draws --------------------------------------------------------------------------------------------------------


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


def test_an_image_depends_on_seed_and_index_alone(samples):
    """In any batch, in any order, after anything, alone, with one thread or all: the same bits."""
    faces = SyntheticFaces(seed=7)
    mixed = [11, 3, 0]
    assert_equal(faces.batch(mixed), SyntheticSamples._make(_rows(part, mixed) for part in samples))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = faces[5]
        torch.set_num_threads(max(threads, 2))
        assert_equal(alone, faces[5])
    finally:
        torch.set_num_threads(threads)
    assert_equal(alone, SyntheticSamples._make(_rows(part, 5) for part in samples))


def _rows(part, index):
    return {name: one[index] for name, one in part.items()} if isinstance(part, dict) else part[index]


def test_data_loader_with_workers_gives_the_same_images():
    faces = SyntheticFaces(dataclasses.replace(SMALL, length=10), seed=3)
    expected = faces.batch(range(10))
    for workers in (0, 2):
        batches = list(DataLoader(faces, batch_size=4, num_workers=workers))
        assert [len(batch.image) for batch in batches] == [4, 4, 2]
        assert torch.equal(torch.cat([batch.image for batch in batches]), expected.image)
        assert torch.equal(torch.cat([batch.visible["ibug68"] for batch in batches]), expected.visible["ibug68"])


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


def test_loops_end_and_batches_reach_further():
    faces = SyntheticFaces(dataclasses.replace(SMALL, length=2), seed=0)
    assert len(faces) == 2
    assert len([sample.image.shape for sample in faces]) == 2
    with pytest.raises(IndexError, match=r"0\.\.1; got 2"):
        faces[2]
    assert faces.batch([10**12]).image.shape == (1, 3, 64, 80)


def test_other_sizes_work():
    config = SyntheticConfig(image_size=(600, 40), grid_shape=(48, 57), samples=4)
    samples = SyntheticFaces(config, seed=0).batch([0, 1])
    assert samples.image.shape == (2, 3, 600, 40)
    assert samples.texture.shape == (2, 3, 48, 57)


def test_sheet(tmp_path):
    faces = SyntheticFaces(SMALL, seed=0)
    plain = sheet(faces, 3, 2)
    assert plain.shape == (2 * 64, 3 * 80, 3)
    assert np.array_equal(plain[:64, :80], (faces[0].image.permute(1, 2, 0) * 255).round().byte().numpy())
    assert sheet(faces, 1, 1, truth=True).shape == (128, 160 + 128, 3)
    with pytest.raises(ValueError, match="columns and rows must be 1 or more"):
        sheet(faces, 0, 2)


def test_sheet_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "new" / "faces.png"
    main(["--sheet", str(path), "--columns", "2", "--rows", "1", "--views", "2"])
    with Image.open(path) as picture:
        assert picture.size == (448, 224)
    for arguments in (["--sheet", "faces.bmp"], ["--sheet", str(path), "--rows", "0"], []):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "rows must be 1 or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": (-224, 224)}, "image_size must be at least 16 x 16"),
        ({"image_size": (224.0, 224)}, "image_size must be two whole numbers"),
        ({"image_size": 224}, "image_size must be two whole numbers"),
        ({"grid_shape": (8, 8)}, "grid_shape must be at least 32 x 32"),
        ({"length": 0}, "length must be a whole number of 1 or more"),
        ({"views_per_identity": 0}, "views_per_identity must be"),
        ({"samples": 3}, "samples must be 1, 2 or 4"),
        ({"yaw": (10.0, -10.0)}, "yaw must be"),
        ({"yaw": (-200.0, 0.0)}, "yaw must be"),
        ({"pitch": (float("nan"), 0.0)}, "pitch must be"),
        ({"face_size": (0.0, 0.5)}, "face_size must be"),
        ({"blur": 1.0}, "blur must be"),
        ({"hair": 1.5}, "hair must be a probability"),
        ({"occluder": -0.1}, "occluder must be a probability"),
        ({"identity_deviation": -1.0}, "identity_deviation must be finite"),
        ({"expression_deviation": float("inf")}, "expression_deviation must be finite"),
        ({"largest_coefficient": 0.01}, "rejects nearly every draw"),
    ],
)
def test_rejects_configurations(fields, message):
    with pytest.raises(ValueError, match=f"SyntheticConfig: .*{message}"):
        SyntheticConfig(**fields)


def test_rejects_arguments():
    faces = SyntheticFaces(SMALL)
    with pytest.raises(ValueError, match="seed must be 0 or more; got -1"):
        SyntheticFaces(SMALL, seed=-1)
    with pytest.raises(ValueError, match="no indices"):
        faces.batch([])
    with pytest.raises(ValueError, match="indices must be 0 or more; got -2"):
        faces.batch([0, -2])
    with pytest.raises(TypeError):
        faces.batch([0.5])
    with pytest.raises(ValueError, match="count must be 1 or more; got 0"):
        faces.views(0, 0)
    with pytest.raises(ValueError, match="identity must be 0 or more"):
        faces.views(-1, 1)
    with pytest.raises(IndexError, match="-1"):
        faces[-1]
