"""`stn3dmm prepare` on a mesh that the tests write: the model that comes out, and what it says meanwhile."""

from __future__ import annotations

import contextlib
import importlib

import numpy as np
import pytest
import scipy.io
import stn3dmm

from .dome import SIDE, dome_vertices, own_uv
from .test_cli import complaint, run

command = importlib.import_module("stn3dmm.cli.prepare")  # the package's attribute of this name is the function


def test_prepare_writes_a_model(prepared):
    out, result = prepared
    model = stn3dmm.load_model(out / "dome.npz")
    assert model.grid_shape == (31, 27)
    assert model.mode_names == ("identity/deep", "identity/wide", "expression/up")
    assert result["mode_names"] == list(model.mode_names)
    mean, modes = model.mean.reshape(31, 27, 3), model.basis.reshape(3, 31, 27, 3)
    # Symmetric to the bit, upright, forehead first, and the corners of the mesh in the corners of the grid.
    np.testing.assert_array_equal(mean[:, ::-1] * (-1, 1, 1), mean)
    assert (np.diff(mean[..., 0], axis=1) > 0).all()
    assert (np.diff(mean[..., 1], axis=0) < 0).all()
    np.testing.assert_allclose(mean[[0, 0, -1, -1], [0, -1, 0, -1]], dome_vertices()[[0, 12, 156, 168]], atol=1e-3)
    # Each mode is the linear function of the place that the files hold; blendshapes are half as large by default.
    np.testing.assert_allclose(modes[1], mean * (0.1, 0, 0), atol=1e-3)
    np.testing.assert_allclose(modes[0], mean * (0, 0, 0.2), atol=1e-3)
    assert modes[2, ..., 1] == pytest.approx(8 * stn3dmm.formats.blendshapes.STANDARD_DEVIATION, abs=1e-3)
    # The grid vertices that are not valid lie in the missing cells.
    x, y = mean[..., 0].ravel(), mean[..., 1].ravel()
    hole = (np.abs(x) < 80 / 6) & (y < 100 - 8 * 200 / 12) & (y > 100 - 9 * 200 / 12)
    assert (~model.valid).sum() > 0
    assert not (~model.valid & ~hole).any()
    assert result["report"]["invalid"] == (~model.valid).sum()
    found = model.landmarks["aflw21"]
    assert (found >= 0).tolist() == [*[True] * 6, *[False] * 8, True, *[False] * 5, True]
    wanted = dome_vertices()[[3 * SIDE + 2, 12 * SIDE + 6]]
    assert np.linalg.norm(model.mean[found[[0, 20]]] - wanted, axis=1) == pytest.approx(
        [result["report"]["landmarks"]["aflw21"][k] for k in (0, 20)], abs=1e-3
    )


def test_prepare_tells_people(dome, tmp_path):
    text = run("prepare", dome, "-o", tmp_path / "new" / "a.npz", "--size", "9", "--identity", 1, "--expressions", 0)
    assert "9 x 9 = 81 vertices, 128 triangles, 1 identity and 0 expression modes" in " ".join(text.split())
    assert "1, rim of 6 vertices (" in text
    assert "Note: No landmarks: the orientation was not checked" in text
    assert text.splitlines()[-1].split() == ["->", str(tmp_path / "new" / "a.npz")]
    assert stn3dmm.load_model(tmp_path / "new" / "a.npz").mode_names == ("identity/deep",)


@pytest.mark.parametrize("kind", ["own", "mat", "npy"])
def test_prepare_with_a_given_map(dome, tmp_path, kind):
    files = {"own": "own", "mat": tmp_path / "uv.mat", "npy": tmp_path / "uv.npy"}
    scipy.io.savemat(files["mat"], {"UV": own_uv(), "remark": "mine"})
    np.save(files["npy"], own_uv())
    run("prepare", dome, "-o", tmp_path / "a.npz", "--uv", files[kind], "--size", SIDE)
    np.testing.assert_allclose(stn3dmm.load_model(tmp_path / "a.npz").mean, dome_vertices(), atol=1e-4)


def test_prepare_replaces_what_was_there(dome, tmp_path):
    out = tmp_path / "a.npz"
    out.write_text("old")
    assert "--size must be" in complaint("prepare", dome, "-o", out, "--size", "1")
    assert out.read_text() == "old"
    run("prepare", dome, "-o", out, "--size", "8")
    assert stn3dmm.load_model(out).grid_shape == (8, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_prepare_shows_every_stage(dome, tmp_path, monkeypatch):
    """The bars are as long as the work, and tell its stages."""
    bars: list[tuple[int, list[str]]] = []

    @contextlib.contextmanager
    def recorded(total, what):
        bars.append((total, []))
        yield bars[-1][1].append

    monkeypatch.setattr(command, "progress", recorded)
    run("prepare", dome, "-o", tmp_path / "a.npz", "--size", "8", "--report", tmp_path / "r")
    assert [len(names) for _, names in bars] == [total for total, _ in bars]
    assert bars[0][1] == list(command.STEPS)
    assert bars[1][1][:2] == ["uv map", "checkerboard"]
    assert bars[2][1] == ["a.npz"]
