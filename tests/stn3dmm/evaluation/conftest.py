"""What the tests of the evaluation share."""

from __future__ import annotations

import pytest
import stn3dmm


@pytest.fixture(scope="session")
def model() -> stn3dmm.MorphableModel:
    """The embedded model on a coarse grid."""
    return stn3dmm.embedded_model((40, 40))
