"""The cells of the embedded model: none degenerates and none turns over, on the mean and under the modes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from stn3dmm.morphable_model import MorphableModel

import stn3dmm_cuda

Array = npt.NDArray[np.float64]

# A cell of 112 x 112 has 4 mm2. Below a hundred-thousandth of that, normals in float32 are noise.
SMALLEST_AREA = 4e-5
FRONT = slice(15, 96)  # the columns before the ears


class Cells:
    """The triangles of a model's grid."""

    def __init__(self, model: MorphableModel) -> None:
        assert model.grid_shape is not None
        self.model = model
        self.faces = stn3dmm_cuda.grid_faces(model.grid_shape).numpy()
        self.mean_normals = self.normals(model.mean)

    def normals(self, vertices: npt.NDArray[np.floating]) -> Array:
        """Normals (F, 3) whose length is the triangle's area."""
        a, b, c = (vertices[self.faces[:, k]].astype(np.float64) for k in range(3))
        return np.asarray(np.cross(b - a, c - a) / 2)

    def areas(self, vertices: npt.NDArray[np.floating]) -> Array:
        return np.asarray(np.linalg.norm(self.normals(vertices), axis=1))

    def turned_over(self, vertices: npt.NDArray[np.floating]) -> int:
        """How many triangles face away from where they face on the mean."""
        return int(((self.normals(vertices) * self.mean_normals).sum(axis=1) <= 0).sum())


@pytest.fixture(scope="module")
def cells(embedded: MorphableModel) -> Cells:
    return Cells(embedded)


# --- the mean ---------------------------------------------------------------------------------------------------------


def test_no_cell_of_the_front_turns_away(cells: Cells) -> None:
    columns = cells.faces.min(axis=1) % 112
    front = (columns >= FRONT.start) & (columns < FRONT.stop)
    assert (cells.mean_normals[front, 2] > 0).all()


def test_normals_point_outwards(cells: Cells) -> None:
    # From a point inside the head, behind the face; folds of ears and nostrils may look back at it.
    outward = cells.model.mean[cells.faces].mean(axis=1) - [0, 10, -60]
    assert ((cells.mean_normals * outward).sum(axis=1) > 0).mean() > 0.97


def test_cells_have_sane_areas(cells: Cells) -> None:
    areas = cells.areas(cells.model.mean)
    assert areas.min() > 0.15
    assert areas.max() < 20


# --- under the modes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coefficient", [-3, -2, -1, 1, 2, 3])
def test_no_mode_turns_a_cell_over(cells: Cells, coefficient: int) -> None:
    for name, mode in zip(cells.model.mode_names, cells.model.basis, strict=True):
        assert cells.turned_over(cells.model.mean + coefficient * mode) == 0, name


def test_cells_keep_their_areas_under_every_mode(cells: Cells) -> None:
    for name, mode in zip(cells.model.mode_names, cells.model.basis, strict=True):
        for coefficient in (-3, 3):
            assert cells.areas(cells.model.mean + coefficient * mode).min() > 0.02, (name, coefficient)


@pytest.mark.parametrize("deviation", [0.5, 1.0])
def test_no_cell_of_random_faces_turns_over(cells: Cells, deviation: float) -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        vertices = cells.model.shape(deviation * generator.standard_normal(cells.model.mode_count))
        areas = cells.areas(vertices)
        assert cells.turned_over(vertices) == 0
        assert areas.min() > SMALLEST_AREA
        assert (areas < 0.05).mean() < 1e-3


@pytest.mark.parametrize(("deviation", "most_faces", "most_cells"), [(0.75, 0, 0), (1.0, 3, 32)])
def test_thousand_random_faces_turn_over_what_is_documented(
    cells: Cells, deviation: float, most_faces: int, most_cells: int
) -> None:
    """The figures of docs/embedded_model.md."""
    generator = np.random.default_rng(0)
    alphas = deviation * generator.standard_normal((1000, cells.model.mode_count))
    counts = [cells.turned_over(cells.model.shape(alpha)) for alpha in alphas]
    assert sum(count > 0 for count in counts) <= most_faces
    assert max(counts) <= most_cells
