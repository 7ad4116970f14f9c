"""The embedded model: its proportions, its grid, its modes, its landmarks, and how it fits real faces.

The proportions are those of stn3dmm/embedded/proportions.py, which approximate published averages.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import ConvexHull
from stn3dmm.embedded import MODES, anatomy, describe, embedded_model
from stn3dmm.embedded.proportions import MEASUREMENTS, mean
from stn3dmm.embedded.surface import face_surface
from stn3dmm.fit import fit_landmarks
from stn3dmm.formats import bas2017, labels
from stn3dmm.morphable_model import MorphableModel

AFLW_MIRROR = [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 16, 15, 14, 13, 12, 19, 18, 17, 20]
IBUG_MIRROR = [
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]  # fmt: skip
MIRRORS = {"aflw21": AFLW_MIRROR, "ibug68": IBUG_MIRROR}

# One grid cell around eyes, nose and mouth measures 1.2 to 1.6 mm: a landmark is off by half of that at most, a
# distance between two by a whole one.
CELL = 1.6


def flipped(field: npt.NDArray[np.floating], grid_shape: tuple[int, int]) -> npt.NDArray[np.floating]:
    """Vertices or displacements (N, 3) of the mirrored face."""
    grid = field.reshape(*grid_shape, 3)[:, ::-1] * np.array([-1, 1, 1], dtype=field.dtype)
    return grid.reshape(-1, 3)


# --- proportions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measurement", "first", "second", "axes"),
    [
        ("intercanthal_width", 39, 42, "x"),
        ("biocular_width", 36, 45, "x"),
        ("nose_height", 27, 33, "y"),
        ("nose_protrusion", 30, 33, "xyz"),
        ("mouth_width", 48, 54, "x"),
        ("face_height", 27, 8, "y"),
        ("upper_lip_height", 33, 62, "y"),
        ("philtrum_width", 50, 52, "x"),
        ("bitragion_breadth", 0, 16, "x"),
    ],
)
def test_landmarks_have_the_measured_distances(
    embedded: MorphableModel, measurement: str, first: int, second: int, axes: str
) -> None:
    index = embedded.landmarks["ibug68"]
    difference = (embedded.mean[index[second]] - embedded.mean[index[first]])[["xyz".index(axis) for axis in axes]]
    # iBUG's topmost point of the nose lies at the eyes' height, a few millimetres below nasion.
    expected = mean(measurement) - (anatomy.NASION_HEIGHT - anatomy.EYE_HEIGHT if first == 27 else 0)
    assert np.linalg.norm(difference) == pytest.approx(expected, abs=CELL + 0.5)


def test_lips_have_the_measured_heights(embedded: MorphableModel) -> None:
    upper, inner_upper, inner_lower, lower = embedded.mean[embedded.landmarks["ibug68"][[51, 62, 66, 57]], 1]
    stomion = (inner_upper + inner_lower) / 2
    assert upper - stomion == pytest.approx(mean("upper_vermilion_height"), abs=CELL)
    assert stomion - lower == pytest.approx(mean("lower_vermilion_height"), abs=CELL)


@pytest.mark.parametrize(
    ("measurement", "height", "depth"),
    [
        ("bitragion_frontal_arc", anatomy.BROW_HEIGHT + 6, anatomy.NASION_DEPTH + 2),
        ("bitragion_subnasale_arc", 0.0, anatomy.SUBNASALE_DEPTH),
        ("bitragion_chin_arc", anatomy.POGONION_HEIGHT, anatomy.SUBNASALE_DEPTH),
    ],
)
def test_tape_around_the_face_has_the_measured_length(measurement: str, height: float, depth: float) -> None:
    """A tape from ear to ear is the convex hull of a plane section."""
    face = face_surface((224, 224))
    points = np.stack([face.x, face.y - anatomy.TRAGION_HEIGHT, face.z], axis=-1)[np.abs(face.psi) < 1.6]
    forward = np.array([0.0, height - anatomy.TRAGION_HEIGHT, depth])
    forward /= np.linalg.norm(forward)
    in_plane = np.abs(points @ np.cross([1.0, 0.0, 0.0], forward)) < 1.3
    section = np.stack([points[:, 0], points @ forward], axis=1)[in_plane & (points @ forward > -1)]
    tape = ConvexHull(section).area - 2 * np.abs(section[section[:, 1] < 5, 0]).max()
    assert tape == pytest.approx(mean(measurement), rel=0.03)


@pytest.mark.parametrize(
    ("measurement", "height"),
    [
        ("bizygomatic_breadth", anatomy.ORBITALE_HEIGHT),
        ("bigonial_breadth", anatomy.GONION_HEIGHT),
    ],
)
def test_face_has_the_measured_breadths(measurement: str, height: float) -> None:
    face = face_surface((112, 112))
    # In front of the ear, a caliper's jaws apart.
    before_the_ear = (np.abs(face.psi) < 1.45) & (np.abs(face.y - height) < 3)
    assert 2 * face.x[before_the_ear].max() == pytest.approx(mean(measurement), rel=0.05)


def test_every_measurement_names_its_source() -> None:
    for name, measurement in MEASUREMENTS.items():
        assert any(year in measurement.source for year in ("1988", "1994", "2005")), name
        assert 0 < measurement.deviation < 0.2 * measurement.mean, name


# --- grid -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid_shape", [(112, 112), (8, 8), (33, 32), (64, 81), (224, 160)])
def test_mean_is_exactly_symmetric_on_every_grid(grid_shape: tuple[int, int]) -> None:
    model = embedded_model(grid_shape)
    assert model.grid_shape == grid_shape
    np.testing.assert_array_equal(model.mean, flipped(model.mean, grid_shape))
    assert model.valid.all()


def test_axes_and_order_of_rows_and_columns(embedded: MorphableModel) -> None:
    grid = embedded.mean.reshape(112, 112, 3)
    assert (np.diff(grid[:96, 56, 1]) < 0).all(), "rows run down the face"
    assert (np.diff(grid[:, 15:97, 0], axis=1) > 0).all(), "columns run to the image's right"
    assert abs(grid[:, 56, 2].argmax() - embedded.landmarks["ibug68"][30] // 112) <= 1, "the tip of the nose is nearest"


def test_rejects_a_grid_without_room_for_a_face() -> None:
    with pytest.raises(ValueError, match="at least 8 x 8"):
        embedded_model((7, 112))


def test_is_built_fast_and_once() -> None:
    start = time.perf_counter()
    first = embedded_model((113, 111))
    assert time.perf_counter() - start < 5  # about 0.1 s; the margin is for busy machines
    assert embedded_model((113, 111)) is first


# --- modes ------------------------------------------------------------------------------------------------------------


def test_modes_are_named_and_numerous(embedded: MorphableModel) -> None:
    names = embedded.mode_names
    assert len(set(names)) == len(names)
    assert sum(name.startswith("identity/") for name in names) >= 12
    assert sum(name.startswith("expression/") for name in names) >= 8
    assert all(name.startswith(("identity/", "expression/")) for name in names)


def test_modes_move_by_their_documented_size(embedded: MorphableModel) -> None:
    for mode, field in zip(MODES, embedded.basis, strict=True):
        assert np.linalg.norm(field, axis=1).max() == pytest.approx(mode.size, rel=1e-5), mode.name
        assert f"| {mode.name} | {mode.size:.1f} |" in describe()


def test_modes_are_symmetric_or_antisymmetric_as_named(embedded: MorphableModel) -> None:
    for name, field in zip(embedded.mode_names, embedded.basis, strict=True):
        sign = -1 if name.endswith("(antisymmetric)") else 1
        np.testing.assert_allclose(sign * flipped(field, embedded.grid_shape), field, atol=1e-6, err_msg=name)


def test_modes_mean_the_same_on_every_grid(embedded: MorphableModel) -> None:
    fine = embedded_model((224, 224))
    for name, coarse_field, fine_field in zip(embedded.mode_names, embedded.basis, fine.basis, strict=True):
        ratio = np.linalg.norm(fine_field, axis=1).max() / np.linalg.norm(coarse_field, axis=1).max()
        assert ratio == pytest.approx(1, abs=0.06), name


def test_modes_are_distinct(embedded: MorphableModel) -> None:
    flat = embedded.basis.reshape(embedded.mode_count, -1).astype(np.float64)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    likeness = np.abs(flat @ flat.T) - np.eye(len(flat))
    assert likeness.max() < 0.9


@pytest.mark.parametrize(
    ("mode", "landmark", "axis", "sign"),
    [
        ("expression/jaw open", 57, 1, -1),
        ("expression/smile", 54, 1, 1),
        ("expression/mouth corners down", 54, 1, -1),
        ("expression/pucker", 54, 0, -1),
        ("expression/brows raise", 24, 1, 1),
        ("expression/brows frown", 22, 1, -1),
        ("expression/eyes close", 43, 1, -1),
        ("expression/sneer", 35, 1, 1),
        ("identity/face width", 14, 0, 1),
        ("identity/nose protrusion", 30, 2, 1),
        ("identity/nose width", 35, 0, 1),
        ("identity/chin protrusion", 8, 2, 1),
        ("identity/eye distance", 42, 0, 1),
        ("identity/mouth width", 54, 0, 1),
    ],
)
def test_modes_do_what_they_are_called(
    embedded: MorphableModel, mode: str, landmark: int, axis: int, sign: int
) -> None:
    field = embedded.basis[embedded.mode_names.index(mode)]
    moved = sign * field[embedded.landmarks["ibug68"][landmark], axis]
    assert moved > 0.3 * np.linalg.norm(field, axis=1).max()


# --- landmarks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["aflw21", "ibug68"])
@pytest.mark.parametrize("grid_shape", [(112, 112), (96, 97), (224, 224)])
def test_landmarks_are_mirror_symmetric(name: str, grid_shape: tuple[int, int]) -> None:
    index, Q = embedded_model(grid_shape).landmarks[name], grid_shape[1]
    mirror = np.array(MIRRORS[name])
    paired = mirror != np.arange(len(mirror))
    row, column = index // Q, index % Q
    np.testing.assert_array_equal(row[mirror], row)
    np.testing.assert_array_equal((Q - 1 - column[mirror])[paired], column[paired])
    assert (column[~paired] == Q // 2).all()
    assert len(set(index.tolist())) == len(index)


def test_aflw_landmarks_run_from_left_to_right(embedded: MorphableModel) -> None:
    points = embedded.mean[embedded.landmarks["aflw21"]]
    for part in (slice(0, 6), slice(6, 12), slice(12, 17), slice(17, 20)):
        assert (np.diff(points[part, 0]) > 0).all()
    brows, eyes, nose, mouth, chin = points[:6, 1], points[6:12, 1], points[13:16, 1], points[17:20, 1], points[20, 1]
    heights = [brows.min(), eyes.max(), eyes.min(), nose.max(), nose.min(), mouth.max(), mouth.min(), chin]
    assert (np.diff(heights) < 0).all()
    assert (points[[12, 16], 2] < points[6:12, 2].min() - 50).all(), "the ears lie far behind the eyes"


def test_ibug_landmarks_have_their_usual_order(embedded: MorphableModel) -> None:
    points = embedded.mean[embedded.landmarks["ibug68"]]
    x, y = points[:, 0], points[:, 1]
    for part in (range(17), range(17, 27), range(31, 36), range(48, 55), range(59, 54, -1), range(60, 65)):
        assert (np.diff(x[list(part)]) > 0).all()
    assert (np.diff(y[:9]) < 0).all()
    assert (np.diff(y[27:31]) < 0).all()
    for outer, upper, inner, lower in ((36, (37, 38), 39, (40, 41)), (45, (44, 43), 42, (47, 46))):
        assert abs(x[outer]) > abs(x[list(upper)]).max() > abs(x[inner])
        assert y[list(upper)].min() > max(y[outer], y[inner]) > min(y[outer], y[inner]) > y[list(lower)].max()
    assert y[51] > y[62] > y[66] > y[57]


# --- real faces -------------------------------------------------------------------------------------------------------


def test_fits_photographs_with_68_landmarks(embedded: MorphableModel, real_data: Path) -> None:
    faces = [labels.read_mat(file).points for file in sorted((real_data / "aflw2000").glob("*.mat"))]
    landmarks = np.stack(faces)
    box = np.sqrt(np.prod(np.ptp(landmarks, axis=1), axis=1))
    error = fit_landmarks(embedded, landmarks, indices="ibug68").error.numpy()
    assert (error / box).mean() < 0.015
    assert (error / box).max() < 0.02


def test_fits_photographs_with_21_landmarks(embedded: MorphableModel, real_data: Path) -> None:
    data = bas2017.read_demodata(real_data / "bas2017" / "demodata.mat")
    error = fit_landmarks(embedded, data.landmarks, visible=data.visible, indices="aflw21").error.numpy()
    assert error.mean() < 1.5
    assert error.max() < 2.0


# --- documentation ----------------------------------------------------------------------------------------------------


def test_documentation_lists_the_modes_and_the_measurements() -> None:
    text = (Path(__file__).parents[2] / "docs" / "embedded_model.md").read_text(encoding="utf-8")
    assert describe() in text
    for name, measurement in MEASUREMENTS.items():
        values = f"{measurement.mean:.1f} | {measurement.deviation:.1f} | {measurement.source}"
        assert f"| {name.replace('_', ' ')} | {measurement.symbol} | {values} |" in text
