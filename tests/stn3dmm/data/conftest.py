"""What the tests of the data share."""

from __future__ import annotations

import pytest
from stn3dmm.data.synthetic import SyntheticFaces, SyntheticSamples


@pytest.fixture(scope="session")
def samples() -> SyntheticSamples:
    """Twelve images of the default configuration, seed 7."""
    return SyntheticFaces(seed=7).batch(range(12))
