"""The reference against hand-computed cases, SciPy, grid_sample and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation

from stn3dmm_cuda import reference

ANGLES = (0.0, 1e-12, 1e-8, 1e-5, 3e-3, 0.1, 0.999999, 1.0, 1.000001, 2.0, 3.1, math.pi, 6.0, 12.0)
AXIS = torch.tensor([[0.48, -0.6, 0.64]], dtype=torch.float64)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def points_off_the_texel_lines(count: int, low: float, high: float, seed: int = 0) -> torch.Tensor:
    """(1, count, 2): bilinear sampling has kinks at integers, where finite differences mean nothing."""
    place = torch.rand(1, count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    points = low + (high - low) * place
    return points.floor() + (points - points.floor()).clamp(0.05, 0.95)


def test_pose_by_hand() -> None:
    theta = torch.tensor([[0.0, 0.0, math.pi / 2, 5.0, 6.0, math.log(2.0), 7.0, 8.0]], dtype=torch.float64)
    rotation, translation, scale, alpha = reference.pose(theta)
    quarter_turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(rotation[0], quarter_turn, rtol=0, atol=1e-15)
    assert translation.tolist() == [[5.0, 6.0]]
    assert scale.tolist() == pytest.approx([2.0], abs=1e-15)
    assert alpha.tolist() == [[7.0, 8.0]]


def test_pose_returns_copies() -> None:
    theta = torch.ones(2, 9)
    for part in reference.pose(theta):
        part.zero_()
    assert torch.equal(theta, torch.ones(2, 9))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 4e-15), (torch.float32, 1e-6)])
@pytest.mark.parametrize("angle", ANGLES)
def test_pose_matches_scipy(angle: float, dtype: torch.dtype, tolerance: float) -> None:
    r = (angle * AXIS).to(dtype)
    expected = torch.from_numpy(Rotation.from_rotvec(r.double().numpy()).as_matrix())
    torch.testing.assert_close(reference.axis_angle_to_matrix(r).double(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("angle", ANGLES)
def test_pose_gradcheck(angle: float) -> None:
    r = (angle * AXIS).requires_grad_()
    assert torch.autograd.gradcheck(reference.axis_angle_to_matrix, (r,))
    assert torch.autograd.gradgradcheck(reference.axis_angle_to_matrix, (r,), atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pose_known_gradient_at_zero(dtype: torch.dtype) -> None:
    """At r = 0 the derivative is [dr]x, exactly."""
    r = torch.zeros(1, 3, dtype=dtype)
    jacobian = torch.autograd.functional.jacobian(reference.axis_angle_to_matrix, r)[0, :, :, 0]
    about_x = torch.tensor([[0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=dtype)
    about_y = torch.tensor([[0, 0, 1], [0, 0, 0], [-1, 0, 0]], dtype=dtype)
    about_z = torch.tensor([[0, -1, 0], [1, 0, 0], [0, 0, 0]], dtype=dtype)
    assert torch.equal(jacobian, torch.stack((about_x, about_y, about_z), dim=-1))


@pytest.mark.parametrize("angle", [1e-8, 1e-3, 3e-3, 0.03, 0.3, 1.0, 1.01])
def test_pose_small_angle_gradient_in_float32(angle: float) -> None:
    """The closed forms lose up to 2 % here in float32; the series must not."""
    weight = random(3, 3, seed=1)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        r = (angle * AXIS).to(torch.float32).to(dtype).requires_grad_()
        (reference.axis_angle_to_matrix(r)[0] * weight.to(dtype)).sum().backward()
        assert r.grad is not None
        gradients.append(r.grad.double())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pose_keeps_nan_in_its_image(poison: float, axis: int) -> None:
    clean = random(3, 3, dtype=torch.float32)
    r = clean.clone()
    r[1, axis] = poison
    rotation = reference.axis_angle_to_matrix(r)
    assert rotation[1].isnan().all()
    assert torch.equal(rotation[[0, 2]], reference.axis_angle_to_matrix(clean)[[0, 2]])


def test_pose_rejects_a_short_theta() -> None:
    with pytest.raises(ValueError, match=r"pose: theta must be \(B, 6 \+ K\); got \(2, 5\)"):
        reference.pose(torch.zeros(2, 5))


def test_vertices_by_hand() -> None:
    mean = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    basis = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]])
    shape = reference.vertices(torch.tensor([[2.0, -1.0]]), mean, basis)
    assert shape.tolist() == [[[3.0, 2.0, 2.0], [3.0, 6.0, 5.0]]]


def test_vertices_without_modes_are_the_mean() -> None:
    mean = random(5, 3)
    assert torch.equal(
        reference.vertices(torch.zeros(2, 0).double(), mean, mean.new_zeros(0, 5, 3)), mean.expand(2, 5, 3)
    )


def test_vertices_gradcheck() -> None:
    inputs = tuple(random(*shape, seed=i).requires_grad_() for i, shape in enumerate([(2, 4), (5, 3), (4, 5, 3)]))
    assert torch.autograd.gradcheck(reference.vertices, inputs)


def test_project_by_hand() -> None:
    """A quarter turn about z takes (1, 2, 3) to (-2, 1, 3): x = 10 - 2 2, y = 20 - 2 1, depth = 2 3."""
    turn = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    points = reference.project(
        torch.tensor([[[1.0, 2.0, 3.0]]]), turn, torch.tensor([[10.0, 20.0]]), torch.tensor([2.0])
    )
    assert points.tolist() == [[[6.0, 18.0, 6.0]]]


def test_project_gradcheck() -> None:
    inputs = tuple(
        random(*shape, seed=i).requires_grad_() for i, shape in enumerate([(2, 4, 3), (2, 3, 3), (2, 2), (2,)])
    )
    assert torch.autograd.gradcheck(reference.project, inputs)


def test_project_known_gradient_by_torque() -> None:
    """docs/math.md#points: dL/dr = J^T torque, dL/d log s = s sum h . p, dL/dt = (sum g_x, sum g_y)."""
    X, theta, g = random(1, 6, 3), random(1, 6, seed=1).requires_grad_(), random(1, 6, 3, seed=2)
    rotation, translation, scale, _ = reference.pose(theta)
    (grad,) = torch.autograd.grad((reference.project(X, rotation, translation, scale) * g).sum(), theta)

    h = g[0] * torch.tensor([1.0, -1.0, 1.0])
    p = (X @ rotation.transpose(1, 2))[0].detach()
    s, r = scale.item(), theta[0, :3].detach()
    torque = s * torch.linalg.cross(p, h).sum(dim=0)
    t = float(r.norm())
    cross = torch.tensor([[0, -r[2], r[1]], [r[2], 0, -r[0]], [-r[1], r[0], 0]], dtype=torch.float64)
    jacobian = torch.eye(3) + (1 - math.cos(t)) / t**2 * cross + (t - math.sin(t)) / t**3 * cross @ cross
    torch.testing.assert_close(grad[0, :3], jacobian.T @ torque)
    torch.testing.assert_close(grad[0, 3:5], g[0, :, :2].sum(dim=0))
    torch.testing.assert_close(grad[0, 5], s * (h * p).sum())


def test_grid_by_hand() -> None:
    corners = torch.tensor([[[0.0, 0.0, 9.0], [4.0, 0.0, 9.0], [0.0, 2.0, 9.0], [2.0, 1.0, 9.0]]])
    expected = [[[[-1.0, -1.0], [1.0, -1.0]], [[-1.0, 1.0], [0.0, 0.0]]]]
    assert reference.grid(corners, (2, 2), (3, 5)).tolist() == expected


def test_grid_on_a_one_pixel_axis_is_finite() -> None:
    points = torch.tensor([[[0.0, 1.0], [0.5, 0.0]]])
    u = reference.grid(points, (1, 2), (3, 1))
    assert u.isfinite().all()
    assert u[0, 0, 0].tolist() == [-1.0, 0.0]


@pytest.mark.parametrize("image_size", [(5, 7), (7, 5), (1, 4), (2, 2)])
def test_sample_matches_grid_sample(image_size: tuple[int, int]) -> None:
    """Values and both gradients, inside, across the border and far outside."""
    H, W = image_size
    points = points_off_the_texel_lines(400, -3, max(image_size) + 3).expand(2, -1, -1)
    if H == 1:  # grid_sample reads row 0 wherever v points; so must y, here
        points = points * torch.tensor([1.0, 0.0])
    outputs = []
    for use_grid_sample in (False, True):
        image, at = random(2, 3, H, W, seed=1).requires_grad_(), points.clone().requires_grad_()
        if use_grid_sample:
            grid = reference.grid(at, (20, 20), image_size)
            value = F.grid_sample(image, grid, padding_mode="zeros", align_corners=True).flatten(2)
        else:
            value = reference.sample(image, at)
        gradients = torch.autograd.grad((value * random(*value.shape, seed=2)).sum(), (image, at))
        outputs.append((value, *gradients))
    (value, grad_image, grad_points), expected = outputs
    assert (value != 0).any()
    assert H == 1 or (value == 0).any()
    torch.testing.assert_close(value, expected[0])
    torch.testing.assert_close(grad_image, expected[1])
    axes = slice(0, 1 if H == 1 else 2)  # along one row grid_sample has no derivative by y
    torch.testing.assert_close(grad_points[..., axes], expected[2][..., axes])


def test_sample_by_hand() -> None:
    image = torch.tensor([[[[1.0, 2.0], [3.0, 8.0]]]])
    points = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [0.5, 0.5], [0.25, 0.0], [-0.5, 0.0], [1.0, 1.75], [-1.0, 0.0]]])
    assert reference.sample(image, points).tolist() == [[[1.0, 8.0, 3.5, 1.25, 0.5, 2.0, 0.0]]]


def test_sample_ignores_the_depth() -> None:
    image, points = random(1, 2, 4, 4), points_off_the_texel_lines(9, 0, 3)
    with_depth = torch.cat((points, torch.full((1, 9, 1), math.nan, dtype=torch.float64)), dim=-1)
    assert torch.equal(reference.sample(image, points), reference.sample(image, with_depth))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30, -1e30, 3e38])
@pytest.mark.parametrize("axis", [0, 1])
def test_sample_is_zero_at_hostile_points(bad: float, axis: int) -> None:
    image = torch.ones(1, 1, 3, 4, requires_grad=True)
    points = torch.tensor([[[1.0, 1.0], [1.25, 0.5]]])
    points[0, 0, axis] = bad
    points.requires_grad_()
    value = reference.sample(image, points)
    assert value.tolist() == [[[0.0, 1.0]]]
    grad_image, grad_points = torch.autograd.grad(value.sum(), (image, points))
    assert float(grad_image.sum()) == pytest.approx(1.0)
    assert grad_points[0, 0].tolist() == [0.0, 0.0]


def test_sample_gradcheck() -> None:
    image = random(1, 2, 4, 5).requires_grad_()
    points = points_off_the_texel_lines(30, -1.5, 5.5).requires_grad_()
    assert (reference.sample(image, points) != 0).any()
    assert torch.autograd.gradcheck(reference.sample, (image, points))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sample_accumulates_half_images_in_float32(dtype: torch.dtype) -> None:
    image = random(1, 2, 6, 6).to(dtype)
    points = points_off_the_texel_lines(50, 0, 5).float()
    value = reference.sample(image, points)
    assert value.dtype == dtype
    assert torch.equal(value, reference.sample(image.float(), points).to(dtype))


def test_sample_of_an_empty_batch() -> None:
    assert reference.sample(torch.zeros(0, 3, 4, 4), torch.zeros(0, 5, 3)).shape == (0, 3, 5)
    assert reference.grid(torch.zeros(0, 6, 3), (2, 3), (4, 4)).shape == (0, 2, 3, 2)


def test_series_meets_the_closed_form() -> None:
    """Both branches against long doubles around the switch at t = 1."""
    from stn3dmm_cuda.reference.pose import rodrigues_coefficients

    t = np.linspace(0.9, 1.1, 101, dtype=np.longdouble)
    a, b = rodrigues_coefficients(torch.from_numpy((t * t).astype(np.float64)))
    np.testing.assert_allclose(a.numpy(), (np.sin(t) / t).astype(np.float64), rtol=1e-15)
    np.testing.assert_allclose(b.numpy(), ((1 - np.cos(t)) / (t * t)).astype(np.float64), rtol=1e-15)
