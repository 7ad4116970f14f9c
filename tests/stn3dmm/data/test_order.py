"""The order of faces: permutations and pairs that depend on the seed and the number alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stn3dmm.data.order import InTurn, Pairs, Shuffled


def firsts(order, numbers):
    return [next(order.candidates(number)) for number in numbers]


def test_shuffled_shows_every_face_once_an_epoch():
    order = Shuffled(10, seed=3)
    epochs = [firsts(order, range(10 * epoch, 10 * epoch + 10)) for epoch in range(4)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert firsts(Shuffled(10, seed=4), range(10)) != epochs[0]


@given(numbers=st.lists(st.integers(0, 200), min_size=1, max_size=20))
def test_order_does_not_depend_on_what_was_asked_before(numbers):
    identities = np.array([0, 1, 1, 0, 2, 2, 2, -1, 0, 3])
    for make in (lambda: Shuffled(7, seed=1), lambda: Pairs(identities, seed=1)):
        used = make()
        assert firsts(used, numbers) == [firsts(make(), [number])[0] for number in numbers]


def test_shuffled_candidates_are_all_faces_in_turn():
    order = Shuffled(6, seed=0)
    epoch = firsts(order, range(6, 12))
    assert list(order.candidates(8)) == epoch[2:] + epoch[:2]


def test_in_turn():
    assert [list(InTurn(3).candidates(number)) for number in range(3)] == [[0], [1], [2]]


IDENTITIES = np.array([5, -1, 2, 5, 2, 9, 2, 5, -1, 5, 2, 2])  # person 9 has one photograph


def test_pairs_are_two_photographs_of_one_person():
    order = Pairs(IDENTITIES, seed=2)
    assert order.epoch_length == 8
    for epoch in range(20):
        shown = firsts(order, range(8 * epoch, 8 * epoch + 8))
        assert len(set(shown)) == 8
        for a, b in zip(shown[::2], shown[1::2], strict=True):
            assert a != b
            assert IDENTITIES[a] == IDENTITIES[b] >= 0


def test_pairs_leave_out_another_one_each_epoch():
    order = Pairs(IDENTITIES, seed=2)
    left_out = {next(iter({2, 4, 6, 10, 11} - set(firsts(order, range(8 * e, 8 * e + 8))))) for e in range(40)}
    assert left_out == {2, 4, 6, 10, 11}


@pytest.mark.parametrize("number", range(16))
def test_pairs_candidates_keep_to_the_person_first(number):
    order = Pairs(IDENTITIES, seed=2)
    candidates = list(order.candidates(number))
    partner = next(order.candidates(number ^ 1))
    person = IDENTITIES[candidates[0]]
    own = np.flatnonzero(person == IDENTITIES)
    assert sorted(candidates[: len(own)]) == own.tolist()
    assert candidates[len(own) - 1] == partner  # only if there is nothing else
    assert set(candidates) == set(np.flatnonzero((IDENTITIES == 5) | (IDENTITIES == 2)))


def test_pairs_of_nobody_known():
    assert Pairs(np.array([-1, -1, 3, 4]), seed=0).epoch_length == 0
    assert Pairs(np.empty(0, dtype=np.int64), seed=0).epoch_length == 0
