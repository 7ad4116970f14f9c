"""The command line: results on disk and as JSON; one line and exit code 2 for every kind of bad input."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image
from stn3dmm import cli
from stn3dmm.demo import astronaut
from stn3dmm.fit_file import load_fit
from typer.testing import CliRunner

COMMANDS = ("demo", "fit", "flatten", "average", "prepare", "export", "train", "evaluate", "bench", "doctor")


def run(*arguments: object, code: int = 0) -> str:
    """stdout of a command that must end with this exit code."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}\n{result.exception}"
    return result.stdout


def complaint(*arguments: object, code: int = 2) -> str:
    """The one line on stderr of a command that must fail."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exit_code == code, f"{result.stdout}\n{result.stderr}"
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("stn3dmm: ")
    assert "Traceback" not in result.stderr
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command):
    text = run(command, "--help")
    assert f"Example: stn3dmm {command}" in text


def test_help_and_version():
    text = run("--help")
    assert all(command in text for command in COMMANDS)
    assert run("--version").startswith("stn3dmm-cuda ")


def test_fit_flatten_average(portrait, tmp_path):
    out = tmp_path / "out"
    result = json.loads(run("fit", portrait, "--output", out, "--json"))
    (face,) = result["faces"]
    assert face["error"] < 2
    assert face["landmark_set"] == "ibug68"
    assert sorted(path.name for path in out.iterdir()) == [
        "portrait_fit.json",
        "portrait_mask.png",
        "portrait_overlay.png",
        "portrait_texture.png",
    ]
    assert load_fit(out / "portrait_fit.json").theta.tolist() == face["theta"]
    again = tmp_path / "again"
    run("flatten", portrait, "--fits", out, "-o", again)
    for name in ("portrait_texture.png", "portrait_mask.png"):
        assert (again / name).read_bytes() == (out / name).read_bytes()
    second = portrait.with_name("second.png")
    shutil.copy(portrait, second)
    shutil.copy(out / "portrait_fit.json", out / "second_fit.json")
    summary = json.loads(run("average", portrait, second, "--fits", out, "-o", again / "mean.png", "--json"))
    assert summary["photographs"] == 2
    mean, texture, mask = (
        np.asarray(Image.open(path), dtype=int)
        for path in (again / "mean.png", again / "portrait_texture.png", again / "portrait_mask.png")
    )
    assert (np.abs(mean - texture)[mask > 0] <= 1).all()
    assert set(np.unique(np.asarray(Image.open(again / "mean_weight.png")))) <= {0, 255}


def test_fit_tells_of_implausible_shapes(portrait, tmp_path):
    said = "portrait.png: an implausible shape (largest |alpha| "
    text = run("fit", portrait, "--output", tmp_path, "--prior-weight", "0.001")
    assert said in text
    assert "raise --prior-weight (0.001)." in text
    assert said not in run("fit", portrait, "--output", tmp_path)
    result = json.loads(run("fit", portrait, "--output", tmp_path, "--prior-weight", "0.001", "--json"))
    assert [note.startswith(said) for note in result["faces"][0]["notes"]] == [True]


def test_fit_without_landmarks_of_the_model_names_the_remedy(portrait, embedded, tmp_path):
    dataclasses.replace(embedded, landmarks={}).save(tmp_path / "bare.npz")
    line = complaint("fit", portrait, "-m", tmp_path / "bare.npz", "-o", tmp_path).splitlines()[-1]
    assert "has no landmarks 'ibug68'; it has none. Prepare it again with --landmarks FILE, or" in line


def test_fit_takes_every_kind_of_landmarks(portrait, tmp_path):
    _, _, annotation = astronaut()
    expected = json.loads(run("fit", portrait, "-o", tmp_path, "--json"))["faces"][0]["error"]
    pts = portrait.with_suffix(".pts")
    table = tmp_path / "table.csv"
    header = ",".join(f"x{k},y{k}" for k in range(1, 69))
    row = ",".join(f"{x:.2f},{y:.2f}" for x, y in annotation.points)
    table.write_text(f"file,{header}\nportrait.png,{row}\n")
    labels = tmp_path / "portrait.mat"
    scipy.io.savemat(labels, {"pt3d_68": np.vstack([annotation.points.T + 1, np.zeros(68)])})
    for source in (pts, pts.parent, table, labels, tmp_path):
        result = json.loads(run("fit", portrait, "-l", source, "-o", tmp_path, "--json"))
        assert result["faces"][0]["error"] == pytest.approx(expected, abs=1e-3)


def test_fit_writes_npz_and_respects_the_model(portrait, tmp_path, embedded):
    embedded.save(tmp_path / "model.npz")
    run("fit", portrait, "-o", tmp_path, "--format", "npz", "--model", tmp_path / "model.npz", "--points", "ibug68")
    assert load_fit(tmp_path / "portrait_fit.npz").mode_names == embedded.mode_names


def test_no_temporary_files_remain(portrait, tmp_path):
    run("fit", portrait, "-o", tmp_path / "out")
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_demo(tmp_path):
    result = json.loads(run("demo", "-o", tmp_path / "demo", "--steps", "4", "--json"))
    assert result["training"]["steps"] == 4
    assert (tmp_path / "demo" / "localiser" / "last.pt").is_file()
    assert (tmp_path / "demo" / "report.html").stat().st_size > 50_000
    assert all(Path(path).is_file() for path in result["files"])


def test_demo_with_the_authors_layout(model_mat, demodata_mat, tmp_path):
    out = run("demo", "-o", tmp_path / "demo", "--steps", "0", "--model", model_mat, "--data", demodata_mat)
    assert "face2" in out
    assert (tmp_path / "demo" / "face1_texture.png").is_file()


def test_real_demo_with_the_authors_material(real_data, tmp_path):
    model = real_data / "bas2017" / "model.mat"
    result = json.loads(run("demo", "-o", tmp_path, "--steps", "0", "-m", model, "-d", real_data, "--json"))
    assert len(result["faces"]) == 6
    assert max(face["error"] for face in result["faces"]) <= 2.6


def test_doctor():
    result = json.loads(run("doctor", "--json"))
    assert result["healthy"]
    assert "agrees with the reference" in result["findings"]["operators (CPU)"]
    text = run("doctor")
    assert "All is well." in text
    assert "instruction set" in text


def test_doctor_without_operators(monkeypatch):
    """A missing or broken library is a finding with a remedy, never a crash."""
    monkeypatch.setitem(sys.modules, "stn3dmm_cuda", None)
    text = run("doctor", code=1)
    assert "broken: ModuleNotFoundError" in text
    assert "pip install ." in text


def test_broken_installation_is_one_line(monkeypatch, portrait, tmp_path):
    for name in [name for name in sys.modules if name.startswith(("stn3dmm.fitted_face", "stn3dmm.fit"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "stn3dmm_cuda", None)
    assert "run 'stn3dmm doctor'" in complaint("fit", portrait, "-o", tmp_path, code=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit"], "Missing argument"),
        (["dance"], "No such command"),
        (["fit", "--no-such-option"], "No such option"),
        (["fit", "nothing.jpg"], "nothing.jpg: no such file; expected a photograph"),
        (["flatten", "nothing.jpg"], "nothing.jpg: no such file"),
        (["average", "nothing.jpg"], "nothing.jpg: no such file"),
        (["demo", "--data", "nothing"], "no demodata.mat there"),
        (["demo", "--model", "nothing.mat"], "nothing.mat: no such file or folder; expected a morphable model"),
        (["average", "a.png", "-o", "mean.gif"], "must be a .png file"),
    ],
)
def test_bad_arguments(arguments, message):
    assert message in complaint(*arguments)


def test_bad_photographs(portrait, tmp_path):
    pts = portrait.with_suffix(".pts")
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    assert "not a picture" in complaint("fit", text, "-l", pts, "-o", tmp_path)
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(portrait.read_bytes()[:5000])
    assert "damaged picture" in complaint("fit", truncated, "-l", pts, "-o", tmp_path)
    assert "not a file" in complaint("fit", tmp_path, "-l", pts)
    shutil.copy(portrait, tmp_path / "portrait.png")
    assert "would both be written as 'portrait'" in complaint("fit", portrait, tmp_path / "portrait.png")
    tiny = tmp_path / "tiny.png"
    Image.new("RGB", (4, 4)).save(tiny)
    assert "no landmark lies in the 4 x 4 photograph" in complaint("fit", tiny, "-l", pts, "-o", tmp_path)
    assert not list(tmp_path.glob("*_fit.*"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.pts", "{\n1 2\n3 4\n}\n", "2 landmarks; expected 21 (AFLW) or 68 (iBUG)"),
        ("a.pts", "", "not a .pts file"),
        ("a.pts", "{\n" + "nan nan\n" * 68 + "}\n", "0 usable landmarks"),
        ("a.pts", "{\n" + "7 7\n" * 68 + "}\n", "lie on one point"),
        ("a.csv", "", "empty; expected the header"),
        ("a.csv", "file,x1,y1,v1\nother.png,1,2,1\n", "no row for portrait.png"),
        ("a.mat", "no MATLAB file at all, but long enough to have a header" * 9, "not a readable MATLAB file"),
        ("a.txt", "1 2", "unknown landmark file '.txt'"),
    ],
)
def test_bad_landmarks(portrait, tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    assert message in complaint("fit", portrait, "-l", path, "-o", tmp_path)


def test_landmarks_that_do_not_match(portrait, tmp_path):
    pts = portrait.with_suffix(".pts")
    assert "1 photographs but 2 landmark files" in complaint("fit", portrait, "-l", pts, "-l", pts)
    assert "which is not aflw21" in complaint("fit", portrait, "--points", "aflw21")
    assert "--points must be one of" in complaint("fit", portrait, "--points", "dlib5")
    assert "--format must be one of" in complaint("fit", portrait, "--format", "xml")
    for weight in ("-1", "nan", "inf"):
        assert "--prior-weight must be" in complaint("fit", portrait, "--prior-weight", weight, "-o", tmp_path)
    pts.unlink()
    assert "neither portrait.pts nor portrait.mat" in complaint("fit", portrait)


def test_bad_fits(portrait, tmp_path, embedded):
    out = tmp_path / "out"
    assert "no fit: neither portrait_fit.json" in complaint("flatten", portrait, "--fits", tmp_path)
    run("fit", portrait, "-o", out)
    fit = out / "portrait_fit.json"
    assert "photographs but one fit" in complaint("flatten", portrait, __file__, "--fits", fit)
    content = json.loads(fit.read_text())
    fit.write_text(json.dumps(content | {"image_size": [9, 9]}))
    assert "512 x 512 pixels, but the fit was made on 9 x 9" in complaint("flatten", portrait, "-f", fit, "-o", out)
    fit.write_text(json.dumps(content | {"theta": content["theta"][:16], "mode_names": content["mode_names"][:10]}))
    assert "belongs to another model" in complaint("flatten", portrait, "--fits", fit, "-o", out)
    fit.write_text("{")
    assert "not a fit that 'stn3dmm fit' wrote" in complaint("average", portrait, "--fits", out, "-o", out / "a.png")
    shutil.copy(fit, out / "portrait_fit.npz")
    assert "two fits" in complaint("flatten", portrait, "--fits", out)


def test_folder_that_cannot_be_written(portrait, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in complaint("fit", portrait, "-o", tmp_path / "file" / "out")
    assert "file" in complaint("demo", "-o", tmp_path / "file")


def test_subprocess_ends_as_promised(portrait, tmp_path):
    """The real process: stdout is JSON alone, stderr one line, exit codes 0 and 2."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", "from stn3dmm.cli import main; main()"]
    good = subprocess.run(
        [*command, "fit", str(portrait), "-o", str(tmp_path), "--json"],
        capture_output=True, text=True, timeout=300, env=environment, check=False,
    )  # fmt: skip
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["faces"][0]["error"] < 2
    assert good.stderr == ""
    bad = subprocess.run(
        [*command, "fit", "nothing.jpg"], capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    assert bad.returncode == 2
    assert bad.stdout == ""
    assert bad.stderr == "stn3dmm: nothing.jpg: no such file; expected a photograph (JPEG, PNG, ...).\n"
    empty = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert "Commands:" in empty.stdout
