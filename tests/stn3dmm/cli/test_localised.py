"""flatten and average with a trained localiser: folders, boxes, galleries, and what goes wrong with them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import stn3dmm
import trimesh
from PIL import Image
from stn3dmm.fit_file import load_fit
from stn3dmm.formats.images import read_image
from stn3dmm.localised import trained_checkpoint
from stn3dmm.training.checkpoint import load_checkpoint, save_checkpoint

from .localiser_files import write_people, write_run
from .test_cli import complaint, run
from .test_failures import invoke, names


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """best.pt of a run."""
    return write_run(tmp_path_factory.mktemp("localiser") / "run")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("originals") / "people", {"ann": 3, "bob": 2})


@pytest.fixture
def people(originals: Path, tmp_path: Path) -> Path:
    """ann/ with three photographs, bob/ with two."""
    return Path(shutil.copytree(originals, tmp_path / "people"))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path), dtype=int)


def test_flatten_folder(best, people, tmp_path):
    """As in Python, batches or not; sub-folders are kept."""
    results = []
    for batch_size in (1, 4):
        out = tmp_path / f"out{batch_size}"
        result = json.loads(run("flatten", people, "-c", best, "-o", out, "--batch-size", batch_size, "--json"))
        assert names(out) == ["ann", "bob"]
        kinds = [f"{view}_{kind}" for view in range(2) for kind in ("fit.json", "mask.png", "texture.png")]
        assert names(out / "bob") == kinds
        results.append(result["faces"])
    assert [face["found_by"] for face in results[0]] == [
        "landmarks", "whole photograph", "whole photograph", "landmarks", "whole photograph",
    ]  # fmt: skip
    assert [face["seen"] for face in results[0]] == pytest.approx([face["seen"] for face in results[1]], abs=2e-3)
    localiser = stn3dmm.load_localiser(best)
    photograph = read_image(people / "ann" / "1.png")
    theta = localiser.localise([photograph])
    record = load_fit(tmp_path / "out1" / "ann" / "1_fit.json")
    assert record.theta == pytest.approx(theta[0].numpy(), abs=1e-5)
    assert record.landmark_set == ""
    texture, _ = stn3dmm.flatten(photograph, localiser.model, theta)
    expected = (texture[0].permute(1, 2, 0) * 255).round().numpy()
    assert np.abs(pixels(tmp_path / "out1" / "ann" / "1_texture.png") - expected).max() <= 1


def test_flatten_again_takes_no_result_for_a_photograph(best, people):
    """Results beside the photographs, in the folder itself, and in one within it."""
    for output in (people / "ann", people / "ann" / "results"):
        for _ in range(2):
            assert len(json.loads(run("flatten", people / "ann", "-c", best, "-o", output, "--json"))["faces"]) == 3


def test_fits_of_a_localiser_serve_flatten_average_and_export(best, people, tmp_path):
    fits, again, model = tmp_path / "fits", tmp_path / "again", best.with_name("small.npz")
    run("flatten", people, "-c", best, "-o", fits)
    run("flatten", people, "--fits", fits, "-m", model, "-o", again)
    assert (again / "bob" / "1_texture.png").read_bytes() == (fits / "bob" / "1_texture.png").read_bytes()
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    run("average", people / "ann", "--fits", fits / "ann", "-m", model, "-o", one)
    run("average", people / "ann", "-c", best, "-o", other)
    assert np.abs(pixels(one) - pixels(other)).max() <= 1
    mesh = tmp_path / "ann.ply"
    run("export", fits / "ann" / "0_fit.json", "-m", model, "--image", people / "ann" / "0.png", "-o", mesh)
    assert len(trimesh.load(mesh, process=False).vertices) > 500


def test_boxes_say_where_the_face_is(best, people, tmp_path):
    """Rows by the end of a path, or the stem; a photograph without a row is reported, the others go on."""
    table = tmp_path / "boxes.csv"
    table.write_text("file,x0,y0,x1,y1\nann/0.png,10,20,50,60\n1.png,30,30,80,70\n2,0,0,95,95\n")
    result = json.loads(run("flatten", people / "ann", "-c", best, "-b", table, "-o", tmp_path / "a", "--json"))
    assert [face["found_by"] for face in result["faces"]] == ["box"] * 3
    text = run("flatten", people, "-c", best, "-b", table, "-o", tmp_path / "b", "--json", code=2)
    (failure,) = json.loads(text)["failures"]
    assert failure["image"] == str(people / "bob" / "0.png")
    assert failure["error"] == f"{table}: no row for 0.png; its file column holds ann/0.png, 1.png, 2, ..."
    assert names(tmp_path / "b" / "bob") == ["1_fit.json", "1_mask.png", "1_texture.png"]
    localiser = stn3dmm.load_localiser(best)
    for name, box in (("ann/0", (10.0, 20.0, 50.0, 60.0)), ("ann/2", (0.0, 0.0, 95.0, 95.0))):
        theta = localiser.localise([read_image(people / f"{name}.png")], [box])
        assert load_fit(tmp_path / "b" / f"{name}_fit.json").theta == pytest.approx(theta[0].numpy(), abs=1e-5)


def test_note_on_photographs_without_boxes(best, people, tmp_path):
    text = run("flatten", people / "bob", "-c", best, "-o", tmp_path / "out")
    assert text.splitlines()[-1].startswith("Note: 1 of 2 photographs had no box and no landmarks")
    assert "Note" not in run("flatten", people / "bob" / "0.png", "-c", best, "-o", tmp_path / "out")


def test_gallery(best, people, tmp_path):
    out = tmp_path / "gallery"
    result = json.loads(run("average", people, "-c", best, "-o", out, "--json"))
    assert names(out) == ["ann.png", "ann_weight.png", "bob.png", "bob_weight.png", "gallery.png"]
    assert [(person["name"], person["photographs"], person["left_out"]) for person in result["people"]] == [
        ("ann", 3, 0),
        ("bob", 2, 0),
    ]
    run("average", people / "ann", "-c", best, "-o", tmp_path / "ann.png")
    for name in ("ann.png", "ann_weight.png"):
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes()
    sheet = Image.open(out / "gallery.png")
    assert sheet.width > 2 * sheet.height * 0.8
    text = run("average", people / "ann", people / "bob", "-c", best, "-o", tmp_path / "again")
    assert (tmp_path / "again" / "gallery.png").read_bytes() == (out / "gallery.png").read_bytes()
    assert text.splitlines()[0].startswith("ann: 3 photographs, ")


def test_gallery_leaves_bad_photographs_out_and_goes_on(best, people, tmp_path):
    (people / "ann" / "1.png").write_text("no picture")
    (people / "eve").mkdir()
    (people / "eve" / "0.jpg").write_text("no picture")
    out = tmp_path / "gallery"
    result = invoke("average", people, "-c", best, "-o", out)
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert "ann/1.png: not a picture" in lines[0]
    assert "eve: none of 1 photographs could be flattened; left out." in lines[2]
    assert "ann: 2 photographs (1 left out), " in result.stdout
    assert names(out) == ["ann.png", "ann_weight.png", "bob.png", "bob_weight.png", "gallery.png"]
    shutil.rmtree(people / "ann")
    shutil.rmtree(people / "bob")
    (people / "fay").mkdir()
    (people / "fay" / "0.png").write_text("")
    assert len(invoke("average", people, "-c", best, "-o", tmp_path / "none").stderr.splitlines()) == 4
    assert not (tmp_path / "none").exists()


def test_average_of_one_person_still_is_whole_or_nothing(best, people, tmp_path):
    (people / "ann" / "1.png").write_text("no picture")
    assert "1.png: not a picture" in complaint("average", people / "ann", "-c", best, "-o", tmp_path / "ann.png")
    assert not (tmp_path / "ann.png").exists()


def test_options_that_do_not_go_together(best, people, tmp_path):
    assert "--fits and --checkpoint both say" in complaint("flatten", people, "-c", best, "-f", people)
    assert "--fits and --checkpoint both say" in complaint("average", people, "-c", best, "-f", people)
    assert "give its --checkpoint too" in complaint("flatten", people, "-b", people / "boxes.csv")
    assert "--output must be a folder for the pictures of 2 persons" in complaint(
        "average", people, "-c", best, "-o", tmp_path / "a.png"
    )
    assert "--output must be a .png file" in complaint("average", people / "ann", "-c", best, "-o", tmp_path / "a")
    assert "--device" in complaint("flatten", people, "-c", best, "--device", "abacus")


def test_folders_that_do_not_fit(best, people, tmp_path):
    (tmp_path / "empty").mkdir()
    for command in ("flatten", "average"):
        line = complaint(command, tmp_path / "empty", "-c", best)
        assert f"{tmp_path / 'empty'}: no photographs (.bmp, .jpeg, .jpg, " in line
    stray = people / "stray.png"
    shutil.copy(people / "ann" / "0.png", stray)
    assert f"{stray}: a photograph beside the sub-folders" in complaint("average", people, "-c", best)
    assert "a photograph beside folders" in complaint("average", stray, people / "ann", "-c", best)
    shutil.copytree(people / "ann", tmp_path / "ann")
    line = complaint("average", people / "ann", tmp_path / "ann", "-c", best)
    assert "a second person of the name 'ann'" in line
    stray.unlink()
    (people / "bob").rename(people / "gallery")
    assert "gallery: its gallery.png would be that of the sheet" in complaint(
        "average", people, "-c", best, "-o", tmp_path / "out"
    )
    line = complaint("flatten", people / "ann", tmp_path / "ann", "-c", best)
    assert "would both be written as '0'" in line


def test_checkpoints_that_do_not_fit(best, people, tmp_path):
    def told(*arguments: object) -> str:
        line = complaint("flatten", people, "-o", tmp_path / "out", *arguments)
        assert not (tmp_path / "out").exists()
        return line

    assert "none.pt: no such file; expected a checkpoint" in told("-c", tmp_path / "none.pt")
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(best.read_bytes()[:3000])
    assert "damaged.pt: not a whole checkpoint" in told("-c", damaged)
    other = tmp_path / "other.npz"
    stn3dmm.embedded_model((32, 32)).save(other)
    assert "trained with other shapes or landmarks" in told("-c", best, "-m", other)
    assert "none.npz: no such file" in told("-c", best, "-m", tmp_path / "none.npz")
    table = tmp_path / "boxes.csv"
    table.write_text("file,x,y\n")
    assert "the header must be file,x0,y0,x1,y1" in told("-c", best, "-b", table)
    assert "none.csv: no such file" in told("-c", best, "-b", tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("{\n1 2\n", "0.pts: not a .pts file"),
        ("{\n" + "3 4\n5 6\n" * 9 + "}", "0.pts: 18 landmarks; expected 21 (AFLW) or 68 (iBUG)."),
        ("{\n" + "nan nan\n" * 68 + "}", "0.png (0.pts): no landmark is given."),
        ("{\n" + "7 7\n" * 68 + "}", "0.png (0.pts): all landmarks lie on one point"),
        ("{\n" + "3 4\n" * 67 + "1e9 5\n}", "0.png (0.pts): landmark 68 at (1e+09, 4) lies far outside the photograph"),
    ],
    ids=["half", "eighteen", "none", "point", "far"],
)
def test_landmarks_beside_that_are_damaged(best, people, tmp_path, points, message):
    """They are not silently passed over: the face would be sought elsewhere. The other photographs go on."""
    (people / "ann" / "0.pts").write_text(points)
    result = invoke("flatten", people / "ann", "-c", best, "-o", tmp_path / "out")
    (line,) = result.stderr.splitlines()
    assert message in line
    assert len(result.stdout.splitlines()) == 3
    assert len(names(tmp_path / "out")) == 6


def test_a_box_that_cannot_be_right_is_that_of_one_photograph(best, people, tmp_path):
    table = tmp_path / "boxes.csv"
    table.write_text("file,x0,y0,x1,y1\n0,10,20,50,60\n1,0,0,1e9,1e9\n2,0,0,95,95\n")
    result = invoke("flatten", people / "ann", "-c", best, "-b", table, "-o", tmp_path / "out")
    (line,) = result.stderr.splitlines()
    assert line == "stn3dmm: 1.png: the box (0, 0, 1e+09, 1e+09) reaches far outside the photograph of 96 x 96 pixels."
    assert len(names(tmp_path / "out")) == 6
    gallery = invoke("average", people, "-c", best, "-b", table, "-o", tmp_path / "gallery")
    assert "ann: 2 photographs (1 left out), " in gallery.stdout


def test_folder_of_a_run_stands_for_its_best(best, people, tmp_path):
    run_folder = tmp_path / "run"
    shutil.copytree(best.parent, run_folder)
    shutil.copy(best, run_folder / "last.pt")
    with_last = load_checkpoint(run_folder / "last.pt")
    head = {name: value + 0.5 if name.endswith("linear.bias") else value for name, value in with_last.localiser.items()}
    save_checkpoint(run_folder / "last.pt", dataclasses.replace(with_last, localiser=head, step=9))
    run("flatten", people / "bob", "-c", run_folder, "-o", tmp_path / "out")
    run("flatten", people / "bob", "-c", best, "-o", tmp_path / "best")
    first, expected = (load_fit(tmp_path / name / "0_fit.json").theta for name in ("out", "best"))
    assert (first == expected).all()
    assert trained_checkpoint(run_folder).step == 7
    assert json.loads(run("evaluate", run_folder, "--option", "length=2", "--json"))["step"] == 7
    (run_folder / "best.pt").unlink()
    assert trained_checkpoint(run_folder).step == 9
    run("flatten", people / "bob", "-c", run_folder, "-o", tmp_path / "last")
    assert abs(load_fit(tmp_path / "last" / "0_fit.json").theta - expected).max() > 0.1
