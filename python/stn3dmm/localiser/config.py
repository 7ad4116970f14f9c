"""What a localiser is made of."""

from __future__ import annotations

import dataclasses
import math

COMPACT = "compact"
VGG_FACE = "vgg-face"
TORCHVISION = "torchvision:"


@dataclasses.dataclass(frozen=True)
class LocaliserConfig:
    """The network and how it starts.

    Raises:
        ValueError: an unknown name, or a number out of its range.
        TypeError: a name or a file that is no text, a number that is none.
    """

    name: str = (
        COMPACT  # "compact", "vgg-face" or "torchvision:" and a name that torchvision knows ("torchvision:resnet18")
    )
    weights: str | None = None  # file of pretrained weights of the trunk
    width: float = 1.0  # channels of the compact network, in multiples of its own
    dropout: float = 0.0  # probability, of the features and after fc6 of VGG-Face; none in a frozen trunk
    frozen_trunk: bool = False  # train the head alone
    face_size: float = 0.75  # longer side of the mean face's box before training, in shorter sides of the image

    def __post_init__(self) -> None:
        self._check_types()
        torchvision = self.name.startswith(TORCHVISION) and len(self.name) > len(TORCHVISION)
        if self.name not in (COMPACT, VGG_FACE) and not torchvision:
            raise ValueError(
                f"LocaliserConfig: name must be {COMPACT!r}, {VGG_FACE!r} or '{TORCHVISION}NAME' (as in "
                f"'{TORCHVISION}resnet18'); got {self.name!r}."
            )
        for name, fits, range_ in (
            ("width", self.width > 0, "positive"),
            ("dropout", 0 <= self.dropout < 1, "at least 0 and less than 1"),
            ("face_size", self.face_size > 0, "positive"),
        ):
            if not (fits and math.isfinite(getattr(self, name))):
                raise ValueError(f"LocaliserConfig: {name} must be {range_}; got {getattr(self, name)}.")

    def _check_types(self) -> None:
        if not isinstance(self.name, str) or not isinstance(self.weights, str | None):
            raise TypeError(f"LocaliserConfig: name and weights must be texts; got {self.name!r} and {self.weights!r}.")
        for name in ("width", "dropout", "face_size"):
            if isinstance(getattr(self, name), bool) or not isinstance(getattr(self, name), int | float):
                raise TypeError(f"LocaliserConfig: {name} must be a number; got {getattr(self, name)!r}.")
        if not isinstance(self.frozen_trunk, bool):
            raise TypeError(f"LocaliserConfig: frozen_trunk must be true or false; got {self.frozen_trunk!r}.")
