"""`stn3dmm prepare`: meshes that the tests write and real models, up to fits; its report; what it refuses."""

from __future__ import annotations

import contextlib
import importlib
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import stn3dmm
import trimesh
from PIL import Image
from scipy.spatial import cKDTree
from stn3dmm.formats.labels import read_mat
from stn3dmm.formats.sfm import read as read_sfm
from stn3dmm.prepare import model as prepare_model_module

from .test_cli import complaint, run

command = importlib.import_module("stn3dmm.cli.prepare")  # the package's attribute of this name is the function

SIDE = 13  # vertices along each side of the dome
PICTURES = {  # of the dome on 31 x 27 vertices: width and height
    "uv_map": (1280, 1280),
    "checkerboard": (2 * 480 + 16, 640),
    "mesh": (2 * 480 + 16, 640),
    "geometry_image": (4 * 11 * 27 + 3 * 16, 11 * 31 + 25),
    "valid": (20 * 27, 20 * 31),
    "distortion": (640 + 2 * (480 + 16), 2 * (640 + 25 + 8 + 47) + 16),
    "landmarks_aflw21": (2 * 620 + 16, 760),
    "modes": (3 * 2 * 118 + 2 * 16, 165 + 21),
}


def dome_vertices() -> np.ndarray:
    """(169, 3) a dome in millimetres, 160 wide and 200 high, row by row from its upper left."""
    y, x = np.meshgrid(np.linspace(100, -100, SIDE), np.linspace(-80, 80, SIDE), indexing="ij")
    return np.stack([x, y, 60 - x**2 / 200 - y**2 / 400], axis=-1).reshape(-1, 3)


def dome_quads() -> list[tuple[int, int, int, int]]:
    """The cells counter-clockwise seen from the front, without the one that would be the mouth."""
    cells = [(row, column) for row in range(SIDE - 1) for column in range(SIDE - 1)]
    mouth = {(8, 5), (8, 6)}
    return [
        (r * SIDE + c, (r + 1) * SIDE + c, (r + 1) * SIDE + c + 1, r * SIDE + c + 1)
        for r, c in cells
        if (r, c) not in mouth
    ]


def write_obj(path: Path, vertices: np.ndarray, uv: np.ndarray | None = None) -> Path:
    corner = "{0}" if uv is None else "{0}/{0}"
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices]
    lines += [] if uv is None else [f"vt {u:.9g} {v:.9g}" for u, v in uv]
    lines += ["f " + " ".join(corner.format(index + 1) for index in quad) for quad in dome_quads()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def own_uv() -> np.ndarray:
    """(169, 2) the dome's vertices on the square, evenly."""
    v, u = np.meshgrid(np.linspace(1, 0, SIDE), np.linspace(0, 1, SIDE), indexing="ij")
    return np.stack([u, v], axis=-1).reshape(-1, 2)


@pytest.fixture(scope="module")
def dome(tmp_path_factory) -> Path:
    """A folder: the mean with texture coordinates, two identities, one expression; landmarks.json beside it."""
    folder = tmp_path_factory.mktemp("in") / "dome"
    vertices = dome_vertices()
    write_obj(folder / "mean.obj", vertices, own_uv())
    write_obj(folder / "identity" / "wide.obj", vertices * (1.1, 1, 1))
    write_obj(folder / "identity" / "deep.obj", vertices * (1, 1, 1.2))
    write_obj(folder / "expression" / "up.obj", vertices + np.array([0, 8, 0]))
    brows = [3 * SIDE + column for column in (2, 3, 4, 8, 9, 10)]
    landmarks = [*brows, *[-1] * 8, 6 * SIDE + 6, *[-1] * 5, 12 * SIDE + 6]
    (folder.parent / "landmarks.json").write_text(json.dumps({"aflw21": landmarks}))
    return folder


@pytest.fixture(scope="module")
def prepared(dome, tmp_path_factory):
    """The dome at 31 x 27 with its report: (folder, JSON)."""
    out = tmp_path_factory.mktemp("out")
    landmarks = dome.parent / "landmarks.json"
    text = run(
        "prepare", dome, "-o", out / "dome.npz", "--size", "31x27", "--landmarks", landmarks, "--report", out / "r",
        "--json",
    )  # fmt: skip
    return out, json.loads(text)


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


def test_prepare_writes_a_report(prepared):
    out, result = prepared
    assert sorted(path.name for path in out.iterdir()) == ["dome.npz", "r"]
    names = {path.name for path in (out / "r").iterdir()}
    assert names == {"report.html", "report.json", *(f"{name}.png" for name in PICTURES)}
    assert result["files"][0] == str(out / "dome.npz")
    assert {Path(file).name for file in result["files"][1:]} == names
    assert json.loads((out / "r" / "report.json").read_text()) == {
        name: value for name, value in result.items() if name != "files"
    }
    assert result["report"]["flips"] == {"cotangent": 0}
    assert [hole["boundary_vertices"] for hole in result["report"]["holes"]] == [6]


class Places(HTMLParser):
    """All places that a page loads from, and its words."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []
        self.words = ""

    def handle_starttag(self, tag, attrs):
        self.places += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words += data


def test_report_page_is_self_contained(prepared):
    page = Places()
    page.feed((prepared[0] / "r" / "report.html").read_text())
    assert len(page.places) == len(PICTURES)
    assert all(place.startswith("data:image/") for place in page.places)
    for words in ("169 vertices", "31 x 27 = 837 vertices", "2 identity and 1 expression modes", "0 (cotangent)"):
        assert words in page.words


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_pictures_are_not_blank(prepared, name):
    with Image.open(prepared[0] / "r" / f"{name}.png") as image:
        assert image.size == PICTURES[name]
        pixels = np.asarray(image.convert("RGB")).astype(float)
    drawn = np.abs(pixels - 255).max(axis=2) > 20
    assert drawn.mean() > 0.2
    assert pixels[drawn].std() > 10


def test_pictures_are_upright_and_unmirrored(prepared):
    def picture(name):
        return np.asarray(Image.open(prepared[0] / "r" / f"{name}.png").convert("RGB")).astype(float)

    uv = picture("uv_map")
    assert uv.shape == (1280, 1280, 3)
    # The hole is red, below the middle; the checks are blue at the image's left and orange at its right.
    red = (uv[..., 0] > 150) & (uv[..., 1] < 110) & (uv[..., 2] < 110)
    row, column = np.argwhere(red).mean(axis=0) / 1280
    assert (row, column) == pytest.approx((0.71, 0.5), abs=0.06)
    face = picture("checkerboard")[:, :480]
    blue = face[..., 2] > face[..., 0] + 60
    orange = face[..., 0] > face[..., 2] + 60
    assert np.argwhere(blue)[:, 1].max() <= np.argwhere(orange)[:, 1].min()
    # Brighter towards the forehead.
    rows, columns = np.nonzero(orange)
    upper, lower = rows < 213, rows > 426
    assert face[rows[upper], columns[upper], 0].mean() > face[rows[lower], columns[lower], 0].mean() + 20
    # Valid: red where the model is not, enlarged by a whole factor.
    model = stn3dmm.load_model(prepared[0] / "dome.npz")
    grid = picture("valid").reshape(31, 20, 27, 20, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(grid[..., 0] > grid[..., 1] + 60, ~model.valid.reshape(31, 27))
    # The geometry image's red grows to the right with x, its green upwards with y.
    tile = picture("geometry_image")[30:300, 5:250]
    assert tile[:, -5:, 0].mean() > tile[:, :5, 0].mean() + 150
    assert tile[:5, :, 1].mean() > tile[-5:, :, 1].mean() + 150


def test_prepare_tells_people(dome, tmp_path):
    text = run("prepare", dome, "-o", tmp_path / "new" / "a.npz", "--size", "9", "--identity", 1, "--expressions", 0)
    assert "9 x 9 = 81 vertices, 128 triangles, 1 identity and 0 expression modes" in " ".join(text.split())
    assert "1: 6 vertices around" in text
    assert text.splitlines()[-1].split() == ["->", str(tmp_path / "new" / "a.npz")]
    assert stn3dmm.load_model(tmp_path / "new" / "a.npz").mode_names == ("identity/deep",)


def test_prepare_without_modes(dome, tmp_path):
    """A bare mesh is a model of one shape, and its report has no sheet of modes."""
    run("prepare", dome / "mean.obj", "-o", tmp_path / "a.npz", "--size", "8", "--report", tmp_path / "r")
    assert stn3dmm.load_model(tmp_path / "a.npz").mode_count == 0
    assert {path.stem for path in (tmp_path / "r").glob("*.png")} == PICTURES.keys() - {"modes", "landmarks_aflw21"}


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
    assert "takes no option 'part'" in says(dome, "--part", "narrow")
    for size in ("1", "0", "-5", "112x", "x112", "1x5", "5000", "ten", "3x3x3", "9" * 50):
        assert "--size must be a number from 2 to 4096, or two as in 112x96" in says(dome, "--size", size)
    assert "--identity must be 0 or more modes; got -1" in says(dome, "--identity", "-1")
    assert "--expressions must be 0 or more modes; got -1" in says(dome, "--expressions", "-1")
    assert "--weights must be one of auto, cotangent, mean-value, clamped; got 'round'" in says(
        dome, "--weights", "round"
    )
    assert "leave out one of them" in says(dome, "--weights", "clamped", "--uv", "own")
    assert "no texture coordinates" in says(bare, "--uv", "own")
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
    run("prepare", dome, "-o", tmp_path / "a.npz", "--size", "8", "--report", tmp_path / "r", code=130)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_out_of_memory_is_one_sentence(dome, tmp_path, monkeypatch):
    def exhausted(*arguments):
        raise MemoryError

    monkeypatch.setattr(prepare_model_module, "locate", exhausted)
    assert "out of memory at --size 8" in complaint("prepare", dome, "-o", tmp_path / "a.npz", "--size", "8")


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


def mean_nme(model: stn3dmm.MorphableModel, folder: Path) -> float:
    """Per cent, over the AFLW2000-3D photographs of a folder."""
    errors = []
    for path in sorted(folder.glob("*.mat")):
        points = read_mat(path, "ibug68").points
        width, height = np.ptp(points, axis=0)
        fit = stn3dmm.fit_landmarks(model, points, indices="ibug68")
        errors.append(100 * float(fit.error[0]) / np.sqrt(width * height))
    assert errors
    return float(np.mean(errors))


def test_real_ict_to_fits_and_glb(real_data, tmp_path):
    result = json.loads(run("prepare", real_data / "ict", "-o", tmp_path / "ict.npz", "--json"))
    report = result["report"]
    assert report["flips"] == {"cotangent": 0}
    assert report["distortion"]["least_area"] >= -1e-12
    assert report["uv_symmetry_error"] <= 1e-6
    assert [hole["boundary_vertices"] for hole in report["holes"]] == [74, 42, 42]
    assert all(hole["grid_vertices"] > 0 for hole in report["holes"])
    model = stn3dmm.load_model(tmp_path / "ict.npz")
    assert sum(name.startswith("identity/") for name in model.mode_names) == 10
    assert (model.landmarks["ibug68"] >= 0).all()
    assert mean_nme(model, real_data / "aflw2000") <= 2.3
    run("export", tmp_path / "ict.npz", "-o", tmp_path / "ict.glb")
    mesh = trimesh.load_mesh(tmp_path / "ict.glb")
    assert 0.1 < np.ptp(mesh.vertices, axis=0).max() < 0.4  # metres
    photograph = real_data / "aflw2000" / "image00050.jpg"
    fits = json.loads(
        run("fit", photograph, "--points", "ibug68", "-m", tmp_path / "ict.npz", "-o", tmp_path, "--json")
    )
    assert fits["failures"] == []
    assert fits["faces"][0]["normalised_error"] < 0.03


def test_real_sfm(real_data, tmp_path):
    folder = real_data / "sfm"
    result = json.loads(
        run(
            "prepare", folder / "sfm_shape_3448.bin", "--expression", folder / "expression_blendshapes_3448.bin",
            "-o", tmp_path / "sfm.npz", "--size", "112x96", "--json",
        )
    )  # fmt: skip
    model = stn3dmm.load_model(tmp_path / "sfm.npz")
    assert model.grid_shape == (112, 96)
    assert model.mode_count == 36
    assert (model.landmarks["ibug68"] >= 0).sum() == 50
    assert result["report"]["flips"] == {"cotangent": 0}
    assert [hole["boundary_vertices"] for hole in result["report"]["holes"]] == [48]
    assert 0 < result["report"]["invalid"] < 300
    # The resampled face is the mesh's: every grid vertex on it is as near to a vertex as its triangles are long.
    mesh = read_sfm(folder / "sfm_shape_3448.bin")
    assert cKDTree(mesh.mean).query(model.mean[model.valid])[0].max() < 6
    assert mean_nme(model, real_data / "aflw2000") <= 2.3
