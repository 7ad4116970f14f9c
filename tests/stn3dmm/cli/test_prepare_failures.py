"""What `stn3dmm prepare` refuses, and what it leaves behind when it ends early: nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import stn3dmm
import trimesh
from stn3dmm import cli
from stn3dmm.prepare import model as prepare_model_module
from typer.testing import CliRunner

from ..formats import fuzz
from .dome import dome_vertices, own_uv, write_obj
from .test_cli import complaint


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_prepare_rejects_and_writes_nothing(dome, tmp_path):
    out, work = tmp_path / "out", tmp_path / "in"
    work.mkdir()
    (work / "short.anl").write_text("1\n2\n")
    (work / "far.json").write_text(json.dumps({"aflw21": [999] * 21}))
    (work / "wrong.bin").write_bytes(b"no shapes")
    np.save(work / "short.npy", own_uv()[:5])
    np.save(work / "nan.npy", own_uv() * np.nan)
    (work / "torn.npy").write_bytes((work / "nan.npy").read_bytes()[:200])
    bare = write_obj(work / "bare.obj", dome_vertices())
    closed = trimesh.creation.icosphere(2, 90.0)
    closed.export(work / "closed.ply")
    (work / "file").write_text("")
    (work / "folder.npz").mkdir()
    stn3dmm.embedded_model().save(work / "grid.npz")

    def says(source, *arguments, output=out / "a.npz"):
        return complaint("prepare", source, "-o", output, "--report", out / "r", *arguments)

    assert "no such file or folder; expected a morphable model" in says(work / "nothing")
    assert "lies on a texture grid already" in says(work / "grid.npz")
    assert "not a known morphable model" in says(work / "wrong.bin")
    assert f"{work / 'closed.ply'}: the surface is closed" in says(work / "closed.ply")
    assert "wrong.bin: expected an OBJ or PLY mesh" in says(dome, "--expression", work / "wrong.bin")
    assert "nothing: no such file" in says(dome, "--expression", work / "nothing")
    assert "2 landmarks; expected 21 (AFLW) or 68 (iBUG)" in says(dome, "-l", work / "short.anl")
    assert "none of the mesh's 169 vertices" in says(dome, "-l", work / "far.json")
    assert "nothing.anl: no such file" in says(dome, "-l", work / "nothing.anl")
    assert "takes no option 'part' (--part); leave it out" in says(dome, "--part", "narrow")
    assert "(--authors-expressions); leave it out" in says(dome, "--authors-expressions")
    for size in ("1", "0", "-5", "112x", "x112", "1x5", "5000", "ten", "3x3x3", "9" * 50):
        assert "--size must be a number from 2 to 4096, or two as in 112x96" in says(dome, "--size", size)
    assert "--identity must be 0 or more modes; got -1" in says(dome, "--identity", "-1")
    assert "--expressions must be 0 or more modes; got -1" in says(dome, "--expressions", "-1")
    assert "--weights must be one of auto, cotangent, mean-value, clamped; got 'round'" in says(
        dome, "--weights", "round"
    )
    assert "leave out one of them" in says(dome, "--weights", "clamped", "--uv", "own")
    assert "this mesh has no texture coordinates; leave" in says(bare, "--uv", "own")
    seam = write_obj(work / "seam.obj", dome_vertices(), own_uv())
    seam.write_text(seam.read_text().replace(" 20/20 ", " 20/21 ", 1))
    assert "has texture coordinates with a seam, where a vertex has two" in says(seam, "--uv", "own")
    assert "nothing.mat: no such file; expected UV coordinates" in says(dome, "--uv", work / "nothing.mat")
    assert "expected one array (169, 2) of numbers" in says(dome, "--uv", work / "short.npy")
    assert "NaN or infinite" in says(dome, "--uv", work / "nan.npy")
    assert "a damaged NumPy array" in says(dome, "--uv", work / "torn.npy")
    assert "not a readable MATLAB file" in says(dome, "--uv", work / "wrong.bin")
    assert "--output must be a .npz file" in says(dome, output=out / "a.mat")
    assert "folder.npz: a folder; expected a file to write" in says(dome, output=work / "folder.npz")
    assert "file: not a folder; expected a folder for the results" in says(dome, output=work / "file" / "a.npz")
    assert "--output would overwrite" in says(work / "grid.npz", output=work / "grid.npz")
    assert "file: not a folder" in complaint("prepare", dome, "-o", out / "a.npz", "--report", work / "file")
    assert not out.exists()


SEEDS = fuzz.formats()
DAMAGE = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "garbage": lambda content: content[:16] + np.random.default_rng(0).bytes(500),
}


@pytest.mark.parametrize("damage", [*DAMAGE, "folder"])
@pytest.mark.parametrize("name", sorted(SEEDS))
def test_damaged_models_are_refused_in_one_line(tmp_path, name, damage):
    work = tmp_path / "in"
    work.mkdir()
    source = SEEDS[name].write(work)
    file = source if source.is_file() else min(path for path in source.rglob("*") if path.is_file())
    content = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    else:
        file.write_bytes(DAMAGE[damage](content))
    before = sorted(tmp_path.rglob("*"))
    options = [(f"--{key}", value.replace("FOLDER/", f"{work}/")) for key, value in SEEDS[name].options.items()]
    arguments = [word for option in options for word in option]
    if SEEDS[name].reader == "read_mesh":
        line = complaint("prepare", source, "-o", tmp_path / "a.npz", "--report", tmp_path / "r", *arguments)
    else:
        line = complaint("export", source, "-o", tmp_path / "a.glb")
    assert str(source) in line or str(file) in line
    assert sorted(tmp_path.rglob("*")) == before


def test_any_command_names_the_mesh_that_it_cannot_flatten(tmp_path):
    closed = tmp_path / "closed.ply"
    trimesh.creation.icosphere(2, 90.0).export(closed)
    result = CliRunner().invoke(cli.app, ["export", str(closed), "-o", str(tmp_path / "a.glb")])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"stn3dmm: {closed}: the surface is closed")
    assert files_in(tmp_path) == ["closed.ply"]


def test_prepare_checks_before_long_work(dome, tmp_path, monkeypatch):
    monkeypatch.setattr("stn3dmm.formats.read_mesh", lambda *arguments, **options: pytest.fail("read too early"))
    (tmp_path / "r" / "report.html").mkdir(parents=True)
    (tmp_path / "a.npz").mkdir()
    assert "a folder" in complaint("prepare", dome, "-o", tmp_path / "a.npz")
    assert "a folder" in complaint("prepare", dome, "-o", tmp_path / "b.npz", "--report", tmp_path / "r")


@pytest.mark.parametrize("where", ["stn3dmm.prepare.pictures.uv_map", "stn3dmm.formats.images.write_png"])
def test_interrupted_leaves_nothing(dome, tmp_path, monkeypatch, where):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
    arguments = ("prepare", dome, "-o", tmp_path / "a.npz", "--size", "8", "--report", tmp_path / "r")
    assert complaint(*arguments, code=130) == "stn3dmm: interrupted"
    assert files_in(tmp_path) == []


def test_out_of_memory_is_one_sentence(dome, tmp_path, monkeypatch):
    def exhausted(*arguments):
        raise MemoryError

    monkeypatch.setattr(prepare_model_module, "locate", exhausted)
    assert "out of memory at --size 8" in complaint("prepare", dome, "-o", tmp_path / "a.npz", "--size", "8")
