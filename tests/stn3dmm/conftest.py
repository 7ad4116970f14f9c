"""What the tests of the applications share: models, real data, small files in the exact layouts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import stn3dmm
from stn3dmm.formats import bas2017

REASON = "set STN3DMM_DATA to the folder with the real data (bas2017/, aflw2000/, ...) to run this"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real data; the test is skipped, and says so, without it."""
    folder = os.environ.get("STN3DMM_DATA")
    if not folder:
        pytest.skip(REASON)
    if not Path(folder).is_dir():
        pytest.skip(f"STN3DMM_DATA names {folder}, which is no folder; {REASON}")
    return Path(folder)


@pytest.fixture(scope="session")
def basel(real_data: Path) -> stn3dmm.MorphableModel:
    """The authors' resampled Basel model."""
    return stn3dmm.load_model(real_data / "bas2017" / "model.mat")


@pytest.fixture(scope="session")
def embedded() -> stn3dmm.MorphableModel:
    """The model that the package ships."""
    return stn3dmm.embedded_model()


@pytest.fixture
def model_mat(tmp_path: Path) -> Path:
    """A random model in the layout of the authors' model.mat."""
    path = tmp_path / "model.mat"
    scipy.io.savemat(path, model_mat_content())
    return path


@pytest.fixture
def demodata_mat(tmp_path: Path) -> Path:
    """Two random photographs in the layout of the authors' demodata.mat; the first misses its fourth landmark."""
    rng = np.random.default_rng(1)
    labels = rng.uniform(60, 160, (1, 2, 21, 2)).astype(np.float32)
    labels[0, 0, 3, 0] = 0
    images = rng.uniform(0, 255, (224, 224, 3, 2)).astype(np.float32)
    path = tmp_path / "demodata.mat"
    scipy.io.savemat(path, {"Images": images, "Labels": labels})
    return path


def model_mat_content() -> dict[str, Any]:
    N = bas2017.GRID_SHAPE[0] * bas2017.GRID_SHAPE[1]
    rng = np.random.default_rng(0)
    return {
        "nverts": np.array([[N]], dtype=np.uint16),
        "shapeMU": rng.normal(0, 50, (3 * N, 1)),
        "shapePC": rng.normal(0, 1, (3 * N, 10)),
        "faces": np.array([[1, 2, 113]], dtype=np.uint16),
    }
