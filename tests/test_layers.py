"""The layers: each by hand, chained by hand against the fused whole, and what nn.Module promises."""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stn3dmm_cuda import reference
from stn3dmm_cuda.layers import (
    BilinearSampler,
    Grid,
    LogScaleToScale,
    MorphableModelLayer,
    OrthographicProjection,
    Scale2D,
    Selection,
    SpatialTransformer3DMM,
    Translation2D,
    Visibility,
)

from .backends import Backend

P, Q, K = 7, 8, 3
H, W = 11, 13


def small_model(seed: int = 0) -> SimpleNamespace:
    """A half cylinder with a nose on a 7 x 8 grid: what the layers ask of a model, and nothing more."""
    chance = np.random.default_rng(seed)
    v, u = np.meshgrid(np.linspace(1, -1, P), np.linspace(-1, 1, Q), indexing="ij")
    nose = 4 * np.exp(-8 * (u**2 + v**2))
    mean = np.stack((5 * np.sin(1.5 * u), 4 * v, 5 * np.cos(1.5 * u) + nose), axis=-1).reshape(-1, 3)
    return SimpleNamespace(
        mean=mean.astype(np.float32),
        basis=(0.2 * chance.standard_normal((K, P * Q, 3))).astype(np.float32),
        grid_shape=(P, Q),
        valid=np.arange(P * Q) % 5 != 0,
        landmarks={"aflw21": np.array([3, -1, 20]), "ibug68": np.array([0, 55])},
    )


def inputs(backend: Backend) -> tuple[torch.Tensor, torch.Tensor]:
    """Image (2, 2, 11, 13), theta (2, 9): turned, and partly outside the image."""
    generator = torch.Generator().manual_seed(1)
    turn_and_place = torch.tensor([[0.1, 0.9, 0.0, 5.9, 5.0, 0.1], [-0.3, -0.7, 0.2, 6.3, 4.8, 0.1]])
    theta = torch.cat((turn_and_place, torch.randn(2, K, generator=generator)), dim=1)
    image = torch.rand(2, 2, H, W, generator=generator)
    return image.to(backend.device, torch.float64), theta.to(backend.device, torch.float64)


def chained(
    backend: Backend, model: SimpleNamespace, visibility: str, image: torch.Tensor, theta: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """texture, mask and landmarks by the fine-grained layers."""
    layers = backend.operators.layers
    alpha, r, translation, log_scale = theta[:, 6:], theta[:, :3], theta[:, 3:5], theta[:, 5]
    vertices = layers.MorphableModelLayer(model).to(theta)(alpha)
    turned = layers.Rotation3D()(vertices, layers.AxisAngleToRotation()(r))
    scaled = layers.Scale2D()(layers.OrthographicProjection()(turned), layers.LogScaleToScale()(log_scale))
    points = layers.Translation2D()(scaled, translation)
    texture = layers.BilinearSampler((P, Q))(image, points)
    mask = layers.Visibility((P, Q), (H, W), model.valid, mode=visibility).to(theta.device)(points)
    return texture, mask, layers.Selection(model.landmarks["aflw21"]).to(theta.device)(points)


def transformer(backend: Backend, *arguments: Any, **options: Any) -> Any:
    """The backend's SpatialTransformer3DMM in float64, on its device."""
    return backend.operators.layers.SpatialTransformer3DMM(*arguments, **options).to(backend.device, torch.float64)


@pytest.mark.parametrize("visibility", ["hard", "soft"])
def test_layers_chain_to_the_fused_whole(backend: Backend, visibility: str) -> None:
    """Values and the gradients to image and theta."""
    model = small_model()
    fused = transformer(backend, model, visibility, landmarks="aflw21")
    results = []
    for run in (fused, lambda image, theta: chained(backend, model, visibility, image, theta)):
        image, theta = (tensor.requires_grad_() for tensor in inputs(backend))
        texture, mask, landmarks = run(image, theta)
        loss = (
            backend.operators.layers.Masking()(texture, mask).square().sum()
            + landmarks[:, [0, 2]].square().sum()
            + texture.sum()
        )
        results.append((texture, mask, landmarks, *torch.autograd.grad(loss, (image, theta))))
    assert 0.1 < results[0][1].mean() < 0.9
    for whole, parts in zip(*results, strict=True):
        torch.testing.assert_close(whole, parts, equal_nan=True)


def test_rotation_layers_by_hand(backend: Backend) -> None:
    """A quarter turn about y brings the viewer's side, +z, to the image's right."""
    layers, device = backend.operators.layers, backend.device
    rotation = layers.AxisAngleToRotation()(torch.tensor([[0.0, math.pi / 2, 0.0]], device=device))
    turned = layers.Rotation3D()(torch.tensor([[[0.0, 5.0, 1.0], [1.0, 0.0, 0.0]]], device=device), rotation)
    torch.testing.assert_close(turned.cpu(), torch.tensor([[[1.0, 5.0, 0.0], [0.0, 0.0, -1.0]]]), rtol=0, atol=1e-6)


def test_projection_layers_by_hand() -> None:
    """y is flipped once, the scale takes the depth along, the translation does not."""
    flipped = OrthographicProjection()(torch.tensor([[[1.0, 2.0, 3.0]]]))
    assert flipped.tolist() == [[[1.0, -2.0, 3.0]]]
    scaled = Scale2D()(flipped, LogScaleToScale()(torch.zeros(1)) * 2)
    assert scaled.tolist() == [[[2.0, -4.0, 6.0]]]
    assert Translation2D()(scaled, torch.tensor([[10.0, 20.0]])).tolist() == [[[12.0, 16.0, 6.0]]]


def test_log_scale_layer_is_natural() -> None:
    assert LogScaleToScale()(torch.tensor([math.log(3.0)])).item() == pytest.approx(3.0)


def test_grid_layer_serves_grid_sample(backend: Backend) -> None:
    layers = backend.operators.layers
    image, theta = inputs(backend)
    vertices = layers.MorphableModelLayer(small_model()).to(theta)(theta[:, 6:])
    points = layers.Translation2D()(layers.OrthographicProjection()(vertices), theta[:, 3:5])
    grid = layers.Grid((P, Q), (H, W))(points)
    assert grid.shape == (2, P, Q, 2)
    expected = layers.BilinearSampler((P, Q))(image, points)
    assert expected.any()
    torch.testing.assert_close(F.grid_sample(image, grid, align_corners=True), expected)


def test_visibility_layer_factors(backend: Backend) -> None:
    """A frontal sheet of columns x = 0, 1, 2, 3: all of it seen, then inside the image, then valid."""
    Visibility, device = backend.operators.layers.Visibility, backend.device
    points = torch.tensor([[[float(x), float(y), 0.0] for y in range(2) for x in range(4)]], device=device)
    assert Visibility((2, 4))(points).tolist() == [[[[1.0] * 4] * 2]]
    assert Visibility((2, 4), (2, 3))(points).tolist() == [[[[1.0, 1.0, 1.0, 0.0]] * 2]]
    assert Visibility((2, 4), (1, 3))(points).tolist() == [[[[1.0, 1.0, 1.0, 0.0], [0.0] * 4]]]
    valid = [True, False] * 4
    assert Visibility((2, 4), (2, 3), valid).to(device)(points).tolist() == [[[[1.0, 0.0, 1.0, 0.0]] * 2]]
    away = points * torch.tensor([-1.0, 1.0, 1.0], device=device)
    assert not Visibility((2, 4))(away).any()


def test_visibility_layer_passes_its_options_on(backend: Backend) -> None:
    """A strip folded back under itself at x = 2, 4 pixels behind: sigmoid((-4 + tolerance) / temperature)."""
    Visibility = backend.operators.layers.Visibility
    x, z = torch.tensor([0.0, 2.0, 4.0, 3.5, 0.5, 1.0, 3.0]), torch.tensor([4.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0])
    points = torch.stack([torch.stack((x, torch.full_like(x, y), z), dim=-1) for y in (0.0, 1.0)])
    points = points.reshape(1, -1, 3).to(backend.device)
    soft = Visibility((2, 7), mode="soft", tolerance=1.0, temperature=2.0)(points)
    assert soft[0, 0, 0, 6].item() == pytest.approx(1 / (1 + math.exp(1.5)))
    assert Visibility((2, 7))(points)[0, 0, 0, 6] == 0
    assert Visibility((2, 7), tolerance=5.0)(points)[0, 0, 0, 6] == 1


def test_selection_layer_by_hand() -> None:
    """-1 names no vertex: NaN, and no gradient."""
    points = torch.arange(12.0).reshape(1, 4, 3).requires_grad_()
    chosen = Selection([2, -1, 0])(points)
    assert chosen[0, [0, 2]].tolist() == [[6.0, 7.0], [0.0, 1.0]]
    assert chosen[0, 1].isnan().all()
    (grad,) = torch.autograd.grad(chosen[0, [0, 1]].sum(), points)
    assert grad.tolist() == [[[0.0] * 3, [0.0] * 3, [1.0, 1.0, 0.0], [0.0] * 3]]


@pytest.mark.parametrize("visibility", ["hard", "soft", "none"])
def test_spatial_transformer_modes_differ(backend: Backend, visibility: str) -> None:
    image, theta = inputs(backend)
    mask = transformer(backend, small_model(), visibility)(image, theta).mask
    assert mask.shape == (2, 1, P, Q)
    assert mask.reshape(2, -1)[:, ::5].count_nonzero() == 0
    fractions = ((mask > 0) & (mask < 1)).any()
    assert bool(fractions) == (visibility == "soft")
    if visibility == "none":
        hard = transformer(backend, small_model())(image, theta).mask
        assert (mask >= hard).all()
        assert mask.sum() > hard.sum()


@pytest.mark.parametrize(("visibility", "options"), [("hard", {"tolerance": 50.0}), ("soft", {"temperature": 0.2})])
def test_spatial_transformer_passes_its_options_on(backend: Backend, visibility: str, options: dict[str, Any]) -> None:
    image, theta = inputs(backend)
    model = small_model()
    mask = transformer(backend, model, visibility, **options)(image, theta).mask
    mean, basis = (torch.tensor(array).to(theta) for array in (model.mean, model.basis))
    valid = torch.tensor(model.valid, device=backend.device)
    expected = reference.warp(image, theta, mean, basis, (P, Q), visibility=visibility, valid=valid, **options).mask
    usual = reference.warp(image, theta, mean, basis, (P, Q), visibility=visibility, valid=valid).mask
    assert not torch.allclose(expected, usual)
    torch.testing.assert_close(mask, expected)


def test_spatial_transformer_selects_landmarks(backend: Backend) -> None:
    image, theta = inputs(backend)
    assert transformer(backend, small_model())(image, theta).landmarks.shape == (2, 0, 2)
    named = transformer(backend, small_model(), landmarks="aflw21")(image, theta).landmarks
    assert named.isnan().all(dim=-1).tolist() == [[False, True, False]] * 2


def test_layers_have_no_parameters() -> None:
    """mean and basis are constants: an optimiser finds nothing to move."""
    for layer in (SpatialTransformer3DMM(small_model()), MorphableModelLayer(small_model())):
        assert list(layer.parameters()) == []
        assert not any(buffer.requires_grad for buffer in layer.buffers())


def test_layers_state_dict_round_trip(backend: Backend) -> None:
    image, theta = inputs(backend)
    saved = transformer(backend, small_model(), landmarks="aflw21")
    other = transformer(backend, small_model(seed=1), landmarks="aflw21")
    assert not torch.equal(saved(image, theta).texture, other(image, theta).texture)
    assert set(saved.state_dict()) == {"mean", "basis", "valid", "landmark_indices"}
    other.load_state_dict(saved.state_dict())
    for first, second in zip(saved(image, theta), other(image, theta), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)


def test_layers_move_as_one() -> None:
    """Dtype and device changes reach every buffer; indices and flags keep their dtypes."""
    chain = nn.ModuleList(
        [
            SpatialTransformer3DMM(small_model(), landmarks="ibug68"),
            MorphableModelLayer(small_model()),
            Visibility((P, Q), (H, W), small_model().valid),
            Selection([1, 2]),
        ]
    )
    dtypes = {name: buffer.dtype for name, buffer in chain.double().named_buffers()}
    assert dtypes["0.mean"] == dtypes["0.basis"] == dtypes["1.mean"] == torch.float64
    assert dtypes["0.valid"] == dtypes["2.valid"] == torch.bool
    assert dtypes["0.landmark_indices"] == dtypes["3.indices"] == torch.int64
    assert len(dtypes) == 8
    moved = copy.deepcopy(chain).to("meta")
    assert all(buffer.device.type == "meta" for buffer in moved.buffers())


def test_layers_keep_copies_of_the_model() -> None:
    model = small_model()
    layer = MorphableModelLayer(model)
    before = layer.mean.clone()
    model.mean += 1
    assert torch.equal(layer.mean, before)
    tensors = SimpleNamespace(**{**vars(model), "mean": before, "basis": torch.zeros(0, P * Q, 3)})
    assert SpatialTransformer3DMM(tensors).mean.data_ptr() != before.data_ptr()


def test_layers_say_what_they_are() -> None:
    model = small_model()
    assert repr(MorphableModelLayer(model)) == "MorphableModelLayer(vertices=56, modes=3)"
    assert repr(Grid((P, Q), (H, W))) == "Grid(grid_shape=(7, 8), image_size=(11, 13))"
    assert repr(BilinearSampler((P, Q))) == "BilinearSampler(grid_shape=(7, 8))"
    assert repr(Selection([1, 2])) == "Selection(landmarks=2)"
    assert "mode='soft'" in repr(Visibility((P, Q), mode="soft"))
    whole = repr(SpatialTransformer3DMM(model, "soft", landmarks="ibug68", temperature=2.0))
    for part in ("grid_shape=(7, 8)", "modes=3", "visibility='soft'", "landmarks='ibug68'", "temperature=2.0"):
        assert part in whole


def test_layers_reject_bad_arguments() -> None:
    model = small_model()
    with pytest.raises(ValueError, match="landmarks of this model must be one of 'aflw21', 'ibug68'; got 'ibug'"):
        SpatialTransformer3DMM(model, landmarks="ibug")
    with pytest.raises(ValueError, match="visibility must be one of 'hard', 'soft', 'none'; got 'normal'"):
        SpatialTransformer3DMM(model, "normal")
    with pytest.raises(ValueError, match="Visibility: mode must be one of 'hard', 'soft'; got 'none'"):
        Visibility((P, Q), mode="none")
    model.grid_shape = (Q, Q)
    with pytest.raises(
        ValueError, match=r"SpatialTransformer3DMM: mean must be \(N, 3\) with N = 64 as in grid_shape; got \(56, 3\)"
    ):
        SpatialTransformer3DMM(model)
