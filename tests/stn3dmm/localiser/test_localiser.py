"""Localisers of every kind: what they accept, that they learn, that they can be saved and shared out."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from stn3dmm.localiser import (
    CompactTrunk,
    LocaliserConfig,
    VggFaceTrunk,
    build_localiser,
    wrap,
)
from torch import nn

SIZE = (72, 80)
SMALL = LocaliserConfig(width=0.25)


def small_vgg(embedded, **options):
    trunk = VggFaceTrunk(widths=(4, 4, 8, 8, 8), hidden=16)
    return wrap(trunk, trunk.features, embedded, SIZE, **options)


def localisers(embedded):
    return {"compact": build_localiser(SMALL, embedded, SIZE), "vgg-face": small_vgg(embedded)}


@pytest.fixture(params=["compact", "vgg-face"])
def localiser(request, embedded):
    return localisers(embedded)[request.param]


def stirred(localiser):
    """With a head that no longer answers its offset alone."""
    nn.init.normal_(localiser.head.linear.weight, std=0.3)
    return localiser


def test_all_parameters_get_gradients(localiser):
    theta = stirred(localiser)(torch.rand(2, 3, *SIZE))
    theta.sum().backward()
    for name, parameter in localiser.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_images_are_independent(localiser):
    """Two processes with one image each must do what one does with both: nothing is normalised over the batch."""
    localiser = stirred(localiser.double())
    images = torch.rand(2, 3, *SIZE, dtype=torch.float64)
    both = localiser(images)
    alone = torch.cat([localiser(images[:1]), localiser(images[1:])])
    assert both.dtype == torch.float64
    torch.testing.assert_close(both, alone, rtol=1e-12, atol=1e-12)
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in localiser.modules())


def test_state_dict_round_trip(localiser, embedded, tmp_path, request):
    image = torch.rand(1, 3, *SIZE)
    before = stirred(localiser)(image)
    torch.save(localiser.state_dict(), tmp_path / "state.pt")
    kind = "vgg-face" if isinstance(localiser.trunk, VggFaceTrunk) else "compact"
    other = localisers(embedded)[kind]
    assert not torch.equal(other(image), before)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(other(image), before)


def test_the_seed_decides(embedded):
    thetas = []
    for _ in range(2):
        torch.manual_seed(5)
        thetas.append(stirred(build_localiser(SMALL, embedded, SIZE))(torch.ones(1, 3, *SIZE)))
    assert torch.equal(*thetas)


def test_single_and_double_precision_agree(localiser):
    image = torch.rand(2, 3, *SIZE, dtype=torch.float64)
    single = stirred(localiser)(image)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), localiser.double()(image), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("image_size", [(64, 64), (65, 127), (112, 112)])
def test_any_image_size_tells_places(embedded, image_size):
    """The features of a bright patch depend on where it lies, not only on its being there."""
    torch.manual_seed(0)
    trunk = CompactTrunk(0.25)
    images = torch.zeros(2, 3, *image_size)
    images[0, :, 10:20, 10:20] = 1
    images[1, :, 40:50, 40:50] = 1
    features = trunk(images)
    assert features.shape == (2, trunk.features)
    assert (features[0] - features[1]).abs().max() > 0.05 * features.abs().max()


def test_frozen_trunk_stays_as_it_is(embedded):
    trunk = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 5))
    localiser = wrap(trunk, 5, embedded, SIZE, frozen_trunk=True).train()
    theta = stirred(localiser)(torch.rand(2, 3, *SIZE))
    theta.sum().backward()
    assert localiser.head.training
    assert not any(module.training for module in localiser.trunk.modules())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in trunk.parameters())
    assert localiser.head.linear.weight.grad.any()
    with torch.no_grad():
        assert not localiser(torch.rand(1, 3, *SIZE)).requires_grad


def test_vgg_face_in_two_parts(embedded):
    """What is computed once, and the rest, make the whole."""
    trunk = small_vgg(embedded).trunk
    image = torch.rand(2, 3, *SIZE)
    grid = trunk.convolve(image)
    assert grid.shape == (2, 8, 7, 7)
    assert torch.equal(trunk.connect(grid), trunk(image))


def test_dropout_in_training_alone(embedded):
    images = torch.rand(1, 3, *SIZE)
    for trunk in (CompactTrunk(0.25, dropout=0.5), VggFaceTrunk(0.5, widths=(2, 2, 2, 2, 2), hidden=16)):
        assert not torch.equal(trunk(images), trunk(images))
        trunk.eval()
        assert torch.equal(trunk(images), trunk(images))


def test_width_scales_the_compact_network():
    sizes = [sum(p.numel() for p in CompactTrunk(width).parameters()) for width in (0.1, 0.5, 1.0, 2.0)]
    assert sizes == sorted(sizes)
    assert sizes[3] > 3 * sizes[2]


def test_compact_weights_from_trunk_and_localiser(embedded, tmp_path):
    first = stirred(build_localiser(SMALL, embedded, SIZE))
    image = torch.rand(1, 3, *SIZE)
    torch.save(first.trunk.state_dict(), tmp_path / "trunk.pt")
    torch.save({"state_dict": first.state_dict()}, tmp_path / "localiser.pt")
    for name in ("trunk.pt", "localiser.pt"):
        config = dataclasses.replace(SMALL, weights=str(tmp_path / name))
        assert torch.equal(build_localiser(config, embedded, SIZE).trunk(image), first.trunk(image))
    with pytest.raises(ValueError, match=r"not the weights of a compact localiser: .* must be"):
        build_localiser(dataclasses.replace(config, width=0.5), embedded, SIZE)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (torch.zeros(1, 3, 80, 72), ValueError, "must be 72 x 80 pixels .* got 80 x 72"),
        (torch.zeros(1, 1, *SIZE), ValueError, r"must be \(B, 3, 72, 80\).* got \(1, 1, 72, 80\)"),
        (torch.zeros(3, *SIZE), ValueError, r"got \(3, 72, 80\).*image\[None\]"),
        (torch.zeros(1, 3, *SIZE, dtype=torch.uint8), TypeError, "got torch.uint8. Divide by 255"),
    ],
)
def test_rejects_images(embedded, image, error, message):
    with pytest.raises(error, match=message):
        build_localiser(SMALL, embedded, SIZE)(image)


@pytest.mark.parametrize("image_size", [(63, 80), (80, 63)])
def test_rejects_small_images(embedded, image_size):
    with pytest.raises(ValueError, match="at least 64 pixels"):
        build_localiser(SMALL, embedded, image_size)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"name": "resnet18"}, ValueError, "'torchvision:NAME'.* got 'resnet18'"),
        ({"name": "torchvision:"}, ValueError, "got 'torchvision:'"),
        ({"width": 0.0}, ValueError, "width must be positive"),
        ({"width": float("inf")}, ValueError, "width must be positive"),
        ({"dropout": 1.0}, ValueError, "dropout must be at least 0"),
        ({"face_size": float("nan")}, ValueError, "face_size must be positive"),
        ({"width": "1"}, TypeError, "width must be a number"),
        ({"name": 3}, TypeError, "must be texts"),
        ({"frozen_trunk": 1}, TypeError, "frozen_trunk must be true or false"),
    ],
)
def test_rejects_configurations(change, error, message):
    with pytest.raises(error, match=message):
        LocaliserConfig(**change)


def test_compiles_whole(localiser):
    """No graph break: the eager backend traces what inductor would compile."""
    images = torch.rand(2, 3, *SIZE)
    compiled = torch.compile(localiser, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(images), localiser(images))
