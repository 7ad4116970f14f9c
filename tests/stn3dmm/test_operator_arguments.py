"""Arguments that the operator library refuses before PyTorch does, in words of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stn3dmm_cuda import grid_faces, layers


@pytest.mark.parametrize(
    ("grid_shape", "error"), [((2.5, 2), TypeError), ((2, "2"), TypeError), (5, ValueError), ((1, 2, 3), ValueError)]
)
def test_grid_faces_rejects_what_are_no_sizes(grid_shape, error):
    with pytest.raises(error, match="grid_faces: grid_shape must be two"):
        grid_faces(grid_shape)


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([1.5, 2], TypeError, "Selection: indices must be whole numbers; got float32"),
        (torch.tensor([True, False]), TypeError, "Selection: indices must be whole numbers; got bool"),
        ("ibug68", TypeError, "Selection: indices must be whole numbers; got str"),
        ([[1, 2]], ValueError, r"Selection: indices must be \(L,\).*got \(1, 2\)"),
        (3, ValueError, r"Selection: indices must be \(L,\)"),
    ],
)
def test_selection_rejects_what_are_no_indices(indices, error, message):
    with pytest.raises(error, match=message):
        layers.Selection(indices)


def test_selection_takes_every_kind_of_whole_numbers():
    for indices in ([1, -1], np.array([1, -1], dtype=np.int16), torch.tensor([1, -1], dtype=torch.int32), (1, -1)):
        assert layers.Selection(indices).indices.tolist() == [1, -1]
    assert layers.Selection([])(torch.zeros(1, 4, 3)).shape == (1, 0, 2)
