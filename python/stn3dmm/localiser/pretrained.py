"""Trunks of torchvision, chosen by name."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import torch
from torch import nn

from stn3dmm.formats.state_dict import check_shapes, read_state_dict

# What torchvision's classifiers were trained with, red, green, blue in 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class TorchvisionTrunk(nn.Module):
    """A classifier of torchvision without its last linear layer.

    Args:
        name: as `torchvision.models.get_model` knows it ("resnet18", "mobilenet_v3_small", "vit_b_16").
        weights: file of a state dict of that model, as torchvision has it for download, or None; that of another
            number of classes will do.
        dropout: probability, after the features.

    Convention:
        Images (B, 3, H, W), red, green, blue in 0..1; brought to ImageNet's mean and deviation here. Some models take
        images of one size only, and many normalise over the batch.

    Raises:
        ImportError: torchvision is not installed.
        FileNotFoundError: there is no such file of weights.
        ValueError: torchvision has no such model, the model has no linear layer, the file is not of this model.
    """

    mean: torch.Tensor  # (3, 1, 1)
    deviation: torch.Tensor  # (3, 1, 1)

    def __init__(self, name: str, weights: str | os.PathLike[str] | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        network = _model(_torchvision_models(name), name)
        classifier, linear = _last_linear(network, name)
        self.features: int = linear.in_features
        network.set_submodule(classifier, nn.Identity())
        self.network = network
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION)[:, None, None])
        if weights is not None:
            what = f"the weights of torchvision's {name}"
            tensors = read_state_dict(weights, what)
            state = self.network.state_dict()
            # Counts of batches are whole numbers, and old files lack them.
            shapes = {key: tuple(tensor.shape) for key, tensor in state.items() if tensor.is_floating_point()}
            check_shapes(tensors, shapes, weights, what)
            self.network.load_state_dict({key: tensors.get(key, tensor) for key, tensor in state.items()})

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, H, W) to features (B, F)."""
        features = self.network((image - self.mean) / self.deviation)
        if not isinstance(features, torch.Tensor):  # Inception's auxiliary classifiers
            raise ValueError(
                f"torchvision's {type(self.network).__name__} answers {type(features).__name__}, not one tensor; "
                "choose another model."
            )
        dropped: torch.Tensor = self.dropout(features.flatten(1))
        return dropped


def _torchvision_models(name: str) -> ModuleType:
    try:
        return importlib.import_module("torchvision.models")
    except ImportError as error:
        raise ImportError(
            f"The localiser 'torchvision:{name}' needs torchvision, which is not installed; run: pip install "
            "torchvision, or choose 'compact'."
        ) from error


def _model(models: ModuleType, name: str) -> nn.Module:
    try:
        network = models.get_model(name, weights=None)
    except ValueError as error:
        raise ValueError(
            f"torchvision has no model {name!r}; torchvision.models.list_models() names those that it has."
        ) from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"torchvision's {name!r} is {type(network).__name__}, not a network; choose a classifier.")
    return network


def _last_linear(network: nn.Module, name: str) -> tuple[str, nn.Linear]:
    """Name and layer that turn features into classes: the last linear one, whatever the model calls it."""
    found = [(path, layer) for path, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not found:
        raise ValueError(
            f"torchvision's {name!r} ends in no linear layer, so its features cannot be taken; choose another one, or "
            "pass your own network to stn3dmm.localiser.wrap."
        )
    return found[-1]
