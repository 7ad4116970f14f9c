"""Photographs: read upright and in RGB, written whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from stn3dmm.formats.images import read_image, write_png


def pixels(H: int = 6, W: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)


def test_png_round_trip(tmp_path):
    path = tmp_path / "new" / "a.png"
    write_png(path, pixels())
    assert (read_image(path) == pixels()).all()
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK", "LA"])
def test_other_modes_become_rgb(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(pixels()).convert(mode).save(path)
    assert read_image(path).shape == (6, 8, 3)


def test_sixteen_bits_are_scaled(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((4, 4), 32768, dtype=np.uint16)).save(path)
    assert read_image(path)[0, 0].tolist() == [128, 128, 128]


def test_exif_orientation_is_applied(tmp_path):
    path = tmp_path / "a.png"
    picture = Image.fromarray(pixels())
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was turned: shown, the picture is 90 degrees clockwise
    picture.save(path, exif=exif)
    assert (read_image(path) == np.rot90(pixels(), -1)).all()


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_rejects_what_is_no_picture(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.jpg"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_rejects_truncated(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels(64, 64)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="damaged picture"):
        read_image(path)


def test_rejects_missing_and_huge(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_image(tmp_path / "a.jpg")
    Image.fromarray(pixels()).save(tmp_path / "a.png")
    monkeypatch.setattr("stn3dmm.formats.images.MAXIMUM_PIXELS", 10)
    with pytest.raises(ValueError, match="scale it down"):
        read_image(tmp_path / "a.png")


def test_write_rejects():
    with pytest.raises(ValueError, match="uint8"):
        write_png("never.png", np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="uint8"):
        write_png("never.png", np.zeros((4, 4, 2), dtype=np.uint8))
