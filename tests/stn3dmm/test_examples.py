"""The examples run as a reader would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "STN3DMM_DATA"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, str(EXAMPLES / "gradient_descent.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)


def test_gradient_descent_with_the_embedded_model():
    result = run()
    assert result.returncode == 0, result.stderr
    assert "reached" in result.stderr


def test_gradient_descent_on_the_authors_faces(real_data):
    result = run(str(real_data))
    assert result.returncode == 0, result.stderr
    assert "goal 3.0 px: reached" in result.stderr


@pytest.mark.parametrize("name", [path.name for path in sorted(EXAMPLES.glob("*.py"))])
def test_examples_stay_readable(name):
    lines = (EXAMPLES / name).read_text().splitlines()
    assert len(lines) <= 160
