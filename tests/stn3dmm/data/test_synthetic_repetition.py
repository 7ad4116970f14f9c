"""Synthetic faces: image i depends on configuration, seed and i alone, however it is asked for."""

from __future__ import annotations

import dataclasses
import pickle

import pytest
import torch
from stn3dmm.data.synthetic import SyntheticConfig, SyntheticFaces
from torch.utils.data import DataLoader

from .synthetic_cases import SMALL, assert_equal, picked


def test_an_image_depends_on_seed_and_index_alone(samples):
    """In any batch, in any order, after anything, alone: the same bits."""
    faces = SyntheticFaces(seed=7)
    mixed = [11, 3, 0]
    assert_equal(faces.batch(mixed), picked(samples, mixed))
    assert_equal(faces[5], picked(samples, 5))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing(threads):
    """PyTorch has its own number of threads again afterwards."""
    faces = SyntheticFaces(dataclasses.replace(SMALL, views_per_identity=3), seed=2)
    expected = [faces[index] for index in range(30)]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        together = SyntheticFaces(faces.config, seed=2).batch(range(30))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for index, alone in enumerate(expected):
        assert_equal(alone, picked(together, index))


def test_a_copy_in_another_process_draws_the_same():
    faces = SyntheticFaces(SMALL, seed=6)
    first = faces.batch([4])
    assert_equal(pickle.loads(pickle.dumps(faces)).batch([4]), first)


def test_data_loader_with_workers_gives_the_same_images():
    faces = SyntheticFaces(dataclasses.replace(SMALL, length=10), seed=3)
    expected = faces.batch(range(10))
    for workers in (0, 2):
        batches = list(DataLoader(faces, batch_size=4, num_workers=workers))
        assert [len(batch.image) for batch in batches] == [4, 4, 2]
        assert torch.equal(torch.cat([batch.image for batch in batches]), expected.image)
        assert torch.equal(torch.cat([batch.visible["ibug68"] for batch in batches]), expected.visible["ibug68"])


def test_loops_end_and_batches_reach_further():
    faces = SyntheticFaces(dataclasses.replace(SMALL, length=2), seed=0)
    assert len(faces) == 2
    assert len([sample.image.shape for sample in faces]) == 2
    with pytest.raises(IndexError, match=r"0\.\.1; got 2"):
        faces[2]
    assert faces.batch([10**12]).image.shape == (1, 3, 64, 80)


def test_other_sizes_work():
    config = SyntheticConfig(image_size=(600, 40), grid_shape=(48, 57), samples=4)
    samples = SyntheticFaces(config, seed=0).batch([0, 1])
    assert samples.image.shape == (2, 3, 600, 40)
    assert samples.texture.shape == (2, 3, 48, 57)
