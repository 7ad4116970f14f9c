"""The localiser: a network from an image to the parameters of the morphable model."""

from __future__ import annotations

import os

import torch
from torch import nn

from stn3dmm.formats.state_dict import check_shapes, read_state_dict
from stn3dmm.localiser.compact import CompactTrunk
from stn3dmm.localiser.config import COMPACT, TORCHVISION, VGG_FACE, LocaliserConfig
from stn3dmm.localiser.head import FACE_SIZE, ThetaHead
from stn3dmm.localiser.pretrained import TorchvisionTrunk
from stn3dmm.localiser.vgg_face import VggFaceTrunk
from stn3dmm.morphable_model import MorphableModel

SMALLEST_IMAGE = 64  # pixels, either side; below that the trunks have no grid left to tell places on


class Localiser(nn.Module):
    """Images to theta: a trunk that makes features of them, and a head.

    Args:
        trunk: images (B, 3, H, W) in 0..1 to features (B, F); it normalises colours itself.
        head: features to theta.
        image_size: (H, W) of the images that it is made for: translations are pixels of these.
        frozen_trunk: the trunk keeps its weights, stays in evaluation mode and gets no gradients.

    Convention:
        As in docs/conventions.md; theta (B, 6 + K) as `ThetaHead` has it.

    Raises:
        ValueError: an image size below 64 x 64.

    Example:
        >>> import stn3dmm
        >>> localiser = build_localiser(LocaliserConfig(width=0.5), stn3dmm.embedded_model(), (96, 80))
        >>> localiser(torch.rand(2, 3, 96, 80)).shape
        torch.Size([2, 48])
    """

    def __init__(
        self, trunk: nn.Module, head: ThetaHead, image_size: tuple[int, int], *, frozen_trunk: bool = False
    ) -> None:
        super().__init__()
        if min(image_size) < SMALLEST_IMAGE:
            raise ValueError(
                f"Localiser: image_size must be (H, W) of at least {SMALLEST_IMAGE} pixels each; got {image_size}."
            )
        self.trunk, self.head = trunk, head
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.frozen_trunk = frozen_trunk
        if frozen_trunk:
            self.trunk.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Localiser:
        """Training or evaluation mode; a frozen trunk stays in evaluation mode."""
        super().train(mode)
        if self.frozen_trunk:
            self.trunk.eval()
        return self

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The parameters that place the model in each image.

        Args:
            image: (B, 3, H, W), red, green, blue in 0..1, of any floating dtype.

        Returns:
            theta (B, 6 + K) in the dtype of the network.

        Raises:
            ValueError: another shape than the localiser was built for.
            TypeError: whole numbers.
        """
        self._check(image)
        image = image.to(self.head.offset.dtype)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen_trunk):
            features = self.trunk(image)
        theta: torch.Tensor = self.head(features)
        return theta

    def _check(self, image: torch.Tensor) -> None:
        H, W = self.image_size
        if image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(
                f"Localiser: image must be (B, 3, {H}, {W}), red, green and blue; got {tuple(image.shape)}. Add a "
                "batch dimension with image[None], repeat a grey channel, drop an alpha channel."
            )
        if tuple(image.shape[2:]) != self.image_size:
            raise ValueError(
                f"Localiser: image must be {H} x {W} pixels (rows x columns), for which this localiser was built; got "
                f"{image.shape[2]} x {image.shape[3]}. Crop or resize it (stn3dmm.data.crops)."
            )
        if not image.is_floating_point():
            raise TypeError(
                f"Localiser: image must be floating-point in 0..1; got {image.dtype}. Divide by 255: image / 255."
            )

    def extra_repr(self) -> str:
        return f"image_size={self.image_size}, frozen_trunk={self.frozen_trunk}"


def build_localiser(config: LocaliserConfig, model: MorphableModel, image_size: tuple[int, int]) -> Localiser:
    """The localiser that a configuration describes, its head set to the model's mean face.

    Args:
        config: which trunk, its weights, whether it is trained.
        model: whose parameters it answers.
        image_size: (H, W) pixels of its images, at least 64 each.

    Raises:
        ImportError: a torchvision trunk without torchvision.
        FileNotFoundError: there is no such file of weights.
        ValueError: a file that does not hold the trunk's weights, a trunk that does not exist, too small images.

    Source: Bas et al. 2017, section 3.1.
    """
    trunk: CompactTrunk | VggFaceTrunk | TorchvisionTrunk
    if config.name == COMPACT:
        trunk = CompactTrunk(config.width, config.dropout)
        if config.weights is not None:
            _load_compact(trunk, config.weights)
    elif config.name == VGG_FACE:
        trunk = VggFaceTrunk(config.dropout)
        if config.weights is not None:
            trunk.load(config.weights)
    else:
        trunk = TorchvisionTrunk(config.name.removeprefix(TORCHVISION), config.weights, config.dropout)
    return wrap(trunk, trunk.features, model, image_size, face_size=config.face_size, frozen_trunk=config.frozen_trunk)


def wrap(
    trunk: nn.Module,
    features: int,
    model: MorphableModel,
    image_size: tuple[int, int],
    *,
    face_size: float = FACE_SIZE,
    frozen_trunk: bool = False,
) -> Localiser:
    """A localiser from any network that turns images (B, 3, H, W) in 0..1 into features (B, ``features``).

    Raises:
        ValueError: as `Localiser` and `ThetaHead`.

    Example:
        >>> import stn3dmm
        >>> trunk = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
        >>> wrap(trunk, 48, stn3dmm.embedded_model(), (112, 112))(torch.rand(1, 3, 112, 112)).shape
        torch.Size([1, 48])
    """
    return Localiser(trunk, ThetaHead(features, model, image_size, face_size), image_size, frozen_trunk=frozen_trunk)


def _load_compact(trunk: CompactTrunk, path: str | os.PathLike[str]) -> None:
    """Takes a state dict of such a trunk, or of a localiser that has one."""
    what = "the weights of a compact localiser"
    tensors = {name.removeprefix("trunk."): tensor for name, tensor in read_state_dict(path, what).items()}
    state = trunk.state_dict()
    check_shapes(tensors, {name: tuple(tensor.shape) for name, tensor in state.items()}, path, what)
    trunk.load_state_dict({name: tensors[name] for name in state})
