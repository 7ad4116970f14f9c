"""Random numbers that depend on the seed and on what they are for, and on nothing else."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch

Colour = tuple[float, float, float]
TILE = 512  # texels


def planes(colour: Colour) -> torch.Tensor:
    """A colour as a tensor (3, 1, 1), to go with images."""
    return torch.tensor(colour)[:, None, None]


class Draws:
    """A stream of random numbers of its own for every purpose.

    Example:
        >>> Draws(1, 2).uniform(0, 1) == Draws(1, 2).uniform(0, 1) != Draws(2, 1).uniform(0, 1)
        True
    """

    def __init__(self, *key: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))

    def uniform(self, low: float, high: float) -> float:
        """From low to high."""
        return low + (high - low) * float(self._generator.random())

    def chance(self, probability: float) -> bool:
        """True so often."""
        return float(self._generator.random()) < probability

    def below(self, count: int) -> int:
        """0 to count - 1."""
        return int(self._generator.integers(count))

    def normals(self, count: int, deviation: float, largest: float) -> np.ndarray:
        """(count,) normally distributed, drawn again where they are beyond the largest."""
        values = deviation * self._generator.standard_normal(count)
        while (outside := np.abs(values) > largest).any():
            values[outside] = deviation * self._generator.standard_normal(int(outside.sum()))
        return values

    def direction(self, lowest: float = -1.0) -> np.ndarray:
        """(3,) a unit vector, evenly over the part of the sphere with y >= lowest."""
        y, around = self.uniform(lowest, 1.0), self.uniform(0, 2 * math.pi)
        beside = math.sqrt(1 - y * y)
        return np.array([beside * math.cos(around), y, beside * math.sin(around)])

    def colour(self, low: float = 0.05, high: float = 0.95) -> Colour:
        """Any colour, rather a dull one."""
        base, spread = self.uniform(low, high), self.uniform(0, 0.5)
        return tuple(min(max(base + spread * self.uniform(-1, 1), low), high) for _ in range(3))  # type: ignore[return-value]

    def noise(self, kind: str, H: int, W: int) -> torch.Tensor:
        """(H, W) noise of variance 1 and mean 0: "grain", "spots", "clouds" or "strands" (along columns). A view."""
        return self._part(_tile(kind), H, W)[0]

    def colour_noise(self, H: int, W: int) -> torch.Tensor:
        """(3, H, W) noise of a sensor: variance 1 and mean 0 in each channel, and half as much in all. A view."""
        return self._part(_sensor(), H, W)

    def _part(self, tile: torch.Tensor, H: int, W: int) -> torch.Tensor:
        """Of a periodic tile (c, t, t), twice in each direction, a part from anywhere."""
        size = tile.shape[1] // 2
        row, column = self.below(size), self.below(size)
        if max(H, W) > size:
            tile = tile[:, :size, :size].repeat(1, 1 - (-H // size), 1 - (-W // size))
        return tile[:, row : row + H, column : column + W]


# Standard deviations (rows, columns) of the Gaussians whose difference is the noise's spectrum; 0 = none.
_BANDS = {
    "fine": ((0.0, 0.0), (30.0, 30.0)),
    "grain": ((0.8, 0.8), (2.5, 2.5)),
    "spots": ((1.6, 1.6), (5.0, 5.0)),
    "clouds": ((9.0, 9.0), (60.0, 60.0)),
    "strands": ((9.0, 0.7), (40.0, 12.0)),
}


@functools.cache
def _sensor() -> torch.Tensor:
    """(3, 2 TILE, 2 TILE) fine noise in each channel, and half as much grain in all of them."""
    return _tile("fine") + 0.5 * _tile("grain")


@functools.cache
def _tile(kind: str) -> torch.Tensor:
    """(c, 2 TILE, 2 TILE), periodic, so that a part from anywhere is a plain slice."""
    near, far = _BANDS[kind]
    frequency = np.fft.fftfreq(TILE)
    generator = np.random.default_rng([0, list(_BANDS).index(kind)])
    white = np.fft.fft2(generator.standard_normal((3 if kind == "fine" else 1, TILE, TILE)))

    def gaussian(widths: tuple[float, float]) -> np.ndarray:
        down, across = (np.exp(-2 * (math.pi * width * frequency) ** 2) for width in widths)
        return np.asarray(down[:, None] * across)

    band = np.fft.ifft2(white * (gaussian(near) - gaussian(far))).real
    band = (band - band.mean()) / band.std()
    return torch.from_numpy(np.tile(band, (1, 2, 2)).astype(np.float32))
