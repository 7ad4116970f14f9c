"""The demonstration and its report."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import numpy as np
import pytest
import stn3dmm
from stn3dmm.demo import astronaut, authors_photographs, fit_all, write_demo
from stn3dmm.fit_file import load_fit
from stn3dmm.fitted_face import fit_photograph
from stn3dmm.formats.images import read_image
from stn3dmm.formats.labels import Annotation
from stn3dmm.report import render_report


def test_hand_marked_landmarks_look_like_a_face():
    _, photograph, annotation = astronaut()
    assert photograph.shape == (512, 512, 3)
    assert annotation.landmark_set == "ibug68"
    assert annotation.visible.sum() == 64
    points = annotation.points
    assert (points[:8, 0] < points[9:17, 0].min()).all()  # the jaw from the image's left to its right
    assert points[36:48, 1].max() < points[48:68, 1].min() < points[8, 1]  # eyes, mouth, chin
    # The pupils are the darkest parts of the eyes that were marked.
    grey = photograph.mean(axis=2)
    for eye in (points[36:42], points[42:48]):
        low, high = np.floor(eye.min(axis=0)).astype(int), np.ceil(eye.max(axis=0)).astype(int)
        part = grey[low[1] : high[1] + 1, low[0] : high[0] + 1]
        y, x = np.argwhere(part < 60).mean(axis=0) + low[::-1]
        assert np.hypot(x - eye[:, 0].mean(), y - eye[:, 1].mean()) < 5


def test_demo_fits_and_writes(embedded, tmp_path):
    start = time.perf_counter()
    steps: list[str] = []
    faces = list(fit_all(embedded, [astronaut()], steps.append))
    written = write_demo(tmp_path / "demo", embedded, faces)
    assert time.perf_counter() - start < 60
    assert steps == ["astronaut"]
    assert faces[0].record.error < 2.0
    assert all(abs(angle) < 15 for angle in faces[0].angles)
    assert faces[0].landmarks_used == 64
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == sorted(path.name for path in written)
    assert load_fit(tmp_path / "demo" / "astronaut_fit.json").error == faces[0].record.error
    assert read_image(tmp_path / "demo" / "astronaut_texture.png").shape == (*embedded.grid_shape, 3)
    # Eyes level and where they belong in the texture: dark pupils either side of the middle, in one band of rows.
    texture = faces[0].texture.mean(dim=0).numpy()
    eyes = embedded.landmarks["ibug68"][36:48].reshape(2, 6)
    rows = [np.unravel_index(eye, embedded.grid_shape)[0].mean() for eye in eyes]
    assert rows[0] == pytest.approx(rows[1], abs=1)
    for eye in eyes:
        r, c = (round(float(v.mean())) for v in np.unravel_index(eye, embedded.grid_shape))
        assert texture[r - 3 : r + 4, c - 3 : c + 4].min() < 0.35


class Links(HTMLParser):
    """All places that a page loads from, and its balance of tags."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.places += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_report_is_self_contained_and_escaped(embedded):
    _, photograph, annotation = astronaut()
    face = fit_photograph(embedded, "<b>face & co</b>", photograph, annotation)
    html = render_report("A title", embedded, [face])
    links = Links()
    links.feed(html)
    assert links.open == []
    assert len(links.places) == 5
    assert all(place.startswith("data:image/") for place in links.places)
    assert "http" not in re.sub(r"data:[^\"]*", "", html)
    assert "&lt;b&gt;face &amp; co&lt;/b&gt;" in html
    assert f"{face.record.error:.2f} px" in html
    assert render_report("Nothing", embedded, []).count("<section>") == 0


def test_landmarks_of_another_photograph_are_refused(embedded):
    _, photograph, annotation = astronaut()
    moved = Annotation(annotation.points + 5000, annotation.visible, "elsewhere")
    with pytest.raises(ValueError, match="do they belong to another one"):
        fit_photograph(embedded, "a.jpg", photograph, moved)


def test_authors_photographs(demodata_mat, tmp_path):
    assert [name for name, _, _ in authors_photographs(demodata_mat)] == ["face1", "face2"]
    assert len(authors_photographs(demodata_mat.parent)) == 2
    with pytest.raises(FileNotFoundError, match=r"no demodata\.mat there"):
        authors_photographs(tmp_path / "nowhere")


def test_real_demo(basel, real_data):
    faces = list(fit_all(basel, authors_photographs(real_data)))
    assert len(faces) == 6
    assert max(face.record.error for face in faces) <= 2.6
    third = faces[2]  # turned to the image's left: that side of the face is hidden
    assert third.angles.yaw < -10
    middle = third.mask[0, 30:90]
    assert middle[:, :15].mean() < middle[:, -15:].mean()


def test_public_names():
    for name in stn3dmm.__all__:
        assert getattr(stn3dmm, name) is not None
    assert set(stn3dmm.__all__) <= set(dir(stn3dmm))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = stn3dmm.nonsense
