"""The report of `stn3dmm prepare`: its files, its page, and pictures that show what they say."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import stn3dmm
from PIL import Image

from .test_cli import run

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


def test_report_replaces_the_pictures_of_an_earlier_one(dome, prepared, tmp_path):
    """Those that it would have written, and of a report alone."""
    folder = tmp_path / "r"
    shutil.copytree(prepared[0] / "r", folder)
    shutil.copy(folder / "modes.png", folder / "mine.png")
    options = ("--size", "8", "--report")
    run("prepare", dome / "mean.obj", "-o", tmp_path / "a.npz", *options, folder)
    assert {path.stem for path in folder.glob("*.png")} == PICTURES.keys() - {"modes", "landmarks_aflw21"} | {"mine"}
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "mine.png", other / "modes.png")
    run("prepare", dome / "mean.obj", "-o", tmp_path / "a.npz", *options, other)
    assert (other / "modes.png").is_file()


def test_modes_say_which_side_is_which(prepared):
    """Words in the upper left corner of each face, minus in its left half and plus in its right one."""
    with Image.open(prepared[0] / "r" / "modes.png") as image:
        sheet = np.asarray(image.convert("L"))
    corners = [sheet[21 : 21 + 18, left : left + 24] for left in (0, 118)]
    dark = [(corner < 100).sum() for corner in corners]
    assert dark[1] > dark[0] > 10  # the plus has more ink than the minus


def test_prepare_without_modes(dome, tmp_path):
    """A bare mesh is a model of one shape, and its report has no sheet of modes."""
    run("prepare", dome / "mean.obj", "-o", tmp_path / "a.npz", "--size", "8", "--report", tmp_path / "r")
    assert stn3dmm.load_model(tmp_path / "a.npz").mode_count == 0
    assert {path.stem for path in (tmp_path / "r").glob("*.png")} == PICTURES.keys() - {"modes", "landmarks_aflw21"}
