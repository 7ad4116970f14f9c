"""A trunk that two processor cores train in minutes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

# At width 1. The stem makes a fourth of the image's sides, each stage halves them.
STEM = 32  # channels
STAGES = (64, 96, 128)  # channels
GROUPS = 8  # of channels that are normalised together
GRID = 4  # rows and columns that the fully connected layer reads
FEATURES = 256
# About what photographs have, so that the first layer sees numbers around 0.
GREY, DEVIATION = 0.45, 0.25


class CompactTrunk(nn.Module):
    """A small convolutional network that keeps track of places.

    A 7 x 7 convolution of stride 4, three 3 x 3 convolutions of stride 2, each with group normalisation (of each image
    on its own, so that processes that share a batch agree with one that has it whole) and ReLU, and a fully connected
    layer that reads the last grid place by place: averaging over it would forget where the face is. In a given time
    on a processor this learns more than deeper or finer networks, which see fewer images in it.

    Args:
        width: channels, in multiples of the network's own.
        dropout: probability, of the features.

    Convention:
        Images (B, 3, H, W), red, green, blue in 0..1, H and W at least 64. The grid is 4 x 4 at 112 x 112; that of
        other sizes is averaged (or repeated) to it.

    Raises:
        ValueError: a width that is not positive.

    Example:
        >>> trunk = CompactTrunk(width=0.5)
        >>> trunk(torch.rand(2, 3, 112, 96)).shape == (2, trunk.features)
        True
    """

    def __init__(self, width: float = 1.0, dropout: float = 0.0) -> None:
        super().__init__()
        if not width > 0:
            raise ValueError(f"CompactTrunk: width must be positive; got {width}.")
        self.features: int = _scaled(FEATURES, width)
        channels = _scaled(STEM, width)
        layers = [_convolution(3, channels, side=7, stride=4, padding=2)]
        for stage in STAGES:
            layers.append(_convolution(channels, _scaled(stage, width), side=3, stride=2, padding=1))
            channels = _scaled(stage, width)
        self.convolutions = nn.Sequential(*layers)
        self.connected = nn.Linear(channels * GRID**2, self.features)
        self.dropout = nn.Dropout(dropout)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # an eighth faster on a processor

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, H, W) to features (B, F)."""
        x = ((image - GREY) / DEVIATION).contiguous(memory_format=torch.channels_last)
        x = self.convolutions(x)
        if x.shape[2:] != (GRID, GRID):
            x = F.adaptive_avg_pool2d(x, GRID)
        features: torch.Tensor = self.dropout(F.relu(self.connected(x.flatten(1))))
        return features


def _convolution(inputs: int, outputs: int, side: int, stride: int, padding: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, padding, bias=False),
        nn.GroupNorm(GROUPS, outputs),
        nn.ReLU(),
    )


def _scaled(channels: int, width: float) -> int:
    """As many channels, a multiple of the groups."""
    return max(1, round(channels * width / GROUPS)) * GROUPS
