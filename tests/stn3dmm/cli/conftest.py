"""What the tests of the commands share: a photograph with its landmarks, and a model to prepare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from stn3dmm.demo import astronaut

from .dome import write_model
from .test_cli import run


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """portrait.png with portrait.pts beside it, alone in a folder."""
    _, photograph, annotation = astronaut()
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "portrait.png"
    Image.fromarray(photograph).save(path)
    lines = "\n".join(f"{x + 1:.2f} {y + 1:.2f}" for x, y in annotation.points)
    path.with_suffix(".pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    return path


@pytest.fixture(scope="session")
def dome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model on a mesh (`dome.write_model`)."""
    return write_model(tmp_path_factory.mktemp("in") / "dome")


@pytest.fixture(scope="session")
def prepared(dome: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The dome at 31 x 27 with its report: the folder of dome.npz and r/, and what --json prints."""
    out = tmp_path_factory.mktemp("out")
    landmarks = dome.parent / "landmarks.json"
    text = run(
        "prepare", dome, "-o", out / "dome.npz", "--size", "31x27", "--landmarks", landmarks, "--report", out / "r",
        "--json",
    )  # fmt: skip
    return out, json.loads(text)
