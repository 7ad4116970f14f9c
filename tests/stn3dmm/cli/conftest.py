"""What the tests of the commands share: a photograph with its landmarks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from stn3dmm.demo import astronaut


@pytest.fixture
def portrait(tmp_path) -> Path:
    """portrait.png with portrait.pts beside it, alone in a folder."""
    _, photograph, annotation = astronaut()
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "portrait.png"
    Image.fromarray(photograph).save(path)
    lines = "\n".join(f"{x + 1:.2f} {y + 1:.2f}" for x, y in annotation.points)
    path.with_suffix(".pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    return path
