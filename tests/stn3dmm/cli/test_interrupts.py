"""Ctrl-C in a running command: one line, exit code 130, and no file that is not whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from .test_cli import run

# A child of a background job inherits that the signal is ignored; one at a terminal does not.
COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from stn3dmm.cli import main
main()
"""
PATIENCE = 60.0  # seconds


def interrupt(arguments: list[object], underway: Callable[[], bool]) -> str:
    """stderr of a command that gets the signal of Ctrl-C once it is under way; it must end with 130, and in silence."""
    command = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        end = time.monotonic() + PATIENCE
        while not underway():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "the command never began"
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert not out
    return said


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_interrupt_while_prepare_writes(dome, tmp_path):
    """The archive is being packed; an older model of the same name stays as it was."""
    target = tmp_path / "a.npz"
    target.write_text("old")
    said = interrupt(["prepare", dome, "-o", target, "--size", 700], lambda: any(tmp_path.glob(".stn3dmm-*.npz")))
    assert said == "stn3dmm: interrupted\n"
    assert files(tmp_path) == ["a.npz"]
    assert target.read_text() == "old"


def test_interrupt_of_a_batch_leaves_whole_results(portrait, tmp_path):
    """What is done before the signal stays, both files of a photograph or none."""
    run("fit", portrait, "-o", tmp_path / "fits")
    fits, out = tmp_path / "fits", tmp_path / "out"
    images = [shutil.copy(portrait, tmp_path / f"{k}.png") for k in range(60)]
    for image in images:
        shutil.copy(fits / "portrait_fit.json", fits / f"{image.stem}_fit.json")
    said = interrupt(["flatten", *images, "--fits", fits, "-o", out, "--json"], lambda: any(out.glob("[0-9]*.png")))
    assert said == "stn3dmm: interrupted\n"
    done = files(out)
    assert 2 <= len(done) < 2 * len(images)
    assert done == sorted(f"{name.split('_')[0]}_{kind}.png" for name in done[::2] for kind in ("mask", "texture"))
    for name in done:
        with Image.open(out / name) as picture:
            picture.load()
