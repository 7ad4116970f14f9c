"""Persons in views -> geometry and pictures without a background."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch
import torch.nn.functional as F

import stn3dmm_cuda
from stn3dmm.angles import rotation_vector
from stn3dmm.morphable_model import MorphableModel

from .atlas import atlas
from .body import JOINT, SHAPES, TURNING, body_parts, head_share
from .colouring import colour_face, colour_parts
from .config import SyntheticConfig
from .people import Person, View

BODY_TURN = (0.35, 0.15, 0.25)  # share of the head's yaw, pitch and roll that the shoulders follow
ROOM = 0.03  # of the image's size, left free around the face's box
NEARER = 1.0  # pixels by which something lies before the face to cover it
# Where in a pixel it is looked at, for each number of samples.
SAMPLES = {
    1: ((0.0, 0.0),),
    2: ((-0.25, -0.25), (0.25, 0.25)),
    4: ((-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375)),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Posed:
    """B persons in their views."""

    theta: torch.Tensor  # (B, 6 + K)
    points: torch.Tensor  # (B, N, 3) pixels, the face
    parts: torch.Tensor  # (B, M, 3) pixels, what surrounds it
    rotation: torch.Tensor  # (B, 3, 3)


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """B persons on nothing."""

    image: torch.Tensor  # (B, 3, H, W) premultiplied by the coverage
    coverage: torch.Tensor  # (B, 1, H, W)
    face: torch.Tensor  # (B, 1, H, W) how much of the pixel shows the face
    covered: torch.Tensor  # (B, N) whether hair or glasses lie before the vertex
    shaded: torch.Tensor  # (B, 3, P, Q) the face's texture under this light


class Stage:
    """Where the persons of a configuration are posed and drawn."""

    def __init__(self, model: MorphableModel, config: SyntheticConfig) -> None:
        self.model, self.config = model, config
        self.mean, self.basis = model.tensors()
        self.bridge = int(model.landmarks["ibug68"][27])

    def pose(self, people: list[Person], views: list[View]) -> Posed:
        """Places the faces so that their boxes lie in the image, and what surrounds them around them."""
        alpha = torch.from_numpy(np.stack([p.alpha + v.alpha for p, v in zip(people, views, strict=True)])).float()
        vertices = stn3dmm_cuda.vertices(alpha, self.mean, self.basis)
        r = torch.from_numpy(np.stack([view.rotation for view in views])).float()
        B = len(views)
        rotation = stn3dmm_cuda.axis_angle_to_matrix(r)
        turned = stn3dmm_cuda.project(vertices, rotation, r.new_zeros(B, 2), r.new_ones(B))
        low, high = (bound.double().numpy() for bound in torch.aminmax(turned[..., :2].mT.contiguous(), dim=2))
        placed = [self._place(view, low[b], high[b]) for b, view in enumerate(views)]
        theta = torch.cat([r, torch.tensor(placed, dtype=torch.float32), alpha], dim=1)
        pose = stn3dmm_cuda.pose(theta)
        points = stn3dmm_cuda.project(vertices, pose.rotation, pose.translation, pose.scale)
        parts = np.stack([self._parts(person, vertices[b].numpy()) for b, person in enumerate(people)])
        angles = [rotation_vector(*(s * a for s, a in zip(BODY_TURN, view.angles, strict=True))) for view in views]
        return Posed(
            theta, points, _project_parts(torch.from_numpy(parts).float(), pose, torch.tensor(angles)), pose.rotation
        )

    def _place(self, view: View, low: np.ndarray, high: np.ndarray) -> tuple[float, float, float]:
        """t and log s for a face whose box at scale 1 and t = 0 reaches from low to high."""
        H, W = self.config.image_size
        size = np.array([W, H], dtype=np.float64)
        box = high - low
        scale = view.size * (min(H, W) - 1) / box.max()
        free = size - 1 - scale * box
        border = np.minimum(ROOM * size, free / 2)
        t = border + (free - 2 * border) * np.array(view.place) - scale * low
        return float(t[0]), float(t[1]), float(np.log(scale))

    def _parts(self, person: Person, vertices: np.ndarray) -> np.ndarray:
        shape = (*self.model.grid_shape, 3)
        parts = body_parts(vertices.reshape(shape), self.model.mean.reshape(shape), self.bridge, person.style)
        return np.concatenate([part.reshape(-1, 3) for part in parts.values()])

    def draw(self, people: list[Person], views: list[View], posed: Posed) -> Drawn:
        """Renders everybody."""
        layout = atlas(self.model.grid_shape)
        points = torch.cat([posed.points, posed.parts], dim=1)
        colours = self._colours(people, views, posed)
        (H, W), N = self.config.image_size, posed.points.shape[1]
        offsets = SAMPLES[self.config.samples]
        totals: list[torch.Tensor] = []
        for right, down in offsets:
            moved = points - torch.tensor([right, down, 0.0]) if right or down else points
            fragments = stn3dmm_cuda.rasterize(moved, layout.faces, (H, W))
            drawn = (fragments.face >= 0).float()[:, None]
            face = drawn * (fragments.face < layout.face_count)[:, None]
            layers = [layout.look_up(colours, fragments), drawn, face]
            if not totals:
                totals, covered = layers, _covered(moved[:, :N], fragments, layout.face_count)
            else:
                totals = [total + layer for total, layer in zip(totals, layers, strict=True)]
        image, coverage, face = (total / len(offsets) if len(offsets) > 1 else total for total in totals)
        _, tall, wide = layout.tiles["face"]
        return Drawn(image, coverage, face, covered, colours[:, :, :tall:2, :wide:2])

    def _colours(self, people: list[Person], views: list[View], posed: Posed) -> torch.Tensor:
        """The atlases (B, 3, h, w) under the light of the views."""
        P, Q = self.model.grid_shape
        layout = atlas((P, Q))
        _, tall, wide = layout.tiles["face"]
        colours = posed.points.new_empty(len(people), 3, *layout.size)
        rotations = posed.rotation.double().numpy()
        for b, (person, view) in enumerate(zip(people, views, strict=True)):
            face, parts = _upright(posed.points[b]), _upright(posed.parts[b])
            colour_face(
                colours[b, :, :tall, :wide],
                person.texture,
                face.reshape(3, P, Q),
                rotations[b],
                view.light,
                person.style.hair,
            )
            colour_parts(colours[b, :, tall:], layout, person.parts, person.style, parts, view.light)
        return colours


def _upright(points: torch.Tensor) -> torch.Tensor:
    """Points (n, 3) pixels as (3, n) with y up."""
    x, y, z = points.unbind(1)
    return torch.stack([x, -y, z])


def _project_parts(parts: torch.Tensor, pose: stn3dmm_cuda.Pose, body: torch.Tensor) -> torch.Tensor:
    """Parts (B, M, 3) mm -> pixels; neck and shoulders follow the head less and less, the body's turn is (B, 3)."""
    B = len(parts)
    joint = torch.tensor(JOINT)
    still = parts.new_zeros(B, 2), parts.new_ones(B)
    head = stn3dmm_cuda.project(parts, pose.rotation, *still)
    foot = stn3dmm_cuda.project(joint.expand(B, 1, 3).contiguous(), pose.rotation, *still)
    trunk = foot + stn3dmm_cuda.project(parts - joint, stn3dmm_cuda.axis_angle_to_matrix(body), *still)
    placed = trunk + _head_shares()[:, None] * (head - trunk)
    return placed * pose.scale[:, None, None] + F.pad(pose.translation, (0, 1))[:, None]


@functools.cache
def _head_shares() -> torch.Tensor:
    """(M,) 1 where a vertex of a part follows the head, 0 where it follows the body."""
    shares = []
    for name, (rows, columns) in SHAPES.items():
        share = head_share(name) if name in TURNING else np.ones(rows, np.float32)
        shares.append(np.repeat(share, columns))
    return torch.from_numpy(np.concatenate(shares))


def _covered(points: torch.Tensor, fragments: stn3dmm_cuda.Fragments, face_count: int) -> torch.Tensor:
    """(B, N) whether something that is not the face is drawn at a vertex, and nearer than it."""
    B, H, W = fragments.face.shape
    column, row = points[..., 0].round().clamp(0, W - 1), points[..., 1].round().clamp(0, H - 1)
    pixel = (row * W + column).long()
    other = fragments.face.reshape(B, -1).gather(1, pixel) >= face_count
    return other & (fragments.depth.reshape(B, -1).gather(1, pixel) > points[..., 2] + NEARER)
