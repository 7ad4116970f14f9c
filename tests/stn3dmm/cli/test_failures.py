"""What the commands say and leave behind when something fails: sentences for people, whole results or none."""

from __future__ import annotations

import json
import os
import shutil
import signal

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image
from stn3dmm import cli
from typer.testing import CliRunner


def invoke(*arguments: object, code: int = 2):
    """A command that must end with this exit code and without a traceback."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception}"
    assert "Traceback" not in result.stderr
    return result


@pytest.fixture
def batch(portrait):
    """Three photographs: good, broken, and good again, with landmarks beside them."""
    images = [portrait, portrait.with_name("broken.png"), portrait.with_name("third.png")]
    images[1].write_text("no picture")
    shutil.copy(portrait, images[2])
    for image in images[1:]:
        shutil.copy(portrait.with_suffix(".pts"), image.with_suffix(".pts"))
    return images


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_one_absurd_landmark(portrait, tmp_path):
    pts = portrait.with_suffix(".pts")
    lines = pts.read_text().splitlines()
    for where in ("1e160", "1e16"):
        lines[10] = f"{where} 5"
        pts.write_text("\n".join(lines))
        (line,) = invoke("fit", portrait, "-o", tmp_path / "out", "--json").stderr.splitlines()
        assert line.startswith("stn3dmm: portrait.png: landmark 7 (counted from 0) lies too far out")
    assert not (tmp_path / "out").exists()


def test_a_far_landmark_gives_json_that_can_be_read(portrait, tmp_path):
    pts = portrait.with_suffix(".pts")
    lines = pts.read_text().splitlines()
    lines[10] = "1e14 5"
    pts.write_text("\n".join(lines))
    text = invoke("fit", portrait, "-o", tmp_path, "--json", code=0).stdout
    assert "NaN" not in text
    assert "Infinity" not in text


def test_fit_goes_on_after_a_bad_photograph(batch, tmp_path):
    missing = batch[0].with_name("missing.png")
    batch[2].with_suffix(".pts").write_text("{\n1 2\n}\n")
    fourth = batch[0].with_name("fourth.png")
    shutil.copy(batch[0], fourth)
    shutil.copy(batch[0].with_suffix(".pts"), fourth.with_suffix(".pts"))
    result = invoke("fit", batch[0], batch[1], missing, batch[2], fourth, "-o", tmp_path / "out", "--json")
    content = json.loads(result.stdout)
    assert [face["image"] for face in content["faces"]] == ["portrait.png", "fourth.png"]
    assert [failure["image"] for failure in content["failures"]] == [str(batch[1]), str(missing), str(batch[2])]
    lines = result.stderr.splitlines()
    assert lines == [f"stn3dmm: {failure['error']}" for failure in content["failures"]]
    assert "broken.png: not a picture" in lines[0]
    assert "missing.png: no such file; expected a photograph" in lines[1]
    assert lines[2].startswith("stn3dmm: third.png: ")
    assert "1 landmarks; expected 21 (AFLW) or 68 (iBUG)" in lines[2]
    kinds = ("_fit.json", "_mask.png", "_overlay.png", "_texture.png")
    assert names(tmp_path / "out") == [f"{stem}{kind}" for stem in ("fourth", "portrait") for kind in kinds]
    assert "portrait.png" in invoke("fit", *batch, "-o", tmp_path / "out").stdout


def test_flatten_goes_on_after_a_bad_photograph(batch, tmp_path):
    fits = tmp_path / "fits"
    invoke("fit", batch[0], "-o", fits, code=0)
    shutil.copy(fits / "portrait_fit.json", fits / "broken_fit.json")
    result = invoke("flatten", *batch, "--fits", fits, "-o", tmp_path / "out", "--json")
    content = json.loads(result.stdout)
    assert [face["image"] for face in content["faces"]] == ["portrait.png"]
    broken, third = result.stderr.splitlines()
    assert "broken.png: not a picture" in broken
    assert "third.png: no fit" in third
    assert names(tmp_path / "out") == ["portrait_mask.png", "portrait_texture.png"]
    shutil.copy(fits / "portrait_fit.json", fits / "third_fit.json")
    assert len(invoke("flatten", *batch, "-f", fits, "-o", tmp_path / "out").stdout.splitlines()) == 2


def test_average_names_every_bad_photograph_and_writes_nothing(batch, tmp_path):
    """A mean of some of the photographs would pass for the mean of all."""
    fits = tmp_path / "fits"
    invoke("fit", batch[0], "-o", fits, code=0)
    shutil.copy(fits / "portrait_fit.json", fits / "broken_fit.json")
    result = invoke("average", *batch, "--fits", fits, "-o", tmp_path / "mean.png", "--json")
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 2
    assert not (tmp_path / "mean.png").exists()


def test_successes_report_no_failures(portrait, tmp_path):
    assert json.loads(invoke("fit", portrait, "-o", tmp_path, "--json", code=0).stdout)["failures"] == []
    assert json.loads(invoke("flatten", portrait, "-f", tmp_path, "-o", tmp_path, "--json", code=0).stdout)[
        "failures"
    ] == []  # fmt: skip


@pytest.mark.parametrize("blocked", ["portrait_texture.png", "portrait_fit.json"])
def test_all_files_of_a_photograph_or_none(portrait, tmp_path, blocked):
    out = tmp_path / "out"
    (out / blocked).mkdir(parents=True)
    (line,) = invoke("fit", portrait, "-o", out).stderr.splitlines()
    assert f"{out / blocked}: a folder; expected a file" in line
    assert names(out) == [blocked]


def test_flatten_and_average_write_both_or_none(portrait, tmp_path):
    out = tmp_path / "out"
    invoke("fit", portrait, "-o", tmp_path, code=0)
    (out / "portrait_mask.png").mkdir(parents=True)
    assert "a folder; expected a file" in invoke("flatten", portrait, "-f", tmp_path, "-o", out).stderr
    (out / "mean_weight.png").mkdir()
    assert "a folder; expected a file" in invoke("average", portrait, "-f", tmp_path, "-o", out / "mean.png").stderr
    assert names(out) == ["mean_weight.png", "portrait_mask.png"]


def test_output_that_names_a_file(portrait, tmp_path):
    (tmp_path / "file").write_text("")
    invoke("fit", portrait, "-o", tmp_path, code=0)
    for command in (
        ["fit", portrait, "-o", tmp_path / "file"],
        ["flatten", portrait, "-f", tmp_path, "-o", tmp_path / "file"],
        ["average", portrait, "-f", tmp_path, "-o", tmp_path / "file" / "mean.png"],
        ["demo", "-o", tmp_path / "file" / "deeper"],
    ):
        (line,) = invoke(*command).stderr.splitlines()
        assert f"{tmp_path / 'file'}: not a folder; expected a folder for the results" in line
        assert "move the file away" in line


@pytest.mark.parametrize("points", ["{\n" + "nan nan\n" * 68 + "}\n", "{\n" + "7 7\n" * 68 + "}\n"])
def test_messages_speak_of_photographs_not_of_code(portrait, tmp_path, points):
    portrait.with_suffix(".pts").write_text(points)
    line = invoke("fit", portrait, "-o", tmp_path).stderr
    assert line.startswith("stn3dmm: portrait.png: ")
    for internal in ("fit_landmarks", "face 0", "image_size"):
        assert internal not in line


def test_points_auto_reads_both_sets_from_mat(portrait, tmp_path):
    pts = np.loadtxt(portrait.with_suffix(".pts"), skiprows=3, max_rows=68)
    labels = tmp_path / "portrait.mat"
    corners = [17, 19, 21, 22, 24, 26, 36, 37, 39, 42, 44, 45, 0, 31, 30, 35, 16, 48, 62, 54, 8]
    scipy.io.savemat(labels, {"pt2d": pts[corners].T})
    (face,) = json.loads(invoke("fit", portrait, "-l", labels, "-o", tmp_path, "--json", code=0).stdout)["faces"]
    assert face["landmark_set"] == "aflw21"
    assert "no landmarks ibug68" in invoke("fit", portrait, "-l", labels, "--points", "ibug68").stderr


def test_csv_with_an_endless_field(portrait, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("file,x1,y1\nportrait.png," + "1" * 200_000 + ",2\n")
    (line,) = invoke("fit", portrait, "-l", table, "-o", tmp_path).stderr.splitlines()
    assert "table.csv: not a readable CSV table" in line


def test_a_bug_is_one_line_and_exit_code_1(monkeypatch, portrait, tmp_path):
    def fail(*arguments):
        raise RuntimeError("something\nunforeseen")

    monkeypatch.setattr("stn3dmm.formats.images.read_image", fail)
    monkeypatch.delenv("STN3DMM_TRACEBACK", raising=False)
    (line,) = invoke("fit", portrait, "-o", tmp_path, code=1).stderr.splitlines()
    assert line.startswith("stn3dmm: this is a bug: RuntimeError: something unforeseen")
    assert "STN3DMM_TRACEBACK=1" in line
    monkeypatch.setenv("STN3DMM_TRACEBACK", "1")
    result = CliRunner().invoke(cli.app, ["fit", str(portrait), "-o", str(tmp_path)])
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "in fail" in result.stderr


class Fatal(torch.utils.data.Dataset):
    """What ends the process that reads it, as the system does where memory runs out."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return index


def gpu_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of ...")


@pytest.mark.parametrize(
    ("lack", "message"),
    [
        (lambda: torch.empty(1 << 60), "out of memory; lower --batch-size"),
        (lambda: np.empty(1 << 50, dtype=np.uint8), "out of memory; lower --batch-size"),
        (gpu_memory, "out of memory; lower --batch-size"),
        (lambda: list(torch.utils.data.DataLoader(Fatal(), num_workers=1)), "was killed, probably for want of memory"),
    ],
)
def test_want_of_memory_is_no_bug(monkeypatch, portrait, tmp_path, lack, message):
    monkeypatch.setattr("stn3dmm.formats.images.read_image", lambda path: lack())
    (line,) = invoke("fit", portrait, "-o", tmp_path, code=1).stderr.splitlines()
    assert message in line
    assert "this is a bug" not in line


def test_huge_and_floating_photographs(portrait, tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((9, 9), 7.0, dtype=np.float32)).save(path)
    (line,) = invoke("fit", path, "-l", portrait.with_suffix(".pts"), "-o", tmp_path).stderr.splitlines()
    assert "a.tif: floating values must lie in 0..1" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_folder_without_permission(portrait, tmp_path):
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    assert f"{out / 'portrait_overlay.png'}: Permission denied" in invoke("fit", portrait, "-o", out).stderr
