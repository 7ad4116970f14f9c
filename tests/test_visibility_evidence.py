"""visibility: exact sets of seen vertices that follow from geometry alone, and laws that hold to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .backends import Backend
from .meshes import Mesh, joined, sheet, sphere

DTYPES = [torch.float32, torch.float64]
EXAMPLES = settings(max_examples=40)

whole = st.integers(-6, 6)
corner_lists = st.lists(st.tuples(whole, whole, whole), min_size=4, max_size=14)
face_lists = st.lists(st.tuples(*[st.integers(0, 13)] * 3), min_size=1, max_size=16)


def seen(backend: Backend, points: torch.Tensor, faces: torch.Tensor, **options: Any) -> torch.Tensor:
    """(N,) or (B, N) on the CPU."""
    batch = points.reshape(-1, *points.shape[-2:]).to(backend.device)
    visible = backend.operators.visibility(batch, faces.to(backend.device), **options).cpu()
    return visible.reshape(points.shape[:-1])


def by_hand(points: torch.Tensor, faces: list[tuple[int, ...]]) -> torch.Tensor:
    return torch.tensor([face for face in faces if max(face) < len(points)], dtype=torch.int64).reshape(-1, 3)


def turned(mesh: Mesh, rows: list[list[int]], length: int) -> Mesh:
    """By the rotation whose matrix is rows / length."""
    points, faces = mesh
    return points @ (torch.tensor(rows, dtype=points.dtype) / length).T, faces


def pyramid() -> Mesh:
    """A nose seen from the side: a base of 2 x 2 about (5, 5), the tip leaning over to (9, 5)."""
    corners = [[4, 4, 1], [6, 4, 1], [6, 6, 1], [4, 6, 1], [9, 5, 5]]
    return torch.tensor(corners, dtype=torch.float64), torch.tensor([[0, 4, 1], [1, 4, 2], [2, 4, 3], [3, 4, 0]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "length"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 1),
        ([[3, 0, 4], [0, 5, 0], [-4, 0, 3]], 5),
        ([[2, -1, 2], [2, 2, -1], [-1, 2, 2]], 3),
        ([[2, 3, 6], [3, -6, 2], [6, 2, -3]], 7),
    ],
    ids=["along the axis", "yaw", "all axes", "other axes"],
)
def test_visibility_of_a_turned_sphere(
    backend: Backend, rows: list[list[int]], length: int, dtype: torch.dtype
) -> None:
    """However it is turned: the vertices whose normal faces the viewer, and not one of them is hidden."""
    points, faces = turned(sphere(40.0), rows, length)
    a, b, c = points[faces].unbind(dim=1)
    areas = torch.linalg.cross(b - a, c - a)[:, 2]
    total = torch.zeros(len(points), dtype=torch.float64)
    for corner in range(3):
        total.index_add_(0, faces[:, corner], areas)
    assert (total.abs() > 1).all(), "a vertex on the silhouette has no certain answer"
    assert torch.equal(seen(backend, points.to(dtype), faces), (total < 0).to(dtype))


def test_visibility_of_a_sheet_behind_a_rhombus(backend: Backend) -> None:
    """Whole numbers: of the vertices (x, y) behind |x - 4| + |y - 4| <= 3, none is seen; the border is included."""
    rear = sheet(0, 8, 0.0, 9)
    corners = torch.tensor([[1, 4, 2], [4, 7, 2], [7, 4, 2], [4, 1, 2]], dtype=torch.float64)
    points, faces = joined(rear, (corners, torch.tensor([[0, 1, 2], [0, 2, 3]])))
    shown = [float(abs(x - 4) + abs(y - 4) > 3) for y in range(9) for x in range(9)]
    assert shown.count(0.0) == 25
    assert seen(backend, points.float(), faces).tolist() == shown + [1.0] * 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_visibility_of_a_pointed_nose_before_a_cheek(backend: Backend, dtype: torch.dtype) -> None:
    """Hidden are the cheek below the base and along the axis to the tip, and the base's corners under the overhang."""
    points, faces = joined(sheet(0, 10, 0.0, 11), pyramid())
    hidden = {(x, y) for x in (4, 5, 6) for y in (4, 5, 6)} | {(7, 5), (8, 5), (9, 5)}
    cheek = [float((x, y) not in hidden) for y in range(11) for x in range(11)]
    assert seen(backend, points.to(dtype), faces).tolist() == [*cheek, 1.0, 0.0, 0.0, 1.0, 1.0]


def test_visibility_of_a_nose_too_close_to_hide(backend: Backend) -> None:
    """The same nose within the tolerance of the cheek hides nothing."""
    points, faces = joined(sheet(0, 10, 0.0, 11), pyramid())
    points[:, 2] /= 1024
    assert seen(backend, points.float(), faces)[:121].tolist() == [1.0] * 121


@EXAMPLES
@given(
    corners=corner_lists,
    faces=face_lists,
    tolerance=st.integers(-3, 12),
    exponent=st.integers(-30, 30),
    dtype=st.sampled_from(DTYPES),
)
def test_visibility_scales_with_its_tolerance(
    backend: Backend,
    corners: list[tuple[int, ...]],
    faces: list[tuple[int, ...]],
    tolerance: int,
    exponent: int,
    dtype: torch.dtype,
) -> None:
    """Points and tolerance times a power of two: every product is, too, so nothing may change."""
    points = torch.tensor(corners, dtype=dtype)
    listed = by_hand(points, faces)
    expected = seen(backend, points, listed, tolerance=tolerance / 4)
    factor = 2.0**exponent
    assert torch.equal(seen(backend, points * factor, listed, tolerance=factor * tolerance / 4), expected)


@EXAMPLES
@given(
    corners=corner_lists,
    faces=face_lists,
    shift=st.tuples(st.integers(-4000, 4000), st.integers(-4000, 4000)),
    power=st.integers(-2, 16),
)
def test_visibility_moves_with_the_points(
    backend: Backend,
    corners: list[tuple[int, ...]],
    faces: list[tuple[int, ...]],
    shift: tuple[int, int],
    power: int,
) -> None:
    """By whole pixels along x and y, which whole numbers bear without rounding, and by powers of two."""
    points = torch.tensor(corners).float()
    listed = by_hand(points, faces)
    expected = seen(backend, points, listed)
    for by in ((*shift, 0), (2.0**power, 0, 0), (0, -(2.0**power), 0)):
        assert torch.equal(seen(backend, points + torch.tensor(by), listed), expected)


@EXAMPLES
@given(corners=corner_lists, faces=face_lists, shift=st.integers(-1000, 1000), tolerance=st.integers(0, 8))
def test_visibility_moves_with_the_depth(
    backend: Backend, corners: list[tuple[int, ...]], faces: list[tuple[int, ...]], shift: int, tolerance: int
) -> None:
    """A depth on a triangle is a rounded quotient; no difference here is so small that rounding decides."""
    points = torch.tensor(corners).double()
    listed = by_hand(points, faces)
    options = {"tolerance": tolerance + 1 / 1024}  # areas stay below 300, so a difference is 0 or above 1 / 300
    expected = seen(backend, points, listed, **options)
    moved = points + torch.tensor([0.0, 0.0, shift], dtype=torch.float64)
    assert torch.equal(seen(backend, moved, listed, **options), expected)


@EXAMPLES
@given(
    corners=st.lists(st.tuples(whole, whole, whole), min_size=6, max_size=6),
    faces=face_lists,
    order=st.permutations(range(4)),
)
def test_visibility_of_a_batch_in_any_order(
    backend: Backend, corners: list[tuple[int, ...]], faces: list[tuple[int, ...]], order: list[int]
) -> None:
    """And once more."""
    points = torch.tensor(corners).float()
    batch = torch.stack((points, points.roll(1, dims=1), points.flip(0), points * torch.tensor([1.0, 1.0, -1.0])))
    listed = by_hand(points, faces)
    expected = seen(backend, batch, listed)
    assert torch.equal(seen(backend, batch[order], listed), expected[order])
    assert torch.equal(seen(backend, batch, listed), expected)
    assert torch.equal(seen(backend, batch, listed.expand(4, -1, 3)[order]), expected)


@EXAMPLES
@given(
    corners=corner_lists,
    faces=face_lists,
    which=st.integers(0, 13),
    steps=st.lists(st.floats(0, 20, width=32), min_size=1, max_size=3),
    dtype=st.sampled_from(DTYPES),
)
def test_visibility_of_a_vertex_moved_nearer(
    backend: Backend,
    corners: list[tuple[int, ...]],
    faces: list[tuple[int, ...]],
    which: int,
    steps: list[float],
    dtype: torch.dtype,
) -> None:
    """Nearer never hides the vertex itself, whose own triangles are no obstacle, and never uncovers another."""
    points = torch.tensor(corners, dtype=dtype)
    n = which % len(points)
    listed = by_hand(points, faces)
    nearer = points.repeat(len(steps) + 1, 1, 1)
    nearer[1:, n, 2] += torch.tensor(steps, dtype=dtype).cumsum(0)
    visible = seen(backend, nearer, listed)
    assert (visible[1:, n] >= visible[:-1, n]).all()
    others = torch.arange(len(points)) != n
    assert (visible[1:, others] <= visible[:-1, others]).all()


@EXAMPLES
@given(corners=corner_lists, faces=face_lists, which=st.integers(0, 13))
def test_visibility_survives_the_loss_of_an_obstacle(
    backend: Backend, corners: list[tuple[int, ...]], faces: list[tuple[int, ...]], which: int
) -> None:
    """Without one face, only its own corners, which face elsewhere then, may be seen less."""
    points = torch.tensor(corners).float()
    listed = by_hand(points, faces)
    if len(listed) == 0:
        return
    gone = which % len(listed)
    fewer = torch.cat((listed[:gone], listed[gone + 1 :]))
    others = torch.ones(len(points), dtype=torch.bool)
    others[listed[gone]] = False
    assert (seen(backend, points, fewer)[others] >= seen(backend, points, listed)[others]).all()
