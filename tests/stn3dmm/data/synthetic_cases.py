"""Configurations of synthetic faces that the tests share, and how two samples compare."""

from __future__ import annotations

import torch
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticSamples

# Nothing but the face: no hair, no glasses, nothing before it, no camera.
BARE = SyntheticConfig(hair=0.0, glasses=0.0, occluder=0.0, camera=False)
SMALL = SyntheticConfig(image_size=(64, 80))


def tensors(samples: SyntheticSamples) -> list[torch.Tensor]:
    return [one for part in samples for one in (part.values() if isinstance(part, dict) else [part])]


def assert_equal(a: SyntheticSamples, b: SyntheticSamples) -> None:
    for one, other in zip(tensors(a), tensors(b), strict=True):
        assert torch.equal(one, other)


def picked(samples: SyntheticSamples, index: int | list[int]) -> SyntheticSamples:
    """Of a batch the images with this place or these places."""
    return SyntheticSamples._make(
        {name: one[index] for name, one in part.items()} if isinstance(part, dict) else part[index] for part in samples
    )
