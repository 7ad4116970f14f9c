"""Renderings by hand: squares, windings, depth order, light, edges; and their gradients."""

from __future__ import annotations

import pytest
import torch
from stn3dmm import render

import stn3dmm_cuda

SQUARE = torch.tensor([[1.0, 1.0, 0.0], [3.0, 1.0, 0.0], [1.0, 3.0, 0.0], [3.0, 3.0, 0.0]])
FACES = stn3dmm_cuda.grid_faces((2, 2))
GREY = torch.full((1, 4, 1), 0.5)


def tilted() -> tuple[torch.Tensor, torch.Tensor]:
    """A triangle in float64 whose edges pass no pixel centre, and its face."""
    return torch.tensor([[[0.3, 0.2, 1.0], [6.7, 1.1, 3.0], [2.1, 6.3, -2.0]]]).double(), torch.tensor([[0, 1, 2]])


def lamp(x: float, y: float, z: float) -> render.Lights:
    direction = torch.tensor([[[x, y, z]]]) / (x * x + y * y + z * z) ** 0.5
    return render.Lights(torch.zeros(1, 1), direction, torch.ones(1, 1, 1))


# --- values -----------------------------------------------------------------------------------------------------------


def test_interpolate_of_positions_is_where_the_pixels_are():
    points, faces = tilted()
    fragments = stn3dmm_cuda.rasterize(points, faces, (8, 9))
    position = render.interpolate(points, fragments, faces)[0]
    row, column = (fragments.face[0] >= 0).nonzero(as_tuple=True)
    assert len(row) > 10
    torch.testing.assert_close(position[0, row, column], column.double())
    torch.testing.assert_close(position[1, row, column], row.double())
    torch.testing.assert_close(position[2], fragments.depth[0])


def test_interpolate_is_zero_where_nothing_is_drawn():
    fragments = stn3dmm_cuda.rasterize(SQUARE[None], FACES, (5, 6))
    values = render.interpolate(torch.ones(1, 4, 2), fragments, FACES)
    assert values.shape == (1, 2, 5, 6)
    assert torch.equal(values[0, 0] > 0, fragments.face[0] >= 0)
    nothing = render.interpolate(torch.ones(1, 4, 2), fragments, FACES[:0])
    assert torch.equal(nothing, torch.zeros(1, 2, 5, 6))


def test_interpolate_takes_faces_and_attributes_of_each_image():
    points = torch.stack([SQUARE, SQUARE])
    faces = torch.stack([FACES[:1], FACES[1:]])
    fragments = stn3dmm_cuda.rasterize(points, faces, (4, 4))
    own = render.interpolate(torch.stack([torch.full((4, 1), 2.0), torch.full((4, 1), 3.0)]), fragments, faces)
    assert set(own[0].unique().tolist()) == {0.0, 2.0}
    assert set(own[1].unique().tolist()) == {0.0, 3.0}
    shared = render.interpolate(torch.full((1, 4, 1), 2.0), fragments, faces)
    assert torch.equal(shared[1] > 0, fragments.face[1:] >= 0)


def test_interpolate_gradcheck():
    points, faces = tilted()
    attributes = torch.tensor([[[0.2, 1.0], [-0.4, 0.5], [0.9, 0.1]]]).double().requires_grad_()

    def draw(points: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        fragments = stn3dmm_cuda.rasterize(points, faces, (8, 8))
        return render.interpolate(attributes, fragments, faces)

    assert torch.autograd.gradcheck(draw, (points.requires_grad_(), attributes))


def test_grid_coordinates_meet_the_vertices():
    """Every vertex on a pixel centre: the coordinates are its row and column."""
    P, Q = 4, 6
    row, column = torch.meshgrid(torch.arange(P), torch.arange(Q), indexing="ij")
    points = torch.stack((2.0 * column, 2.0 * row, 0.0 * row), dim=-1).reshape(1, -1, 3)
    fragments = stn3dmm_cuda.rasterize(points, stn3dmm_cuda.grid_faces((P, Q)), (2 * P - 2, 2 * Q - 2))
    at = render.grid_coordinates(fragments, (P, Q))[0]
    y, x = torch.meshgrid(torch.arange(2 * P - 2), torch.arange(2 * Q - 2), indexing="ij")
    torch.testing.assert_close(at, torch.stack((x, y), dim=-1) / 2.0)


def test_wireframe_lies_on_the_edges():
    points = torch.tensor([[[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [10, 10, 0]]])
    fragments = stn3dmm_cuda.rasterize(points, FACES, (10, 10))
    lines = render.wireframe(points, FACES, fragments)[0, 0]
    diagonal = torch.arange(10)
    assert (lines[diagonal[1:], 10 - diagonal[1:]] > 0.9).all()
    assert (lines[0, :9] == 1).all()
    assert lines[3, 2] == 0
    assert (render.wireframe(points, FACES, fragments, width=4.0) >= lines).all()


# --- light ------------------------------------------------------------------------------------------------------------


def test_normals_of_a_turned_square():
    """The right edge comes nearer: the normal points to the left."""
    points = SQUARE[None] + torch.tensor([[0.0, 0, 0], [0, 0, 2], [0, 0, 0], [0, 0, 2]])
    expected = torch.tensor([-1.0, 0.0, 1.0]).expand(4, 3) / 2**0.5
    torch.testing.assert_close(render.normals(points, FACES)[0], expected)
    torch.testing.assert_close(render.normals(points, FACES.flip(1))[0], -expected)


def test_normals_point_up_where_the_upper_edge_lies_back():
    points = SQUARE[None] - torch.tensor([[0.0, 0, 2], [0, 0, 2], [0, 0, 0], [0, 0, 0]])
    x, y, z = render.normals(points, FACES)[0, 0].tolist()
    assert (x, y > 0.7, z > 0.7) == (0.0, True, True)


def test_normals_weigh_by_area():
    """A large face that looks at the viewer and a tenfold smaller one that looks aside, at one vertex."""
    points = torch.tensor([[[0.0, 0, 0], [0, 10, 0], [10, 0, 0], [0, 0, 1], [0, 10, 0]]])
    faces = torch.tensor([[0, 1, 2], [0, 3, 4]])
    normal = render.normals(points, faces)[0, 0]
    assert normal[2] > 0.99
    assert normal[0].abs() == pytest.approx(0.0995, abs=1e-3)


def test_normals_of_a_lonely_vertex_are_zero_and_gradients_finite():
    points = torch.cat([SQUARE, torch.zeros(1, 3)])[None].requires_grad_()
    normal = render.normals(points, FACES)
    assert normal[0, 4].tolist() == [0.0, 0.0, 0.0]
    normal.sum().backward()
    assert torch.isfinite(points.grad).all()


def test_normals_of_the_mean_face_look_outwards(embedded):
    points = torch.from_numpy(embedded.mean)[None] * torch.tensor([1.0, -1.0, 1.0])
    normal = render.normals(points, stn3dmm_cuda.grid_faces(embedded.grid_shape))[0]
    nose, left_ear, right_ear = embedded.landmarks["ibug68"][[30, 0, 16]]
    assert normal[nose, 2] > 0.9
    assert normal[left_ear, 0] < -0.8
    assert normal[right_ear, 0] > 0.8


def test_faces_towards_the_lamp_light_up():
    normals = torch.tensor([[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]])
    assert render.shade(normals, lamp(0, 0, 1))[0, :, 0].tolist() == [1.0, 0.0, 0.0]
    assert render.shade(normals, lamp(1, 0, 0))[0, :, 0].tolist() == [0.0, 1.0, 0.0]
    two = render.Lights(
        torch.tensor([[0.1, 0.2]]), torch.tensor([[[0.0, 0, 1], [0.0, 0, 1]]]), torch.tensor([[[0.3, 0.0], [0.4, 0.5]]])
    )
    torch.testing.assert_close(render.shade(normals, two)[0, 0], torch.tensor([0.8, 0.7]))


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faces", [FACES, FACES.flip(1)], ids=["outside", "inside"])
def test_square_by_hand_whatever_its_winding(faces):
    drawn = render.render(SQUARE[None], faces, GREY, (5, 6), supersampling=1)
    expected = torch.zeros(5, 6)
    expected[1:3, 1:3] = 1  # the right and the lower edge are not drawn
    assert torch.equal(drawn.coverage[0, 0], expected)
    assert torch.equal(drawn.image[0, 0], 0.5 * expected)


def test_nearer_mesh_is_drawn():
    two = torch.cat([SQUARE, SQUARE + torch.tensor([0.0, 0.0, 5.0])])[None]
    colours = torch.tensor([0.25] * 4 + [0.75] * 4).reshape(1, 8, 1)
    faces = torch.cat([FACES + 4, FACES])
    drawn = render.render(two, faces, colours, (5, 5))
    assert drawn.image[0, 0, 2, 2] == 0.75
    assert drawn.depth[0, 0, 2, 2] == 5.0


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_supersampling_keeps_place_depth_and_colour(factor):
    points = torch.tensor([[[10.0, 10, 7], [30.0, 10, 7], [10.0, 30, 7], [30.0, 30, 7]]])
    drawn = render.render(points, FACES, GREY, (40, 50), supersampling=factor)
    weight = drawn.coverage[0, 0] / drawn.coverage.sum()
    # Left and upper edges are drawn, right and lower ones are not: half a sample.
    assert (weight.sum(0) * torch.arange(50)).sum() == pytest.approx(20 - 0.5 / factor, abs=0.26)
    assert (weight.sum(1) * torch.arange(40)).sum() == pytest.approx(20 - 0.5 / factor, abs=0.26)
    assert drawn.depth[0, 0, 20, 20] == 7
    assert drawn.image[0, 0, 20, 20] == 0.5


def test_light_falls_on_the_rendering():
    drawn = render.render(SQUARE[None], FACES, GREY, (5, 5), lights=lamp(0, 0, 1))
    dark = render.render(SQUARE[None], FACES, GREY, (5, 5), lights=lamp(0, 0, -1))
    assert drawn.image[0, 0, 2, 2] == 0.5
    assert dark.image.abs().sum() == 0
    textured = render.render_texture(SQUARE[None], (2, 2), torch.full((1, 1, 2, 2), 0.5), (5, 5), lights=lamp(0, 0, 1))
    torch.testing.assert_close(textured.image, drawn.image)


def test_texture_of_vertices_equals_colours_of_vertices(embedded):
    """A texture of P x Q drawn through its coordinates, and the same colours at the vertices."""
    points = torch.from_numpy(embedded.mean)[None] * torch.tensor([0.4, -0.4, 0.4]) + torch.tensor([40.0, 60.0, 0.0])
    P, Q = embedded.grid_shape
    texture = torch.rand(1, 3, P, Q, generator=torch.Generator().manual_seed(0))
    drawn = render.render_texture(points, (P, Q), texture, (90, 80))
    faces = stn3dmm_cuda.grid_faces((P, Q))
    other = render.render(points, faces, texture.flatten(2).mT, (90, 80))
    assert torch.equal(drawn.coverage, other.coverage)
    # Within a cell a texture is bilinear and colours are linear on two triangles; they meet at the vertices.
    assert (drawn.image - other.image).abs().mean() < 0.02


def test_flattening_a_rendering_gives_the_texture_back(embedded):
    P, Q = embedded.grid_shape
    y, x = torch.meshgrid(torch.linspace(0, 1, P), torch.linspace(0, 1, Q), indexing="ij")
    texture = torch.stack([x, y, 0.5 + 0.2 * torch.sin(9 * x + 5 * y)])[None]
    theta = torch.zeros(1, 6 + embedded.mode_count)
    theta[0, :6] = torch.tensor([0.1, 0.5, 0.0, 110.0, 120.0, 0.0])
    mean, basis = embedded.tensors()
    pose = stn3dmm_cuda.pose(theta)
    vertices = stn3dmm_cuda.vertices(pose.alpha, mean, basis)
    points = stn3dmm_cuda.project(vertices, pose.rotation, pose.translation, pose.scale)
    drawn = render.render_texture(points, (P, Q), texture, (240, 224), supersampling=1)
    photograph = render.overlay(torch.full((1, 3, 240, 224), 0.5), drawn)
    warped = stn3dmm_cuda.warp(photograph, theta, mean, basis, (P, Q))
    error = ((warped.texture - texture).abs() * warped.mask).sum(dim=1)[warped.mask[:, 0] > 0]
    assert len(error) > 0.5 * P * Q
    assert error.quantile(0.9) < 0.02


def test_overlay_by_hand():
    drawn = render.render(SQUARE[None], FACES, GREY, (5, 5), supersampling=1)
    photograph = torch.full((1, 1, 5, 5), 0.9)
    assert render.overlay(photograph, drawn)[0, 0, 1].tolist() == pytest.approx([0.9, 0.5, 0.5, 0.9, 0.9])
    assert render.overlay(photograph, drawn, 0.5)[0, 0, 1, 1].item() == pytest.approx(0.7)
    assert torch.equal(render.overlay(photograph, drawn, 0.0), photograph)
    mask = torch.zeros(1, 1, 5, 5)
    mask[..., 2:] = 1
    assert render.overlay(photograph, drawn, mask=mask)[0, 0, 1].tolist() == pytest.approx([0.9, 0.9, 0.5, 0.9, 0.9])


def test_gradients_reach_colours_texture_light_and_points():
    points = (SQUARE[None] * 1.3 + torch.tensor([0.11, 0.07, 0.0])).requires_grad_()
    colours = torch.rand(1, 4, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    light = render.Lights(*(part.clone().requires_grad_() for part in lamp(0.2, 0.3, 1)))
    drawn = render.render(points, FACES, colours, (6, 6), lights=light)
    (drawn.image * torch.arange(6.0)).sum().backward()
    texture = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(2)).requires_grad_()
    render.render_texture(points, (2, 2), texture, (6, 6)).image.square().sum().backward()
    for tensor in (points, colours, texture, *light):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.abs().sum() > 0


def test_hostile_points_draw_nothing():
    broken = torch.full((1, 4, 3), torch.nan)
    drawn = render.render(broken, FACES, GREY, (4, 4))
    assert drawn.coverage.sum() == 0
    assert (drawn.image == 0).all()
    nothing = render.render(SQUARE[None], FACES, GREY, (0, 4))
    assert nothing.image.shape == (1, 1, 0, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: render.render(SQUARE, FACES, GREY, (4, 4)), r"render: points must be \(B, N, 3\)"),
        (lambda: render.render(SQUARE[None], FACES, GREY, (4, -1)), "render: image_size must hold sizes of 0 or more"),
        (lambda: render.render(SQUARE[None], FACES, GREY, (4, 4), supersampling=0), "supersampling must be 1 or more"),
        (lambda: render.render(SQUARE[None], FACES, GREY[0], (4, 4)), "interpolate: attributes must be"),
        (lambda: render.render(SQUARE[None], FACES[0], GREY, (4, 4)), "faces must be"),
        (lambda: render.render_texture(SQUARE[None], (2, 3), GREY[None], (4, 4)), "P Q = N = 4"),
        (lambda: render.render_texture(SQUARE[None], (2, 2), torch.zeros(2, 1, 2, 2), (4, 4)), "texture must be"),
        (lambda: render.overlay(torch.zeros(1, 3, 4, 4), _drawn(), 1.5), r"opacity must lie in 0\.\.1"),
        (lambda: render.overlay(torch.zeros(1, 3, 4, 5), _drawn()), "overlay: image must be"),
        (lambda: render.wireframe(SQUARE[None], FACES, _fragments(), 0.0), "width must be more than 0"),
    ],
)
def test_rejects_what_does_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def _fragments() -> stn3dmm_cuda.Fragments:
    return stn3dmm_cuda.rasterize(SQUARE[None], FACES, (4, 4))


def _drawn() -> render.Rendering:
    return render.render(SQUARE[None], FACES, GREY.expand(1, 4, 3), (4, 4))
