"""Sheets of synthetic faces, from Python and from the command line."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from stn3dmm.data.synthetic import SyntheticFaces
from stn3dmm.data.synthetic.__main__ import main
from stn3dmm.data.synthetic.sheet import sheet

from .synthetic_cases import SMALL


def test_sheet():
    faces = SyntheticFaces(SMALL, seed=0)
    plain = sheet(faces, 3, 2)
    assert plain.shape == (2 * 64, 3 * 80, 3)
    assert np.array_equal(plain[:64, :80], (faces[0].image.permute(1, 2, 0) * 255).round().byte().numpy())
    assert sheet(faces, 1, 1, truth=True).shape == (128, 160 + 128, 3)
    with pytest.raises(ValueError, match="columns and rows must be 1 or more"):
        sheet(faces, 0, 2)


def test_sheet_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "new" / "faces.png"
    main(["--sheet", str(path), "--columns", "2", "--rows", "1", "--views", "2"])
    with Image.open(path) as picture:
        assert picture.size == (448, 224)
    for arguments in (["--sheet", "faces.bmp"], ["--sheet", str(path), "--rows", "0"], []):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "rows must be 1 or more" in capsys.readouterr().err
