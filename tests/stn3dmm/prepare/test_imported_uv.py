"""UV coordinates from elsewhere: turned upright, symmetric or not, flips counted."""

from __future__ import annotations

import numpy as np
import pytest
from stn3dmm.prepare.imported_uv import import_uv

from .mesh_cases import dome, lattice, lattice_mirror


def plane() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    vertices, triangles = lattice(5, 7)
    return vertices, triangles, (vertices[:, :2] + 1) / 2


def test_import_uv_keeps_upright_coordinates():
    vertices, triangles, uv = plane()
    found = import_uv(vertices, triangles, uv)
    np.testing.assert_array_equal(found.uv, uv)
    np.testing.assert_array_equal(found.mirror, lattice_mirror(5, 7))
    assert found.weights == "imported"
    assert found.flips == {"imported": 0}
    assert found.notes == ()


@pytest.mark.parametrize(("axis", "words"), [(0, "u ran against x"), (1, "v ran against y")])
def test_import_uv_turns_coordinates_over(axis, words):
    vertices, triangles, uv = plane()
    turned = uv.copy()
    turned[:, axis] = 1 - turned[:, axis]
    found = import_uv(vertices, triangles, turned)
    np.testing.assert_allclose(found.uv, uv, atol=1e-15)
    assert words in found.notes[0]


def test_import_uv_without_symmetry_has_no_mirror():
    vertices, triangles, uv = plane()
    found = import_uv(vertices, triangles, uv**2)
    assert found.mirror is None
    assert "differs from its mirror image by up to 0.5 " in found.notes[0]


def test_import_uv_counts_flips():
    vertices, triangles, uv = plane()
    uv[9] += (0.3, 0)
    found = import_uv(vertices, triangles, uv)
    assert found.flips["imported"] > 0
    assert f"flips {found.flips['imported']} triangles" in found.notes[-1]


def test_import_uv_refuses_a_map_of_another_mesh():
    vertices, triangles = lattice(20, 20)
    uv = np.random.default_rng(0).random((400, 2))
    with pytest.raises(ValueError, match=r"^uv flips \d+ of 722 triangles: it is of another mesh"):
        import_uv(vertices, triangles, uv)


def test_import_uv_fills_holes():
    vertices, triangles = dome()
    uv = (vertices[:, :2] + 1) / 2
    found = import_uv(vertices, triangles, uv)
    assert found.refinement.filled.sum() == 18
    np.testing.assert_allclose(np.sort(found.uv[len(vertices) :, 0])[1], 0.5)


@pytest.mark.parametrize(
    ("uv", "message"),
    [
        (np.zeros((34, 2)), r"uv must be \(35, 2\), one pair a vertex of the mesh; got \(34, 2\)"),
        (np.full((35, 2), np.inf), "uv holds NaN or infinity"),
        (np.zeros((35, 2)), "uv gives no triangle an area"),
    ],
)
def test_import_uv_rejects(uv, message):
    vertices, triangles, _ = plane()
    with pytest.raises(ValueError, match=message):
        import_uv(vertices, triangles, uv)


@pytest.mark.parametrize("signs", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_import_uv_turns_a_map_that_lies_on_its_side(signs):
    vertices, triangles, uv = plane()
    lying = ((uv - 0.5) * signs + 0.5)[:, ::-1]
    found = import_uv(vertices, triangles, lying)
    np.testing.assert_allclose(found.uv, uv, atol=1e-15)
    assert found.flips == {"imported": 0}
    assert found.notes[0] == "The imported map lay on its side: its u and v were exchanged."
