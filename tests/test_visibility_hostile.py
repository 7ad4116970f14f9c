"""visibility of numbers and sizes that nobody should pass, and of arguments that do not fit."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stn3dmm_cuda import grid_faces, reference

from .backends import SANITIZED, Backend
from .meshes import joined, sheet, spot
from .scenes import half_cylinder

DTYPES = [torch.float32, torch.float64]
FACE = (112, 112)
SECONDS = 5.0  # for one face of 112 x 112, which takes 3 ms when it is well behaved


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_visibility_of_a_vertex_that_is_not_finite(
    backend: Backend, axis: int, poison: float, dtype: torch.dtype
) -> None:
    """It is not seen, its triangles hide nothing, its neighbours are judged by their other triangles; the other image
    does not notice."""
    points, faces = joined(sheet(0, 10, 5.0, 3), spot(1, 1, 0.0), spot(9, 9, 0.0))
    batch = points.expand(2, -1, -1).clone()
    batch[0, 0, axis] = poison
    visible = backend.operators.visibility(batch.to(backend.device, dtype), faces.to(backend.device))
    assert visible[0].tolist() == [0.0] + [1.0] * 8 + [1.0] * 3 + [0.0] * 3
    assert visible[1].tolist() == [1.0] * 9 + [0.0] * 6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_visibility_of_no_finite_vertex(backend: Backend, poison: float, dtype: torch.dtype) -> None:
    points = torch.full((2, 12, 3), poison, dtype=dtype, device=backend.device)
    assert not backend.operators.visibility(points, grid_shape=(3, 4)).any()


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 1e30), (torch.float64, 1e200)])
def test_visibility_of_areas_that_overflow(backend: Backend, dtype: torch.dtype, far: float) -> None:
    """They count like corners that are not finite."""
    points, faces = joined(sheet(0, 10, 5.0), sheet(-far, far, 9.0))
    visible = backend.operators.visibility(points[None].to(backend.device, dtype), faces.to(backend.device))
    assert visible[0].tolist() == [1.0] * 4 + [0.0] * 4


@pytest.mark.parametrize(
    ("dtype", "far", "step"),
    [(torch.float32, 3e38, 1e32), (torch.float64, 1e300, 1e290), (torch.float64, 1.5e308, 1e300)],
)
def test_visibility_of_an_extent_that_overflows(backend: Backend, dtype: torch.dtype, far: float, step: float) -> None:
    """Two slivers with areas of their own, further apart than the dtype can say."""
    corners = []
    for x in (-far, far - 2 * step):
        corners += [[x, 0.0, 0.0], [x, 1e-5, 0.0], [x + step, 0.0, 0.0]]
    points = torch.tensor([corners], dtype=dtype)
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    assert reference.visibility(points, faces).tolist() == [[1.0] * 6]
    visible = backend.operators.visibility(points.to(backend.device), faces.to(backend.device))
    assert visible.tolist() == [[1.0] * 6]


number = st.sampled_from([0.0, 1.0, -1.0, 1e-45, 1e-20, 1e20, 3e38, -3e38, math.nan, math.inf, -math.inf]) | st.floats(
    width=32
)


@given(corners=st.lists(st.tuples(number, number, number), min_size=6, max_size=6), tolerance=st.floats(-1e300, 1e300))
def test_visibility_matches_reference_on_any_numbers(
    backend: Backend, corners: list[tuple[float, ...]], tolerance: float
) -> None:
    for dtype in DTYPES:
        points = torch.tensor([corners], dtype=dtype)
        actual = backend.operators.visibility(points.to(backend.device), grid_shape=(2, 3), tolerance=tolerance)
        assert torch.equal(actual.cpu(), reference.visibility(points, grid_shape=(2, 3), tolerance=tolerance))


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize("tolerance", [-1e300, -3.5e38, 3.5e38, 1e300])
def test_visibility_of_a_tolerance_beyond_the_dtype(backend: Backend, tolerance: float, mode: str) -> None:
    """It is the nearest one that the dtype can say: only what lies behind something can be hidden by it, and further
    behind than all tolerances remains hidden."""
    points, faces = joined(sheet(0, 10, 3e38), spot(1, 1, 0.0), spot(8, 8, -3e38), spot(20, 20, -3e38))
    expected = [1.0] * 4 + [float(tolerance > 0)] * 3 + [0.0] * 3 + [1.0] * 3
    points = points[None].float()
    visible = backend.operators.visibility(
        points.to(backend.device), faces.to(backend.device), mode=mode, tolerance=tolerance
    )
    assert visible[0].tolist() == expected
    assert reference.visibility(points, faces, mode=mode, tolerance=tolerance)[0].tolist() == expected


def outlier(points: torch.Tensor) -> torch.Tensor:
    """One corner of the grid a million pixels to the upper left: every screen cell of equal size becomes one."""
    points[0, 0, :2] = -1e6
    return points


def outliers(points: torch.Tensor) -> torch.Tensor:
    """All four corners of the grid."""
    P, Q = FACE
    for corner, x, y in ((0, -1e6, -1e6), (Q - 1, 1e6, -1e6), (P * Q - Q, -1e6, 1e6), (P * Q - 1, 1e6, 1e6)):
        points[0, corner, :2] = torch.tensor([x, y])
    return points


def scattered(points: torch.Tensor) -> torch.Tensor:
    """Every triangle as large as the face."""
    return 100 * torch.rand(points.shape, generator=torch.Generator().manual_seed(0))


def zoomed(points: torch.Tensor) -> torch.Tensor:
    """Triangles of thousands of pixels."""
    return 1e4 * points


@pytest.mark.parametrize("spoil", [outlier, outliers, scattered, zoomed, torch.zeros_like])
def test_visibility_stays_affordable(
    backend: Backend,
    spoil: Callable[[torch.Tensor], torch.Tensor],
    record_property: Callable[[str, object], None],
) -> None:
    """Ugly faces take longer, but nobody may think that the process hangs."""
    points = spoil(10 * half_cylinder(*FACE).float()[None] * torch.tensor([1.0, -1.0, 1.0]))
    points = points.to(backend.device)
    torch.set_num_threads(1)
    start = time.perf_counter()
    share = backend.operators.visibility(points, grid_shape=FACE).mean().item()
    seconds = time.perf_counter() - start
    record_property("seconds", seconds)
    assert (share > 0) == (spoil is not torch.zeros_like)
    assert seconds < SECONDS or SANITIZED or backend.name == "emulated"  # under the race detector it takes a minute


@pytest.mark.parametrize(
    ("points", "topology", "error", "message"),
    [
        (torch.zeros(6, 3), {"grid_shape": (2, 3)}, ValueError,
         "visibility: points must be (B, N, 3); got (6, 3). Add a batch dimension with points[None]"),
        (torch.zeros(1, 6, 2), {"grid_shape": (2, 3)}, ValueError,
         "visibility: points must be (B, N, 3); got (1, 6, 2)"),
        (torch.zeros(1, 6, 3).half(), {"grid_shape": (2, 3)}, TypeError,
         "visibility: points must be float32 or float64; got torch.float16"),
        (torch.zeros(1, 6, 3).int(), {"grid_shape": (2, 3)}, TypeError,
         "visibility: points must be floating; got torch.int32"),
        (None, {"grid_shape": (2, 3)}, TypeError, "visibility: points must be a torch.Tensor; got NoneType"),
        (torch.zeros(1, 6, 3), {}, ValueError, "visibility: exactly one of faces and grid_shape must be given"),
        (torch.zeros(1, 6, 3), {"faces": grid_faces((2, 3)), "grid_shape": (2, 3)}, ValueError,
         "visibility: exactly one of faces and grid_shape must be given"),
        (torch.zeros(1, 6, 3), {"grid_shape": (3, 3)}, ValueError,
         "visibility: grid_shape must be (P, Q) with P Q = N = 6; got (3, 3)"),
        (torch.zeros(1, 6, 3), {"grid_shape": 6}, ValueError,
         "visibility: grid_shape must be two sizes (rows, columns); got 6"),
        (torch.zeros(2, 6, 3), {"faces": torch.zeros(3, 4, 3).long()}, ValueError,
         "visibility: faces must be (F, 3) or (B, F, 3) with B = 2 as in points; got (3, 4, 3)"),
        (torch.zeros(1, 6, 3), {"faces": torch.zeros(4, 4).long()}, ValueError,
         "visibility: faces must be (F, 3) or (B, F, 3) with B = 1 as in points; got (4, 4)"),
        (torch.zeros(1, 6, 3), {"faces": torch.zeros(3).long()}, ValueError,
         "visibility: faces must be (F, 3) or (B, F, 3) with B = 1 as in points; got (3,)"),
        (torch.zeros(1, 6, 3), {"faces": torch.tensor(3)}, ValueError,
         "visibility: faces must be (F, 3) or (B, F, 3) with B = 1 as in points; got ()"),
        (torch.zeros(1, 6, 3), {"faces": torch.zeros(4, 3)}, TypeError,
         "visibility: faces must be int32 or int64; got torch.float32. Use faces.long()"),
        (torch.zeros(1, 6, 3), {"faces": torch.zeros(4, 3).short()}, TypeError,
         "visibility: faces must be int32 or int64; got torch.int16"),
        (torch.zeros(1, 6, 3), {"faces": [[0, 1, 2]]}, TypeError, "visibility: faces must be a torch.Tensor; got list"),
        (torch.zeros(1, 6, 3), {"grid_shape": (2, 3), "mode": "Hard"}, ValueError,
         "visibility: mode must be one of 'hard', 'soft'; got 'Hard'"),
        (torch.zeros(1, 6, 3), {"grid_shape": (2, 3), "tolerance": math.nan}, ValueError,
         "visibility: tolerance must be a finite number of pixels; got nan"),
        (torch.zeros(1, 6, 3), {"grid_shape": (2, 3), "tolerance": math.inf}, ValueError,
         "visibility: tolerance must be a finite number of pixels; got inf"),
        (torch.zeros(1, 6, 3), {"grid_shape": (2, 3), "temperature": math.nan}, ValueError,
         "visibility: temperature must be a finite number of pixels; got nan"),
        (torch.zeros(1, 6, 3), {"grid_shape": (2, 3), "mode": "soft", "temperature": 0.0}, ValueError,
         "visibility: temperature must be more than 0 pixels; got 0.0"),
        (torch.zeros(1, 6, 3), {"grid_shape": (2, 3), "temperature": -1.0}, ValueError,
         "visibility: temperature must be more than 0 pixels; got -1.0"),
    ],
)  # fmt: skip
def test_visibility_rejects_a_bad_argument(
    backend: Backend, points: Any, topology: dict[str, Any], error: type[Exception], message: str
) -> None:
    def moved(value: Any) -> Any:
        return value.to(backend.device) if isinstance(value, torch.Tensor) else value

    with pytest.raises(error, match=re.escape(message)):
        backend.operators.visibility(moved(points), **{name: moved(value) for name, value in topology.items()})


@pytest.mark.parametrize("name", ["tolerance", "temperature"])
@pytest.mark.parametrize("value", [None, "0.01"])
def test_visibility_rejects_what_is_no_number(backend: Backend, name: str, value: Any) -> None:
    points = torch.zeros(1, 6, 3, device=backend.device)
    with pytest.raises(TypeError, match=f"visibility: {name} must be"):
        backend.operators.visibility(points, grid_shape=(2, 3), **{name: value})


def test_visibility_rejects_another_device(backend: Backend) -> None:
    points, faces = torch.zeros(1, 6, 3, device=backend.device), grid_faces((2, 3), "meta")
    with pytest.raises(ValueError, match=r"visibility: faces must be on \S+ as points is; got meta"):
        backend.operators.visibility(points, faces)
