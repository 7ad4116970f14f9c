"""Meshes made by hand, in pixels, for the visibility tests."""

from __future__ import annotations

import math

import torch

from stn3dmm_cuda import grid_faces

Mesh = tuple[torch.Tensor, torch.Tensor]  # points (N, 3) float64, faces (F, 3) int64


def sheet(low: float, high: float, depth: float, count: int = 2) -> Mesh:
    """A square of count x count vertices that faces the viewer."""
    along = torch.linspace(low, high, count, dtype=torch.float64)
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack((x, y, torch.full_like(x, depth)), dim=-1).reshape(-1, 3), grid_faces((count, count))


def spot(x: float, y: float, depth: float, size: float = 0.125) -> Mesh:
    """A tiny triangle that faces the viewer; its first vertex is the one to look at."""
    corners = [[x, y, depth], [x, y + size, depth], [x + size, y, depth]]
    return torch.tensor(corners, dtype=torch.float64), torch.tensor([[0, 1, 2]])


def sphere(
    radius: float, centre: tuple[float, float, float] = (0.0, 0.0, 0.0), rings: int = 8, sides: int = 12
) -> Mesh:
    """Rings of vertices around the viewing axis between a far pole (first vertex) and a near one (last vertex).

    With an even number of rings none lies on the silhouette.
    """
    points = [(0.0, 0.0, -1.0)]
    for ring in range(rings):
        latitude = math.pi * ((ring + 1) / (rings + 1) - 0.5)
        for side in range(sides):
            turn = 2 * math.pi * side / sides
            points.append(
                (math.cos(latitude) * math.cos(turn), math.cos(latitude) * math.sin(turn), math.sin(latitude))
            )
    points.append((0.0, 0.0, 1.0))
    faces, last = [], len(points) - 1
    for side in range(sides):
        after = (side + 1) % sides
        faces.append((0, 1 + side, 1 + after))
        faces.append((last, last - sides + after, last - sides + side))
        for ring in range(rings - 1):
            a, b = 1 + ring * sides + side, 1 + ring * sides + after
            faces += [(a, a + sides, b), (b + sides, b, a + sides)]
    return radius * torch.tensor(points, dtype=torch.float64) + torch.tensor(centre), torch.tensor(faces)


def strip(profile: list[tuple[float, float]], rows: int = 3) -> torch.Tensor:
    """(rows x len(profile), 3): a grid whose every row has this outline of x and depth, one pixel below the other."""
    outline = torch.tensor(profile, dtype=torch.float64)
    points = [
        torch.stack((outline[:, 0], torch.full_like(outline[:, 0], y), outline[:, 1]), dim=-1) for y in range(rows)
    ]
    return torch.cat(points)


def joined(*meshes: Mesh) -> Mesh:
    """Several meshes as one."""
    points, faces, start = [], [], 0
    for own_points, own_faces in meshes:
        points.append(own_points)
        faces.append(own_faces + start)
        start += len(own_points)
    return torch.cat(points), torch.cat(faces)


def scattered_spots(count: int, width: float, size: float, seed: int = 0) -> Mesh:
    """Triangles that face the viewer, anywhere in a square around the origin and within a pixel of depth."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.rand(count, 1, 3, generator=generator, dtype=torch.float64) - 0.5
    first = first * torch.tensor([width, width, 1.0], dtype=torch.float64)
    steps = size * torch.tensor([[0, 0, 0], [0, 1, 0], [1, 0, 0]], dtype=torch.float64)
    return (first + steps).reshape(-1, 3), torch.arange(3 * count).reshape(-1, 3)


def fan(count: int, radius: float = 100.0) -> Mesh:
    """Slivers around the first vertex, of any length and depth."""
    generator = torch.Generator().manual_seed(0)
    turn = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    length, depth = torch.rand(2, count, generator=generator, dtype=torch.float64)
    reach = radius * (1 + length) / 2
    centre = torch.tensor([[0.0, 0.0, 0.5]], dtype=torch.float64)
    along = torch.arange(count)
    faces = torch.stack((torch.zeros_like(along), 1 + along, 1 + (along + 1) % count), dim=-1)
    return torch.cat((centre, torch.stack((reach * turn.cos(), -reach * turn.sin(), depth), dim=-1))), faces


def diagonal_slivers(count: int, width: float = 100.0) -> Mesh:
    """Triangles anywhere in a square that reach as far to the right and down as it does, thinner for more of them."""
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(count, 1, 3, generator=generator, dtype=torch.float64)
    first = first * torch.tensor([width, width, 1.0], dtype=torch.float64)
    thickness = width / count
    steps = torch.tensor([[0, 0, 0], [width, width, 0], [width + thickness, width - thickness, 0]], dtype=torch.float64)
    return (first + steps).reshape(-1, 3), torch.arange(3 * count).reshape(-1, 3)
