"""Pictures of an evaluation: what is drawn lies where it should."""

from __future__ import annotations

import numpy as np
import pytest
from stn3dmm import drawing
from stn3dmm.data.stream import collate, evaluation_stream
from stn3dmm.evaluation import evaluate
from stn3dmm.evaluation.pictures import COLOURS, CURVE_SIZE, HEIGHT, MARGINS, curve_picture, face_rows, worst_sheet
from stn3dmm.objective import Objective, ObjectiveConfig

from .coded_faces import SIZE, CodedFaces, Reader, moved, truth


def near(pixels: np.ndarray, colour: tuple[int, ...]) -> np.ndarray:
    """(H, W) where the picture has about this colour."""
    return np.abs(pixels.astype(int) - np.array(colour[:3])).max(axis=-1) < 40


def test_face_row_shows_labels_and_answer_where_they_are(model):
    faces = CodedFaces(model, "aflw21", hidden=[0])
    batch = collate(evaluation_stream(faces, SIZE, "aflw21")[n] for n in range(2))
    theta = moved(truth(model), (0.0, 9.0, 0.0, 0.0, 0.0))[:2]
    exact, shifted = face_rows(Objective(model, ObjectiveConfig(), "aflw21"), batch, theta)
    assert exact.shape == shifted.shape == (HEIGHT, 4 * HEIGHT + 3 * 4, 3)
    tile = shifted[:, :HEIGHT]
    scale = HEIGHT / SIZE[0]
    x = (faces.points[1, 1:, 0] + 0.5) * scale
    # Lines of the answer's colour join the two: only its own side tells where the answer is.
    assert np.nonzero(near(tile, drawing.GIVEN))[1].min() == pytest.approx(x.min(), abs=5)
    assert np.nonzero(near(tile, drawing.FITTED))[1].max() == pytest.approx(x.max() + 9 * scale, abs=5)
    mask = shifted[:, 3 * (HEIGHT + 4) :]
    assert set(np.unique(mask[::8, ::8])) > {0, 255}


def test_worst_sheet_begins_with_the_worst(model):
    faces = CodedFaces(model, damaged=[1])
    result = evaluate(Reader(moved(truth(model), (1.0, 0.0, 9.0, 2.0, 0.5))), model, faces, SIZE)
    objective = Objective(model, ObjectiveConfig(), "ibug68")
    two = worst_sheet(result, objective, faces, SIZE, face_size=0.75, count=2)
    all_of_them = worst_sheet(result, objective, faces, SIZE, face_size=0.75, count=99)
    assert len(two) / len(all_of_them) == pytest.approx(2 / 4, rel=0.05)
    np.testing.assert_array_equal(two, all_of_them[: len(two)])
    batch = collate([evaluation_stream(faces, SIZE, "ibug68")[int(result.numbers[result.worst(1)[0]])]])
    (row,) = face_rows(objective, batch, result.theta[result.worst(1)])
    assert np.isin(result.worst(1), [2, 1]).all()
    height = len(two) // 2
    assert any(np.array_equal(two[top : top + HEIGHT], row) for top in range(height))


def test_curve_rises_where_the_errors_are():
    limits = np.linspace(0, 0.1, 101)
    pixels = curve_picture({"one": np.full(7, 0.05), "another": np.full(3, 9.0)}, limits)
    assert pixels.shape == (*CURVE_SIZE, 3)
    above, right, under, left = MARGINS
    inside = pixels[above - 2 : -under + 2, left:-right]
    first, second = near(inside, COLOURS[0]), near(inside, COLOURS[1])
    columns = np.nonzero(first[:5].any(axis=0))[0]  # along the upper edge: all faces
    middle = inside.shape[1] / 2
    assert columns.min() == pytest.approx(middle, abs=4)
    assert columns.max() > 0.95 * inside.shape[1]
    rises = np.nonzero(first[len(first) // 3])[0]
    assert rises.mean() == pytest.approx(middle, abs=6)
    assert np.nonzero(second[-4:].any(axis=0))[0].max() > 0.95 * inside.shape[1]
    assert not second[: len(second) // 2].any()
