"""Words and pictures put together on white."""

from __future__ import annotations

import numpy as np
from stn3dmm import layout


def test_titles_are_cut_rather_than_clipped():
    """The end of a long title stays white."""
    tile = np.full((10, 120), 255, dtype=np.uint8)
    short, long = (layout.titled(tile, words) for words in ("jawOpen", "a name that is much too long for its picture"))
    assert short.shape == long.shape == (10 + layout.TEXT + 8, 120, 3)
    assert short.min() < 100
    assert long[:, -1].min() == 255
    assert short[: layout.TEXT, : layout.INSET].min() == 255


def test_rows_and_columns_pad_with_white():
    grey = np.full((4, 6), 9, dtype=np.uint8)
    colour = np.full((2, 3, 3), 7, dtype=np.uint8)
    row, column = layout.beside([grey, colour], gap=5), layout.below([grey, colour], gap=5)
    assert row.shape == (4, 6 + 5 + 3, 3)
    assert column.shape == (4 + 5 + 2, 6, 3)
    assert (row[2:, 11:] == 255).all()
    assert (column[9:, 3:] == 255).all()
    assert (column[9:, :3] == 7).all()
