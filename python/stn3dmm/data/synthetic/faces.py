"""Unlimited labelled images of faces."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

import stn3dmm_cuda
from stn3dmm.embedded import embedded_model
from stn3dmm.threads import limited_threads

from .camera import photograph
from .config import SyntheticConfig
from .draws import Draws
from .people import BACKGROUND, CAMERA, OCCLUDER, Person, draw_person, draw_view
from .scene import Drawn, Posed, Stage
from .scenery import Box, paint_background, paint_occluder

CHUNK = 8  # images drawn together: fewer cost more calls, more cost more cache
REMEMBERED = 16  # persons, for views in a row


class SyntheticSamples(NamedTuple):
    """Images and the truth about them; of one image without B."""

    image: torch.Tensor  # (B, 3, H, W) 0..1
    theta: torch.Tensor  # (B, 6 + K) of the embedded model
    landmarks: dict[str, torch.Tensor]  # "aflw21" (B, 21, 2), "ibug68" (B, 68, 2), pixels
    visible: dict[str, torch.Tensor]  # (B, 21) and (B, 68), 1 where the image shows the landmark
    mask: torch.Tensor  # (B, 1, P, Q) 1 where the image shows the vertex
    occluded: torch.Tensor  # (B, 1, P, Q) 1 where something that is not the face lies before the vertex
    texture: torch.Tensor  # (B, 3, P, Q) 0..1 the face's own colours, without light
    shaded: torch.Tensor  # (B, 3, P, Q) 0..1 the same under this light, before the camera
    face: torch.Tensor  # (B, 1, H, W) how much of the pixel shows the face, 0..1
    identity: torch.Tensor  # (B,) int64, who it is
    view: torch.Tensor  # (B,) int64, which of the views of him or her


class SyntheticFaces(Dataset[SyntheticSamples]):
    """Images of the embedded model with procedural textures, drawn at random, as many as one likes.

    Image i depends on the configuration, the seed and i alone: not on the batch that it is made in, nor on what
    was made before, nor on the number of workers. Image i is the view i % n of identity i // n, n being
    ``config.views_per_identity``; an identity keeps shape, texture, hair and glasses in all its views, and gets a new
    pose, expression, light, background, occluder and camera in each.

    Convention:
        As in docs/conventions.md; theta belongs to ``embedded_model(config.grid_shape)``. mask = visibility of
        the face alone (as `stn3dmm_cuda.warp` gives it) x not occluded. Landmarks are those of the model, in three
        dimensions: what is hidden keeps its true place.

    Args:
        config: the ranges to draw from; None = the defaults.
        seed: any whole number of 0 or more.

    A `torch.utils.data.Dataset`: a `DataLoader` collates its samples, and asks for whole batches at once, which is
    the fast way: each worker draws in one thread, as `batch` does. Works on the CPU.

    Raises:
        ValueError: a negative seed or index, a count below 1.
        TypeError: indices that are not whole numbers.

    Source: docs/synthetic.md.

    Example:
        >>> faces = SyntheticFaces(SyntheticConfig(image_size=(64, 64)), seed=1)
        >>> samples = faces.batch([0, 7])
        >>> samples.image.shape, samples.visible["ibug68"].shape
        (torch.Size([2, 3, 64, 64]), torch.Size([2, 68]))
        >>> torch.equal(faces[7].image, samples.image[1])
        True
    """

    def __init__(self, config: SyntheticConfig | None = None, seed: int = 0) -> None:
        self.config = SyntheticConfig() if config is None else config
        self.seed = operator.index(seed)
        if self.seed < 0:
            raise ValueError(f"SyntheticFaces: seed must be 0 or more; got {seed}.")
        self.model = embedded_model(self.config.grid_shape)
        self._stage = Stage(self.model, self.config)
        self._people: dict[int, Person] = {}

    def __len__(self) -> int:
        """``config.length``; images beyond it can be made, too, with `batch`."""
        return self.config.length

    def __getitem__(self, index: int) -> SyntheticSamples:
        """Image ``index``, without a batch dimension; IndexError beyond the length, which ends a loop."""
        if not 0 <= index < len(self):
            raise IndexError(f"SyntheticFaces: index must lie in 0..{len(self) - 1}; got {index}.")
        return _single(self.batch([index]), 0)

    def __getitems__(self, indices: Sequence[int]) -> list[SyntheticSamples]:
        """What a `DataLoader` asks for: the images of a batch, made together."""
        return [_single(chunk, b) for chunk in self._chunks(self._wanted(indices)) for b in range(len(chunk.image))]

    def batch(self, indices: Sequence[int] | torch.Tensor) -> SyntheticSamples:
        """The images with these indices, 0 or more, in this order."""
        return _joined(self._chunks(self._wanted(indices)))

    def _wanted(self, indices: Sequence[int] | torch.Tensor) -> list[tuple[int, int]]:
        """The identity and the view of each index."""
        wanted = [operator.index(index) for index in indices]
        if not wanted:
            raise ValueError("SyntheticFaces.batch: no indices; give at least one.")
        if min(wanted) < 0:
            raise ValueError(f"SyntheticFaces.batch: indices must be 0 or more; got {min(wanted)}.")
        n = self.config.views_per_identity
        return [(index // n, index % n) for index in wanted]

    def views(self, identity: int, count: int) -> SyntheticSamples:
        """The first ``count`` views of an identity, whatever ``config.views_per_identity``."""
        if operator.index(identity) < 0:
            raise ValueError(f"SyntheticFaces.views: identity must be 0 or more; got {identity}.")
        if operator.index(count) < 1:
            raise ValueError(f"SyntheticFaces.views: count must be 1 or more; got {count}.")
        return _joined(self._chunks([(identity, view) for view in range(count)]))

    def _chunks(self, wanted: list[tuple[int, int]]) -> list[SyntheticSamples]:
        with limited_threads(1):  # steps of microseconds lose more by waiting for a second one than it brings
            return [self._chunk(wanted[first : first + CHUNK]) for first in range(0, len(wanted), CHUNK)]

    def _person(self, number: int) -> Person:
        if number not in self._people:
            self._people[number] = draw_person(self.model, self.config, self.seed, number)
            for forgotten in list(self._people)[:-REMEMBERED]:
                del self._people[forgotten]
        return self._people[number]

    @torch.no_grad()
    def _chunk(self, wanted: list[tuple[int, int]]) -> SyntheticSamples:
        people = [self._person(identity) for identity, _ in wanted]
        views = [draw_view(self.model, self.config, (self.seed, *pair)) for pair in wanted]
        posed = self._stage.pose(people, views)
        drawn = self._stage.draw(people, views, posed)
        photographs, opacity = self._photographs(wanted, posed, drawn)
        before = stn3dmm_cuda.sample(opacity, posed.points)[:, 0] > 0.5
        occluded = (before | drawn.covered).float()
        P, Q = self.model.grid_shape
        mask = stn3dmm_cuda.visibility(posed.points, grid_shape=(P, Q)) * self._inside(posed.points) * (1 - occluded)
        index = {name: torch.from_numpy(vertices) for name, vertices in self.model.landmarks.items()}
        B = len(wanted)
        return SyntheticSamples(
            image=photographs,
            theta=posed.theta,
            landmarks={name: posed.points[:, vertices, :2] for name, vertices in index.items()},
            visible={name: mask[:, vertices] for name, vertices in index.items()},
            mask=mask.reshape(B, 1, P, Q),
            occluded=occluded.reshape(B, 1, P, Q),
            texture=torch.stack([person.texture[:, ::2, ::2] for person in people]),
            shaded=drawn.shaded.contiguous(),
            face=drawn.face * (1 - opacity),
            identity=torch.tensor([identity for identity, _ in wanted]),
            view=torch.tensor([view for _, view in wanted]),
        )

    def _inside(self, points: torch.Tensor) -> torch.Tensor:
        H, W = self.config.image_size
        x, y = points[..., 0], points[..., 1]
        return ((x >= 0) & (x <= W - 1) & (y >= 0) & (y <= H - 1)).float()

    def _photographs(
        self, wanted: list[tuple[int, int]], posed: Posed, drawn: Drawn
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The images (B, 3, H, W) and the opacity (B, 1, H, W) of what lies before the persons."""
        B, (H, W) = len(wanted), self.config.image_size
        photographs, opacity = torch.empty(B, 3, H, W), torch.zeros(B, 1, H, W)
        clear = 1 - drawn.coverage
        for b, pair in enumerate(wanted):
            key = (self.seed, *pair)
            image = paint_background(Draws(*key, BACKGROUND), H, W).mul_(clear[b]).add_(drawn.image[b])
            occluder = Draws(*key, OCCLUDER)
            if occluder.chance(self.config.occluder):
                layer = paint_occluder(occluder, H, W, _box(posed.points[b]))
                opacity[b, 0] = layer.opacity
                image.lerp_(layer.colour, layer.opacity)
            if self.config.camera:
                photograph(Draws(*key, CAMERA), image, self.config, photographs[b])
            else:
                photographs[b] = image
        return photographs, opacity


def _box(points: torch.Tensor) -> Box:
    low, high = (bound.tolist() for bound in torch.aminmax(points[:, :2].mT.contiguous(), dim=1))
    return Box((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, max(high[0] - low[0], high[1] - low[1]) / 2)


def _single(samples: SyntheticSamples, b: int) -> SyntheticSamples:
    return SyntheticSamples._make(
        {name: one[b] for name, one in part.items()} if isinstance(part, dict) else part[b] for part in samples
    )


def _joined(chunks: list[SyntheticSamples]) -> SyntheticSamples:
    if len(chunks) == 1:
        return chunks[0]
    return SyntheticSamples._make(
        {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        if isinstance(parts[0], dict)
        else torch.cat(parts)
        for parts in zip(*chunks, strict=True)
    )
