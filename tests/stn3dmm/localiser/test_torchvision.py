"""Trunks of torchvision, through a module of the same interface: the tests need no torchvision."""

from __future__ import annotations

import dataclasses
import sys
from types import ModuleType

import pytest
import torch
from stn3dmm.localiser import LocaliserConfig, build_localiser
from torch import nn

SIZE = (64, 64)
WHAT_MODELS_CALL_IT = ("fc", "classifier", "head", "heads")


class Network(nn.Module):
    """A classifier whose last layer has a name of its own, alone or at the end of a sequence."""

    def __init__(self, last: str, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        linear = nn.Linear(6, classes)
        self.middle = nn.Linear(16, 6)
        self.last = last
        setattr(self, last, linear if last in ("fc", "head") else nn.Sequential(nn.Dropout(0.0), linear))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return getattr(self, self.last)(self.middle(self.body(image)))


class Pair(Network):
    """With an auxiliary answer, as Inception has in training."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, None]:
        return super().forward(image), None


@pytest.fixture
def torchvision(monkeypatch):
    """Stands in for torchvision: get_model as its documentation has it."""

    def get_model(name, weights):
        assert weights is None
        if name == "detector":
            return nn.Sequential(nn.Conv2d(3, 4, 3))
        if name == "pair":
            return Pair("fc")
        if name not in WHAT_MODELS_CALL_IT:
            raise ValueError(f"Unknown model {name}")
        return Network(name)

    package, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    models.get_model = get_model
    package.models = models
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    return models


@pytest.mark.parametrize("last", WHAT_MODELS_CALL_IT)
def test_takes_the_features_before_the_classes(embedded, torchvision, tmp_path, last):
    """Whatever the last layer is called; colours come with ImageNet's mean and deviation taken out."""
    network = Network(last, classes=7).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    config = LocaliserConfig(name=f"torchvision:{last}", weights=str(tmp_path / "weights.pth"))
    localiser = build_localiser(config, embedded, SIZE).eval()
    assert localiser.head.linear.in_features == 6
    image = torch.rand(2, 3, *SIZE)
    colours = torch.stack(
        [(image[:, k] - m) / d for k, (m, d) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)])], dim=1
    )
    torch.testing.assert_close(localiser.trunk(image), network.middle(network.body(colours)))
    assert localiser(image).shape == (2, 6 + embedded.mode_count)


def test_rejects(embedded, torchvision, tmp_path):
    config = LocaliserConfig(name="torchvision:fc", weights=str(tmp_path / "weights.pth"))
    with pytest.raises(FileNotFoundError, match="torchvision's fc"):
        build_localiser(config, embedded, SIZE)
    torch.save(Network("head").body.state_dict(), config.weights)
    with pytest.raises(ValueError, match=r"not the weights of torchvision's fc: body.0.weight is missing"):
        build_localiser(config, embedded, SIZE)
    with pytest.raises(ValueError, match=r"no model 'resnet5'; torchvision.models.list_models"):
        build_localiser(dataclasses.replace(config, name="torchvision:resnet5"), embedded, SIZE)
    with pytest.raises(ValueError, match="'detector' ends in no linear layer"):
        build_localiser(dataclasses.replace(config, name="torchvision:detector"), embedded, SIZE)
    with pytest.raises(ValueError, match="Pair answers tuple, not one tensor"):
        build_localiser(LocaliserConfig(name="torchvision:pair"), embedded, SIZE)(torch.zeros(1, 3, *SIZE))


def test_says_how_to_get_torchvision(embedded, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(ImportError, match="needs torchvision, which is not installed; run: pip install torchvision"):
        build_localiser(LocaliserConfig(name="torchvision:resnet18"), embedded, SIZE)
