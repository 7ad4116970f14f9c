"""Photographs: read upright and in RGB, written whole or not at all."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps
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


@pytest.mark.parametrize(("value", "expected"), [(32768, 128), (65535, 255), (200, 1), (0, 0)])
@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_are_scaled_whatever_they_hold(tmp_path, value, expected, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.full((4, 4), value, dtype=np.uint16)).save(path)
    assert read_image(path)[0, 0].tolist() == [expected] * 3


def test_floating_pictures_from_0_to_1_are_scaled(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)).save(path)
    assert read_image(path)[0, :, 1].tolist() == [0, 128, 255]


@pytest.mark.parametrize("value", [200.0, -0.5, np.nan])
def test_rejects_other_floating_pictures(tmp_path, value):
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[0.0, value]], dtype=np.float32)).save(path)
    with pytest.raises(ValueError, match=r"a\.tif: floating values must lie in 0\.\.1"):
        read_image(path)


def test_rejects_32_bit_integers(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((4, 4), 200, dtype=np.int32)).save(path)
    with pytest.raises(ValueError, match=r"a\.tif: 32-bit integers .* 8 or 16 bits"):
        read_image(path)


def test_exif_orientation_is_applied(tmp_path):
    path = tmp_path / "a.png"
    picture = Image.fromarray(pixels())
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was turned: shown, the picture is 90 degrees clockwise
    picture.save(path, exif=exif)
    assert (read_image(path) == np.rot90(pixels(), -1)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_every_orientation_is_that_of_pillow(tmp_path, orientation, suffix):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels(48, 64)).save(path, exif=exif)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    assert (read_image(path) == expected).all()


def test_damaged_exif_data_harm_no_sound_photograph(tmp_path):
    """Of two entries, the orientation can be read; TransferFunction is text where numbers belong."""
    entries = struct.pack(">HHII", 0x012D, 2, 6, 38) + struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + entries + bytes(4) + b"hello\0"
    path, plain = tmp_path / "a.jpg", tmp_path / "plain.jpg"
    Image.fromarray(pixels(48, 64)).save(path, exif=exif)
    Image.fromarray(pixels(48, 64)).save(plain)
    assert (read_image(path) == np.rot90(read_image(plain), -1)).all()
    with Image.open(path) as picture, pytest.raises(struct.error):
        ImageOps.exif_transpose(picture)


def test_whatever_a_reader_of_pillow_raises_is_damage(tmp_path):
    """A DDS whose pixel format is none gives NotImplementedError, whatever the file is called."""
    path = tmp_path / "a.jpg"
    Image.fromarray(pixels()).save(path, format="DDS")
    content = bytearray(path.read_bytes())
    content[80:84] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.jpg: a damaged picture \("):
        read_image(path)


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


def test_rejects_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("size", [(14_000, 13_000), (12_500, 12_500), (10**6, 10**6)])
def test_rejects_huge(tmp_path, size):
    """One sentence on both sides of Pillow's own limit, before a pixel is decoded."""
    path = tmp_path / "a.png"
    path.write_bytes(png_header(*size))
    with pytest.raises(ValueError, match=r"a\.png: more than 150 million pixels; scale it down first\.$"):
        read_image(path)
    path.write_bytes(png_header(12_000, 12_000))
    with pytest.raises(ValueError, match="damaged picture"):
        read_image(path)


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG of this size, up to its pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    size = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return size + struct.pack(">I", 1000) + b"IDAT"


def test_write_rejects():
    with pytest.raises(ValueError, match="uint8"):
        write_png("never.png", np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="uint8"):
        write_png("never.png", np.zeros((4, 4, 2), dtype=np.uint8))
