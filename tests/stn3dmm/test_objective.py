"""The objective: terms, weights, schedules and pairs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import stn3dmm
import torch
from stn3dmm.objective import Objective, ObjectiveConfig, Pairs, weight_at

import stn3dmm_cuda.reference
from stn3dmm_cuda import losses

EVERYTHING = ObjectiveConfig(landmark=1.0, prior=0.02, symmetry=20.0, siamese=20.0, anchor=0.5)


@pytest.fixture(scope="module")
def small() -> stn3dmm.MorphableModel:
    return stn3dmm.embedded_model((40, 40))


def faces(model: stn3dmm.MorphableModel, B: int = 4, dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    """Smooth images and faces turned this way and that, on the image."""
    generator = torch.Generator().manual_seed(5)
    theta = torch.randn(B, 6 + model.mode_count, generator=generator, dtype=dtype) * 0.3
    theta[:, 3:5] = 31.5 + theta[:, 3:5]
    theta[:, 5] = -1.35 + 0.1 * theta[:, 5]
    image = torch.nn.functional.interpolate(
        torch.rand(B, 3, 9, 9, generator=generator, dtype=dtype), size=(64, 64), mode="bicubic", align_corners=True
    )
    landmarks = torch.rand(B, 68, 2, generator=generator, dtype=dtype) * 63
    visible = (torch.rand(B, 68, generator=generator) < 0.7).to(dtype)
    anchor = theta + 0.05 * torch.randn(theta.shape, generator=generator, dtype=dtype)
    return {"theta": theta, "image": image.clamp(0, 1), "landmarks": landmarks, "visible": visible, "anchor": anchor}


def pairs_of(B: int, mirrored: bool = False) -> Pairs:
    first = torch.arange(B // 2)
    return Pairs(first, first + B // 2, torch.ones(B // 2), torch.full((B // 2,), mirrored))


def test_objective_total_is_the_weighted_sum(small: stn3dmm.MorphableModel) -> None:
    terms = Objective(small, EVERYTHING, "ibug68").double()(**faces(small), pairs=pairs_of(4))
    expected = terms.landmark + 0.02 * terms.prior + 20 * terms.symmetry + 20 * terms.siamese + 0.5 * terms.anchor
    torch.testing.assert_close(terms.total, expected)
    assert min(float(term) for term in terms) > 0


def test_objective_terms_are_the_losses_of_the_warp(small: stn3dmm.MorphableModel) -> None:
    batch = faces(small)
    objective = Objective(small, EVERYTHING, "ibug68").double()
    terms = objective(**batch, pairs=pairs_of(4))
    warped = objective.flattened(batch["image"], batch["theta"])
    torch.testing.assert_close(terms.symmetry, losses.symmetry_loss(warped.texture, warped.mask))
    torch.testing.assert_close(terms.prior, losses.prior_loss(batch["theta"][:, 6:]))
    torch.testing.assert_close(
        terms.landmark, losses.landmark_loss(warped.landmarks, batch["landmarks"], batch["visible"])
    )
    halves = [half for part in (warped.texture, warped.mask) for half in part.chunk(2)]
    torch.testing.assert_close(terms.siamese, losses.siamese_loss(halves[0], halves[2], halves[1], halves[3]))


def test_objective_landmarks_alone_are_those_of_the_warp(small: stn3dmm.MorphableModel) -> None:
    batch = faces(small)
    alone = Objective(small, ObjectiveConfig(prior=0.0), "ibug68").double()(**batch)
    everything = Objective(small, EVERYTHING, "ibug68").double()(**batch, pairs=pairs_of(4))
    torch.testing.assert_close(alone.total, everything.landmark)
    assert all(torch.isnan(term) for term in (alone.prior, alone.symmetry, alone.siamese, alone.anchor))


def test_objective_works_without_landmarks(small: stn3dmm.MorphableModel) -> None:
    batch = faces(small)
    batch["landmarks"], batch["visible"] = torch.full_like(batch["landmarks"], torch.nan), torch.zeros(4, 68)
    config = dataclasses.replace(EVERYTHING, landmark=0.0)
    theta = batch["theta"].requires_grad_()
    terms = Objective(small, config, None).double()(**batch, pairs=pairs_of(4))
    terms.total.backward()
    assert torch.isnan(terms.landmark)
    assert theta.grad is not None
    assert torch.isfinite(theta.grad).all()
    assert (theta.grad[:, :6] != 0).all()


def test_objective_leaves_out_landmarks_that_the_model_lacks(small: stn3dmm.MorphableModel) -> None:
    indices = small.landmarks["ibug68"].copy()
    indices[:50] = -1
    lacking = dataclasses.replace(small, landmarks={"ibug68": indices})
    batch = faces(small)
    terms = Objective(lacking, ObjectiveConfig(prior=0.0), "ibug68").double()(**batch)
    batch["visible"] = batch["visible"] * (torch.arange(68) >= 50)
    torch.testing.assert_close(
        terms.total, Objective(small, ObjectiveConfig(prior=0.0), "ibug68").double()(**batch).total
    )


def test_objective_gradients_match_reference(small: stn3dmm.MorphableModel) -> None:
    for visibility in ("hard", "soft", "none"):
        config = dataclasses.replace(EVERYTHING, visibility=visibility)
        gradients = []
        for operators in (stn3dmm_cuda, stn3dmm_cuda.reference):
            batch = faces(small)
            theta = batch["theta"].requires_grad_()
            objective = Objective(small, config, "ibug68", operators).double()
            objective(**batch, pairs=pairs_of(4)).total.backward()
            gradients.append(theta.grad)
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-8, atol=1e-8 * float(gradients[1].abs().max()))


def test_objective_anchor_by_hand(small: stn3dmm.MorphableModel) -> None:
    """Moved by (3, 4) pixels and 25 squared everywhere; its gradient is twice the shift, shared out over the images."""
    batch = faces(small)
    batch["anchor"] = batch["theta"] - torch.tensor([0, 0, 0, 3, 4, 0] + [0] * small.mode_count)
    theta, anchor = batch["theta"].requires_grad_(), batch["anchor"].requires_grad_()
    config = ObjectiveConfig(landmark=0.0, prior=0.0, anchor=0.02)
    terms = Objective(small, config, None).double()(**batch)
    terms.total.backward()
    assert terms.anchor.item() == pytest.approx(25, rel=1e-9)
    assert terms.total.item() == pytest.approx(0.5, rel=1e-9)
    assert theta.grad is not None
    torch.testing.assert_close(theta.grad[:, 3:5], 0.02 / 4 * theta.new_tensor([[6, 8]]).expand(4, 2))
    assert anchor.grad is None


def test_objective_anchor_of_every_parameter_matches_arithmetic(small: stn3dmm.MorphableModel) -> None:
    batch = faces(small)
    theta = batch["theta"].requires_grad_()
    objective = Objective(small, ObjectiveConfig(landmark=0.0, prior=0.0, anchor=1.0), None).double()
    (gradient,) = torch.autograd.grad(objective(**batch).anchor, theta)
    places = [objective.points(value)[:, objective.anchored, :2] for value in (theta, batch["anchor"])]
    expected = sum((p - q).square().sum() for p, q in zip(*places, strict=True)) / (4 * len(objective.anchored))
    torch.testing.assert_close(objective(**batch).anchor, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, theta)[0])
    assert (gradient != 0).all()


def test_objective_anchor_compares_valid_vertices_all_over_the_mesh(small: stn3dmm.MorphableModel) -> None:
    valid = small.valid.copy()
    valid[: len(valid) // 4] = False
    anchored = Objective(dataclasses.replace(small, valid=valid), EVERYTHING, "ibug68").anchored.numpy()
    assert len(set(anchored)) == 100
    assert valid[anchored].all()
    distances = np.linalg.norm(small.mean[valid][:, None] - small.mean[anchored], axis=2).min(axis=1)
    assert distances.max() < np.ptp(small.mean[valid], axis=0).max() / 8  # no vertex is far from all of them


def test_objective_anchor_takes_all_vertices_of_a_small_mesh(small: stn3dmm.MorphableModel) -> None:
    valid = np.zeros_like(small.valid)
    valid[5:12] = True
    few = Objective(dataclasses.replace(small, valid=valid), EVERYTHING, "ibug68")
    assert sorted(few.anchored.tolist()) == list(range(5, 12))


def test_objective_pairs_without_weight_count_zero(small: stn3dmm.MorphableModel) -> None:
    objective = Objective(small, dataclasses.replace(EVERYTHING, symmetry=0.0), "ibug68").double()
    both = objective(**faces(small), pairs=pairs_of(4))
    one = objective(**faces(small), pairs=pairs_of(4)._replace(weight=torch.tensor([1.0, 0.0])))
    other = objective(**faces(small), pairs=pairs_of(4)._replace(weight=torch.tensor([0.0, 1.0])))
    torch.testing.assert_close(both.siamese, one.siamese + other.siamese)


def test_objective_flips_mirror_images_alone(small: stn3dmm.MorphableModel) -> None:
    """An image and its mirror image, each under the same fit seen in the mirror, agree exactly when flipped."""
    batch = {name: value[:1] for name, value in faces(small).items()}
    frontal = torch.zeros(1, 6 + small.mode_count, dtype=torch.float64)
    frontal[:, 3:6] = torch.tensor([31.5, 31.5, -1.35])
    twice = {name: torch.cat([value, value]) for name, value in batch.items()}
    twice["theta"] = torch.cat([frontal, frontal])
    twice["image"] = torch.cat([batch["image"], batch["image"].flip(-1)])
    config = ObjectiveConfig(landmark=0.0, prior=0.0, siamese=1.0, siamese_flipped=True, visibility="none")
    objective = Objective(small, config, "ibug68").double()
    symmetric = np.abs(small.mean.reshape(40, 40, 3)[:, ::-1, 0] + small.mean.reshape(40, 40, 3)[..., 0]).max()
    assert symmetric < 1e-3  # the mean face is its own mirror image
    assert float(objective(**twice, pairs=pairs_of(2, mirrored=True)).siamese) < 1e-6
    assert float(objective(**twice, pairs=pairs_of(2, mirrored=False)).siamese) > 1e-3


@pytest.mark.parametrize(
    ("weight", "progress", "expected"),
    [
        (3.0, 0.5, 3.0),
        (((0.2, 1.0), (0.4, 5.0)), 0.0, 1.0),
        (((0.2, 1.0), (0.4, 5.0)), 0.2, 1.0),
        (((0.2, 1.0), (0.4, 5.0)), 0.25, 2.0),
        (((0.2, 1.0), (0.4, 5.0)), 0.4, 5.0),
        (((0.2, 1.0), (0.4, 5.0)), 1.0, 5.0),
    ],
)
def test_weight_at_by_hand(weight: float | tuple[tuple[float, float], ...], progress: float, expected: float) -> None:
    assert weight_at(weight, progress) == pytest.approx(expected, abs=1e-12)


def test_objective_schedule_brings_losses_in(small: stn3dmm.MorphableModel) -> None:
    config = dataclasses.replace(EVERYTHING, symmetry=((0.5, 0.0), (1.0, 8.0)), siamese=0.0)
    objective = Objective(small, config, "ibug68").double()
    early, late = (objective(**faces(small), progress=progress) for progress in (0.5, 0.75))
    assert torch.isnan(early.symmetry)
    torch.testing.assert_close(late.total, early.total + 4 * late.symmetry)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"visibility": "perhaps"}, "objective.visibility must be one of hard, soft, none"),
        ({"symmetry": -1.0}, "objective.symmetry: weights must be finite and 0 or more"),
        ({"landmark": float("nan")}, "objective.landmark: weights must be finite"),
        ({"siamese": ()}, "objective.siamese has no points"),
        ({"siamese": ((0.5, 1.0), (0.5, 2.0))}, "progress must rise"),
        ({"siamese": ((0.5, 1.0), (1.5, 2.0))}, "within 0..1"),
        ({"temperature": 0.0}, "objective.temperature must be"),
    ],
)
def test_objective_config_rejects(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(EVERYTHING, **changes)


def test_objective_rejects_landmarks_without_a_set(small: stn3dmm.MorphableModel) -> None:
    with pytest.raises(ValueError, match=r"a landmark loss needs a landmark set; set objective\.landmark = 0"):
        Objective(small, EVERYTHING, None)
