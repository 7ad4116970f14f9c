"""visibility on real faces, against brute force in float64.

The kernel in float32 must agree with the definition, evaluated in float64 at the same points, on 99.9 % of the
vertices, and where it does not, float32 must have an excuse.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import stn3dmm
import torch

from stn3dmm_cuda import grid_faces, reference

from .backends import Backend
from .meshes import joined, sheet, spot

POSES = 7
AGREEMENT = 0.999
TOLERANCE = 0.01  # pixels, the operator's default
# Faces are some hundred pixels wide: a coordinate is rounded at 8e-6, and an edge function, divided by the length of
# its edge, is off by a few such steps.
NEAR_AN_EDGE = 1e-4  # pixels


def random_theta(model: stn3dmm.MorphableModel, seed: int) -> torch.Tensor:
    """(POSES, 6 + K): yaw over the whole range from profile to profile, pitch, roll, shape; 100 to 200 pixels wide."""
    generator = torch.Generator().manual_seed(seed)
    theta = torch.randn(POSES, 6 + model.basis.shape[0], generator=generator)
    yaw = torch.linspace(-math.pi / 2, math.pi / 2, POSES)
    theta[:, 0] = 0.3 * theta[:, 0].clamp(-2, 2)
    theta[:, 1] = yaw
    theta[:, 2] = 0.3 * theta[:, 2].clamp(-2, 2)
    theta[:, 3:5] = 112 + 5 * theta[:, 3:5]
    theta[:, 5] = torch.log(torch.linspace(0.6, 1.2, POSES))
    return theta


def edge_distance(points: torch.Tensor, faces: torch.Tensor, n: int) -> torch.Tensor:
    """(F,): from vertex n to the nearest edge of each face, in pixels."""
    corners = points[faces][..., :2]
    start, along = corners, corners.roll(-1, dims=1) - corners
    across = points[n, :2] - start
    part = ((across * along).sum(dim=-1) / along.square().sum(dim=-1).clamp_min(1e-300)).clamp(0, 1)
    return (across - part[..., None] * along).norm(dim=-1).amin(dim=1)


def excused(points: torch.Tensor, faces: torch.Tensor, n: int) -> bool:
    """Whether float32 cannot be expected to see vertex n as float64 does, at points (N, 3) given in float64."""
    epsilon = torch.finfo(torch.float32).eps
    a, b, c = points[faces].unbind(dim=1)
    ahead, aside = b - a, c - a
    area = ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0]
    own = (faces == n).any(dim=1)
    size = (ahead[:, 0] * aside[:, 1]).abs() + (ahead[:, 1] * aside[:, 0]).abs()
    if area[own].sum().abs() <= 4 * epsilon * size[own].sum() + epsilon * area[own].abs().sum():
        return True
    if (edge_distance(points, faces, n)[~own] < NEAR_AN_EDGE).any():
        return True
    # The covering planes' depths: an edge function is off by epsilon x its products, so much of the area in weight.
    other = faces[~own]
    a, b, c = points[other].unbind(dim=1)
    homogeneous = torch.stack((a, b, c), dim=1).clone()
    depth = homogeneous[..., 2].clone()
    homogeneous[..., 2] = 1
    usable = torch.linalg.det(homogeneous).abs() > 0
    target = torch.tensor([points[n, 0], points[n, 1], 1.0], dtype=points.dtype)
    weights = torch.linalg.solve(homogeneous[usable].transpose(1, 2), target.expand(int(usable.sum()), 3))
    covering = (weights >= 0).all(dim=1)
    plane = (weights * depth[usable]).sum(dim=1)[covering]
    spread = (depth[usable].amax(dim=1) - depth[usable].amin(dim=1))[covering]
    products, twice_area = size[~own][usable][covering], area[~own][usable][covering].abs()
    rounding = 8 * epsilon * (spread * products / twice_area + depth[usable][covering].abs().amax(dim=1) + 1)
    return bool(((points[n, 2] - plane + TOLERANCE).abs() <= rounding).any())


def check_a_face(backend: Backend, model: stn3dmm.MorphableModel, record: Callable[[str, object], None]) -> None:
    device = backend.device
    operators = backend.operators
    mean, basis = (torch.from_numpy(array).to(device) for array in (model.mean, model.basis))
    rotation, translation, scale, alpha = operators.pose(random_theta(model, seed=0).to(device))
    points = operators.project(operators.vertices(alpha, mean, basis), rotation, translation, scale)
    actual = operators.visibility(points, grid_shape=model.grid_shape).cpu()
    exact = points.cpu().double()
    expected = reference.visibility(exact, grid_shape=model.grid_shape).float()
    shares = expected.mean(dim=1)
    assert (shares > 0.2).all()
    assert shares.min() < 0.7, "no pose hides much"
    assert shares.max() > 0.8, "no pose shows the face"

    misses = (actual != expected).nonzero()
    agreement = 1 - len(misses) / expected.numel()
    record("agreement", agreement)
    record("misses", len(misses))
    assert agreement >= AGREEMENT
    faces = grid_faces(model.grid_shape)
    for b, n in misses.tolist():
        assert excused(exact[b], faces, n), f"pose {b}, vertex {n} is nowhere near an edge"


def test_visibility_of_the_embedded_model(
    backend: Backend, embedded: stn3dmm.MorphableModel, record_property: Callable[[str, object], None]
) -> None:
    check_a_face(backend, embedded, record_property)


def test_visibility_of_the_basel_model(
    backend: Backend, basel: stn3dmm.MorphableModel, record_property: Callable[[str, object], None]
) -> None:
    check_a_face(backend, basel, record_property)


def test_visibility_excuses_are_rare(embedded: stn3dmm.MorphableModel) -> None:
    """An excuse that fitted every vertex would prove nothing."""
    theta = random_theta(embedded, seed=0)[1:2]
    rotation, translation, scale, alpha = reference.pose(theta.double())
    shape = reference.vertices(alpha, *(torch.from_numpy(a).double() for a in (embedded.mean, embedded.basis)))
    points = reference.project(shape, rotation, translation, scale)[0].float().double()
    faces = grid_faces(embedded.grid_shape)
    chosen = torch.randint(0, len(points), (100,), generator=torch.Generator().manual_seed(0)).tolist()
    assert sum(excused(points, faces, n) for n in chosen) <= 10


@pytest.mark.parametrize(
    ("x", "y", "depth", "expected"),
    [
        (5.00001, 5.0, 0.0, True),  # by the diagonal between two triangles
        (10.00001, 4.0, 0.0, True),  # by the outer edge
        (3.0, 1.0, 5.0 - TOLERANCE, True),  # as far behind as the tolerance
        (3.0, 1.0, 0.0, False),
        (12.0, 1.0, 0.0, False),
    ],
)
def test_visibility_excuses_by_hand(x: float, y: float, depth: float, expected: bool) -> None:
    points, faces = joined(sheet(0, 10, 5.0), spot(x, y, depth))
    assert excused(points, faces, 4) is expected


def test_visibility_excuses_vertices_on_the_silhouette() -> None:
    points = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1e-9, 0.0, 9.0]], dtype=torch.float64)
    assert not excused(points, torch.tensor([[0, 1, 2]]), 0)  # thin, but its area is exact
    twins = torch.tensor([[0, 1, 2], [0, 2, 3]])
    assert excused(torch.cat((points, torch.tensor([[0.0, 1.0 + 1e-9, 9.0]]).double())), twins, 0)
