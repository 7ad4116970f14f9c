"""`stn3dmm evaluate`: the table, the files, and what it says when something is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from .localiser_files import OPTIONS, write_people, write_run
from .test_cli import complaint, run
from .test_failures import invoke, names


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """best.pt of a run."""
    return write_run(tmp_path_factory.mktemp("evaluate") / "run")


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Three photographs with landmarks, in a folder."""
    people = write_people(tmp_path / "people", {"a": 1, "b": 1, "c": 1})
    folder = tmp_path / "labelled"
    folder.mkdir()
    for person in sorted(people.iterdir()):
        for file in person.iterdir():
            shutil.move(file, folder / f"{person.name}{file.suffix}")
    return folder


def test_evaluate_by_the_validation_faces(best, tmp_path):
    out = tmp_path / "out"
    result = json.loads(run("evaluate", best, "--points", "both", "--untrained", "-o", out, "--json"))
    assert names(out) == ["curve.png", "evaluation.json", "worst.png"]
    assert result["files"] == [str(out / name) for name in ("evaluation.json", "curve.png", "worst.png")]
    assert json.loads((out / "evaluation.json").read_text()) == {k: v for k, v in result.items() if k != "files"}
    assert result["step"] == 7
    assert result["data"] == [{"kind": "synthetic", "path": "", "options": OPTIONS}]
    assert [each["landmark_set"] for each in result["evaluations"]] == ["ibug68", "aflw21"]
    for each in result["evaluations"]:
        assert len(each["faces"]) == 5
        # This run has not trained: it answers what it answered before.
        assert each["trained"]["mean"] == pytest.approx(each["untrained"]["mean"], rel=0.05)
        assert sum(part["count"] for part in each["trained"]["bins"]) == 5
    one, two = (Image.open(out / name).size for name in ("curve.png", "worst.png"))
    assert min(*one, *two) > 200


def test_evaluate_by_synthetic_faces_takes_others_than_the_training(best):
    small = ("--option", "length=2", "--option", "grid_shape=[40, 40]", "--json")
    for chosen, seed in (((), 1), (("--option", "seed=0"), 0)):
        (source,) = json.loads(run("evaluate", best, "--data", "synthetic", *small, *chosen))["data"]
        assert source["options"]["seed"] == seed


def test_evaluate_prints_a_table(best, tmp_path):
    text = run("evaluate", best, "--untrained", "--option", "length=3")
    assert "Normalised mean error, ibug68 (68 landmarks)" in text
    for words in ("0 to 30", "30 to 60", "over 60", "mean of bins", "mean of faces", "median", "untrained, %"):
        assert words in text
    assert not list(tmp_path.iterdir())
    assert "untrained" not in run("evaluate", best, "--option", "length=3")


def test_evaluate_a_folder_and_leave_damage_out(best, labelled, tmp_path):
    """Those that were left out when the data set was opened are listed first."""
    (labelled / "b.png").write_bytes((labelled / "b.png").read_bytes()[:500])
    shutil.copy(labelled / "a.png", labelled / "d.png")
    (labelled / "d.pts").write_text("no landmarks")
    result = invoke("evaluate", best, "--data", f"folder:{labelled}", "-o", tmp_path / "out", code=0)
    assert "Left out: 2 damaged, 0 without visible landmarks." in result.stdout
    (evaluation,) = json.loads((tmp_path / "out" / "evaluation.json").read_text())["evaluations"]
    assert [Path(face["name"].split(" (")[0]).name for face in evaluation["faces"]] == ["a.png", "c.png"]
    assert [face["yaw"] for face in evaluation["faces"]] == [None, None]
    assert "d.pts: not a .pts file" in evaluation["damaged"][0]
    assert "b.png: a damaged picture" in evaluation["damaged"][1]
    assert evaluation["trained"]["count"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--points", "dlib5"], "--points must be ibug68, aflw21 or both; got 'dlib5'"),
        (["--data", "polaroids:x"], "There is no kind of data set 'polaroids'; known are aflw, "),
        (["--data", "folder:nowhere"], "nowhere: no such folder"),
        (["--option", "length"], "--option must be NAME=VALUE, as in 'length=200'; got 'length'"),
        (["--option", "width=3"], "synthetic: there is no option 'width'"),
        (["--device", "abacus"], "--device must be auto, cpu, cuda"),
        (["--model", "none.npz"], "none.npz: no such file"),
    ],
)
def test_evaluate_rejects_bad_arguments(best, arguments, message, tmp_path):
    assert message in complaint("evaluate", best, *arguments, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_evaluate_rejects_what_cannot_be_measured(best, labelled, tmp_path):
    (tmp_path / "file").write_text("")
    assert "not a folder" in complaint("evaluate", best, "-o", tmp_path / "file")
    line = complaint("evaluate", best, "--data", f"folder:{labelled}", "--points", "both")
    assert "its landmarks are ibug68, but aflw21 are asked for" in line
    for file in labelled.glob("*.pts"):
        file.unlink()
    assert "has no landmarks to measure by" in complaint("evaluate", best, "--data", f"folder:{labelled}")
    for file in labelled.iterdir():
        file.unlink()
    assert f"{labelled}: no faces" in complaint("evaluate", best, "--data", f"folder:{labelled}")
    assert "none.pt: no such file" in complaint("evaluate", tmp_path / "none.pt")
    (tmp_path / "damaged.pt").write_bytes(best.read_bytes()[:-200])
    assert "not a whole checkpoint" in complaint("evaluate", tmp_path / "damaged.pt")


def test_evaluate_knows_before_it_measures_what_cannot_be_written(best, tmp_path, monkeypatch):
    monkeypatch.setattr("stn3dmm.evaluation.evaluate", lambda *arguments, **options: pytest.fail("it measured"))
    out = tmp_path / "out"
    (out / "worst.png").mkdir(parents=True)
    assert "worst.png: a folder; expected a file" in complaint("evaluate", best, "-o", out, "--option", "length=2")
    assert names(out) == ["worst.png"]
