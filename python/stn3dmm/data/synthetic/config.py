"""What the synthetic faces may be like."""

from __future__ import annotations

import dataclasses
import math

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class SyntheticConfig:
    """The ranges that synthetic faces are drawn from; the draws are uniform unless a comment says otherwise."""

    image_size: tuple[int, int] = (224, 224)  # (H, W) pixels
    grid_shape: tuple[int, int] = (112, 112)  # (P, Q) of the embedded model
    length: int = 100_000  # images that len() tells; one pass of a data loader
    views_per_identity: int = 1  # images of one person in a row

    yaw: Range = (-90.0, 90.0)  # degrees, positive: the nose points to the image's right
    pitch: Range = (-25.0, 25.0)  # degrees, positive: up
    roll: Range = (-30.0, 30.0)  # degrees, positive: the head leans to the image's right
    face_size: Range = (0.5, 0.9)  # longer side of the posed face's box, in shorter sides of the image
    identity_deviation: float = 0.75  # standard deviations; normal; above it some faces fold (docs/embedded_model.md)
    expression_deviation: float = 0.6  # standard deviations; normal
    largest_coefficient: float = 2.0  # standard deviations; coefficients beyond it are drawn again

    hair: float = 0.9  # probabilities, each of its own
    beard: float = 0.25
    glasses: float = 0.2
    make_up: float = 0.25
    occluder: float = 0.35  # a hand, a card, a ball or a scarf before the face
    grey: float = 0.05  # an image without colour

    brightness: Range = (0.7, 1.15)  # of all light, 1 = skin as bright as its texture
    contrast: Range = (0.2, 1.0)  # share of the directed light in all light
    blur: Range = (0.4, 1.0)  # pixels, standard deviation of the lens
    noise: Range = (0.0, 0.03)  # standard deviation of the sensor's noise on white
    tone: Range = (-0.25, 0.25)  # bend of the tone curve: x + tone x (1 - x)
    camera: bool = True  # False: no blur, no noise, no bent tones, no colour cast, no rounding to 8 bits
    samples: int = 1  # of each pixel, 1, 2 or 4: how smooth edges are before the lens

    def __post_init__(self) -> None:
        self._check_whole()
        for name in ("hair", "beard", "glasses", "make_up", "occluder", "grey"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"SyntheticConfig: {name} must be a probability, 0 to 1; got {getattr(self, name)}.")
        for name, low, high in _LIMITS:
            self._check_range(name, low, high)
        for name in ("identity_deviation", "expression_deviation", "largest_coefficient"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"SyntheticConfig: {name} must be finite and not negative; got {value}.")
        if self.largest_coefficient < 0.1 * max(self.identity_deviation, self.expression_deviation):
            raise ValueError(
                f"SyntheticConfig: largest_coefficient = {self.largest_coefficient} rejects nearly every draw; give "
                "at least a tenth of the deviations, or smaller deviations."
            )

    def _check_whole(self) -> None:
        for name, smallest in (("length", 1), ("views_per_identity", 1), ("samples", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < smallest:
                raise ValueError(
                    f"SyntheticConfig: {name} must be a whole number of {smallest} or more; got {value!r}."
                )
        if self.samples not in (1, 2, 4):
            raise ValueError(f"SyntheticConfig: samples must be 1, 2 or 4; got {self.samples}.")
        for name, smallest in (("image_size", 16), ("grid_shape", 32)):
            value = getattr(self, name)
            if not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(size, int) for size in value)):
                raise ValueError(f"SyntheticConfig: {name} must be two whole numbers (rows, columns); got {value!r}.")
            if min(value) < smallest:
                raise ValueError(f"SyntheticConfig: {name} must be at least {smallest} x {smallest}; got {value}.")

    def _check_range(self, name: str, lowest: float, highest: float) -> None:
        value = getattr(self, name)
        if not (isinstance(value, tuple) and len(value) == 2 and lowest <= value[0] <= value[1] <= highest):
            raise ValueError(
                f"SyntheticConfig: {name} must be (low, high) with {lowest:g} <= low <= high <= {highest:g}; "
                f"got {value!r}."
            )


_LIMITS = (
    ("yaw", -180.0, 180.0),
    ("pitch", -90.0, 90.0),
    ("roll", -180.0, 180.0),
    ("face_size", 0.05, 1.0),
    ("brightness", 0.0, 10.0),
    ("contrast", 0.0, 1.0),
    ("blur", 0.0, 3.0),
    ("noise", 0.0, 1.0),
    ("tone", -1.0, 1.0),
)
