"""Samples, batches of them, and which samples are in which batch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch.utils.data import Sampler

_log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """One crop of a face."""

    image: torch.Tensor  # (3, H, W) uint8
    landmarks: torch.Tensor  # (L, 2) float32 pixels of the crop; 0 where not labelled
    visible: torch.Tensor  # (L,) float32, 1 where labelled and seen
    identity: torch.Tensor  # int64, -1 = unknown
    affine: torch.Tensor  # (2, 3) float32, photograph pixels to crop pixels
    yaw: torch.Tensor  # float32 degrees of the face in the crop, as the data set tells it; nan = unknown
    number: torch.Tensor  # int64, of the sample
    name: str  # of the face
    damage: str  # what could not be read on the way to this sample, one sentence a line; "" = nothing


class FaceBatch(NamedTuple):
    """Samples put together."""

    image: torch.Tensor  # (B, 3, H, W) uint8
    landmarks: torch.Tensor  # (B, L, 2) float32
    visible: torch.Tensor  # (B, L) float32
    identity: torch.Tensor  # (B,) int64
    affine: torch.Tensor  # (B, 2, 3) float32
    yaw: torch.Tensor  # (B,) float32 degrees, nan = unknown
    number: torch.Tensor  # (B,) int64
    name: list[str]
    damage: list[str]

    def to(self, device: torch.device | str) -> FaceBatch:
        """The same with its tensors on a device; from pinned memory without waiting."""
        return FaceBatch._make(
            part.to(device, non_blocking=True) if isinstance(part, torch.Tensor) else part for part in self
        )


def collate(samples: Sequence[Sample]) -> FaceBatch:
    """Samples as a batch, in their order."""
    return FaceBatch._make(
        torch.stack(parts) if isinstance(parts[0], torch.Tensor) else list(parts)
        for parts in zip(*samples, strict=True)
    )


class BatchNumbers(Sampler[list[int]]):
    """The sample numbers of batches: batch k holds numbers k B to (k + 1) B - 1, of which each rank takes its part.

    Args:
        batch_size: B, of all ranks together.
        first_batch: where to begin; a resumed run begins where it was.
        last_batch: where to end, not included.
        rank, world: this process and how many there are.
        end: the number that the last batch may not reach; None: there are samples without end.

    Raises:
        ValueError: B is not a multiple of ``world``, a rank out of range.
    """

    def __init__(
        self,
        batch_size: int,
        first_batch: int,
        last_batch: int,
        rank: int = 0,
        world: int = 1,
        *,
        end: int | None = None,
    ) -> None:
        if world < 1 or not 0 <= rank < world:
            raise ValueError(f"BatchNumbers: rank must lie in 0..world - 1; got rank {rank} of {world}.")
        if batch_size < 1 or batch_size % world:
            raise ValueError(
                f"The batch size must be a multiple of the number of processes, {world}, so that all have equal parts; "
                f"got {batch_size}."
            )
        if not 0 <= first_batch <= last_batch:
            raise ValueError(f"BatchNumbers: batches must be 0 <= first <= last; got {first_batch} and {last_batch}.")
        part = batch_size // world
        stop = last_batch * batch_size if end is None else min(last_batch * batch_size, end)
        firsts = range(first_batch * batch_size + rank * part, stop, batch_size)
        self._batches = [range(first, first + part if end is None else min(first + part, end)) for first in firsts]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        return (list(batch) for batch in self._batches)


class DamageReport:
    """Logs what could not be read, each once however often it comes by."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    @property
    def messages(self) -> list[str]:
        """What was reported, in alphabetical order."""
        return sorted(self._known)

    def add(self, batch: FaceBatch) -> None:
        """Logs as warnings what is new in this batch."""
        for message in (line for damage in batch.damage for line in damage.splitlines()):
            if message not in self._known:
                self._known.add(message)
                _log.warning("left out: %s", message)
