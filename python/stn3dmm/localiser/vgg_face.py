"""The trunk that the authors use: VGG-16 as trained to recognise faces."""

from __future__ import annotations

import os

import torch
import torch.nn.functional as F
from torch import nn

from stn3dmm.formats.vgg_face import BLOCKS, CONNECTED, GRID, HIDDEN, MEAN_COLOUR, WIDTHS, read_vgg_face


class VggFaceTrunk(nn.Module):
    """VGG-Face up to fc7: thirteen convolutions, fc6, fc7, each followed by a ReLU.

    Without weights it starts as He et al. (2015) propose; `load` takes those of the release. Images of another size
    than 224 x 224 are accepted: what the convolutions make of them is averaged (or repeated) to the 7 x 7 grid that
    fc6 reads.

    Args:
        dropout: probability, after fc6 and fc7 (the release was trained with 0.5).
        widths: channels of the five blocks of convolutions.
        hidden: F, the length of fc6, fc7 and the feature vector.

    Convention:
        Images (B, 3, H, W), red, green, blue in 0..1, H and W at least 64; the mean colour is a buffer in 0..255.

    Source: Parkhi, Vedaldi, Zisserman: Deep Face Recognition, BMVC 2015, configuration D.

    Example:
        >>> trunk = VggFaceTrunk(widths=(4, 4, 8, 8, 8), hidden=16)
        >>> trunk(torch.rand(2, 3, 96, 80)).shape
        torch.Size([2, 16])
    """

    mean: torch.Tensor  # (3,)

    def __init__(self, dropout: float = 0.0, widths: tuple[int, ...] = WIDTHS, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.widths, self.dropout = widths, dropout
        self.features: int = hidden
        self.register_buffer("mean", torch.tensor(MEAN_COLOUR))
        channels = 3
        for block, (count, width) in enumerate(zip(BLOCKS, widths, strict=True), 1):
            for k in range(1, count + 1):
                self.add_module(f"conv{block}_{k}", nn.Conv2d(channels, width, 3, padding=1))
                channels = width
        self.fc6 = nn.Linear(channels * GRID**2, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Takes weights and mean colour from a file of any layout that `stn3dmm.formats.vgg_face` reads.

        Raises:
            FileNotFoundError, ValueError: as `read_vgg_face`.
        """
        weights = read_vgg_face(path, self.widths, self.features)
        self.load_state_dict({**weights.state, "mean": weights.mean})

    def convolve(self, image: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, H, W) to (B, C, 7, 7): the part to compute once where only the rest is trained."""
        x = 255 * image - self.mean[:, None, None]
        for block, count in enumerate(BLOCKS, 1):
            for k in range(1, count + 1):
                x = F.relu(self.get_submodule(f"conv{block}_{k}")(x))
            x = F.max_pool2d(x, 2)
        return x if x.shape[2:] == (GRID, GRID) else F.adaptive_avg_pool2d(x, GRID)

    def connect(self, grid: torch.Tensor) -> torch.Tensor:
        """What `convolve` gave (B, C, 7, 7) to features (B, F)."""
        x = grid.flatten(1)
        for name in CONNECTED:
            x = F.dropout(F.relu(self.get_submodule(name)(x)), self.dropout, self.training)
        return x

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, H, W) to features (B, F)."""
        return self.connect(self.convolve(image))
