"""What the tests of the data share."""

from __future__ import annotations

import pytest
import torch
from stn3dmm.data.synthetic import SyntheticFaces, SyntheticSamples


@pytest.fixture(scope="session")
def samples() -> SyntheticSamples:
    """Twelve images of the default configuration, seed 7."""
    return SyntheticFaces(seed=7).batch(range(12))


@pytest.fixture(autouse=True)
def one_thread(settings_restored: None) -> None:
    """The steps of a crop are too short to be shared, least of all on a busy machine."""
    torch.set_num_threads(1)
