"""In which order faces are shown: a function of the seed and of the sample's number, and of nothing else."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

ORDER, PAIRS, AUGMENTATION = 1, 2, 3  # what random numbers are for; each has a stream of its own
REMEMBERED = 2  # epochs: a batch may lie across the end of one


def generator(*key: int) -> np.random.Generator:
    """Random numbers of their own for every key."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


class Order(Protocol):
    """The faces of an endless row of samples."""

    epoch_length: int  # samples in which every face has its turn once

    def candidates(self, number: int) -> Iterator[int]:
        """The face of sample ``number``, then those that take its place, in turn, where it is damaged."""
        ...


class InTurn:
    """Every face once, in the source's order; nothing takes the place of a damaged one."""

    def __init__(self, count: int) -> None:
        self.epoch_length = count

    def candidates(self, number: int) -> Iterator[int]:
        yield number


class _Epochs(abc.ABC):
    """An order that is drawn anew in each epoch, and kept for a while."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._drawn: dict[int, npt.NDArray[np.int64]] = {}

    @abc.abstractmethod
    def _draw(self, epoch: int) -> npt.NDArray[np.int64]: ...

    def _epoch(self, epoch: int) -> npt.NDArray[np.int64]:
        if epoch not in self._drawn:
            self._drawn[epoch] = self._draw(epoch)
            for forgotten in list(self._drawn)[:-REMEMBERED]:
                del self._drawn[forgotten]
        return self._drawn[epoch]


class Shuffled(_Epochs):
    """A new permutation in each epoch; a damaged face gives its place to the next of the permutation."""

    def __init__(self, count: int, seed: int) -> None:
        super().__init__(seed)
        self.epoch_length = count

    def _draw(self, epoch: int) -> npt.NDArray[np.int64]:
        return generator(self.seed, ORDER, epoch).permutation(self.epoch_length)

    def candidates(self, number: int) -> Iterator[int]:
        epoch, place = divmod(number, self.epoch_length)
        permutation = self._epoch(epoch)
        for step in range(self.epoch_length):
            yield int(permutation[(place + step) % self.epoch_length])


class Pairs(_Epochs):
    """Samples 2 p and 2 p + 1 are two photographs of one person.

    In an epoch each photograph is in at most one pair; of a person with an odd number of them one is left out, another
    one in each epoch. A damaged photograph gives its place to another one of the person; where all of them are
    damaged, the next pair takes the place of this one.
    """

    def __init__(self, identities: npt.NDArray[np.int64], seed: int) -> None:
        super().__init__(seed)
        known = np.flatnonzero(identities >= 0)
        order = known[np.argsort(identities[known], kind="stable")]
        starts = np.flatnonzero(np.diff(identities[order], prepend=-1))
        self._photographs = [group for group in np.split(order, starts[1:]) if len(group) >= 2]
        self._person = np.full(len(identities), -1)
        for who, group in enumerate(self._photographs):
            self._person[group] = who
        self.epoch_length = 2 * sum(len(group) // 2 for group in self._photographs)

    def _draw(self, epoch: int) -> npt.NDArray[np.int64]:
        """(pairs, 2) faces."""
        draws = generator(self.seed, PAIRS, epoch)
        pairs = [draws.permutation(group)[: len(group) // 2 * 2].reshape(-1, 2) for group in self._photographs]
        return draws.permutation(np.concatenate(pairs))

    def candidates(self, number: int) -> Iterator[int]:
        (epoch, place), side = divmod(number // 2, self.epoch_length // 2), number % 2
        pairs = self._epoch(epoch)
        for step in range(len(pairs)):
            pair = pairs[(place + step) % len(pairs)]
            own, partner = int(pair[side]), int(pair[1 - side])
            group = [int(index) for index in self._photographs[self._person[own]]]
            at = group.index(own)
            others = [index for index in group[at:] + group[:at] if index not in (own, partner)]
            yield from (own, *others, partner)
