"""Photographs and textures as files: 8-bit RGB arrays in, PNG out."""

from __future__ import annotations

import os
import warnings

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from stn3dmm.files import atomic_path, existing_file

# A photograph beyond this is a mistake or an attack. Pillow's own limit, 2 * Image.MAX_IMAGE_PIXELS, is higher.
MAXIMUM_PIXELS = 150_000_000
# What turns a picture upright, by its EXIF orientation. Pillow's exif_transpose would write the EXIF data anew too, and
# fails where some of it is damaged.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIXTEEN_BIT_FORMATS = ("PNG", "PPM")  # whose 16 bits Pillow may deliver as mode "I", 0..65535


def read_image(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Reads a photograph as (H, W, 3) uint8 RGB, turned upright as its EXIF orientation says.

    Landmarks refer to the upright picture, the one that viewers and annotation tools show.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a picture, truncated, more than 150 million pixels, or numbers without an agreed white.
    """
    file = existing_file(path, "a photograph (JPEG, PNG, ...)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as picture:
                if picture.width * picture.height > MAXIMUM_PIXELS:
                    raise Image.DecompressionBombError
                return as_rgb(picture)
    except UnidentifiedImageError:
        raise ValueError(f"{file}: not a picture that Pillow can read; expected JPEG, PNG or the like.") from None
    except Image.DecompressionBombError:
        limit = MAXIMUM_PIXELS // 1_000_000
        raise ValueError(f"{file}: more than {limit} million pixels; scale it down first.") from None
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow reports damage as whatever its readers stumble over
        raise ValueError(f"{file}: a damaged picture ({str(error) or type(error).__name__}).") from error


def as_rgb(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """A Pillow image as (H, W, 3) uint8 RGB, upright; transparency is dropped.

    16 bits are scaled from 0..65535, floating values from 0..1, whatever the picture holds.

    Raises:
        ValueError: floating values outside 0..1; 32-bit integers.
    """
    picture.load()  # which turns TIFF pictures by itself
    method = UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    upright = picture if method is None else picture.transpose(method)
    if upright.mode.startswith("I;16") or (upright.mode == "I" and picture.format in SIXTEEN_BIT_FORMATS):
        return _scaled_grey(upright, 65535.0)
    if upright.mode == "F":
        values = np.asarray(upright)
        low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
        if not (low >= 0 and high <= 1):  # NaN is neither
            raise ValueError(
                f"floating values must lie in 0..1; got {low:g} to {high:g}. Scale them, or save the picture with "
                "8 or 16 bits."
            )
        return _scaled_grey(upright, 1.0)
    if upright.mode == "I":
        raise ValueError("32-bit integers do not say which value is white; save the picture with 8 or 16 bits.")
    return np.array(upright.convert("RGB"), dtype=np.uint8)


def _scaled_grey(picture: Image.Image, white: float) -> npt.NDArray[np.uint8]:
    """One channel as grey RGB. Pillow would clip these modes at 255, and so turn a 16-bit picture white."""
    values = np.asarray(picture, dtype=np.float64)
    grey = np.clip(np.rint(values * (255.0 / white)), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def write_png(path: str | os.PathLike[str], pixels: npt.NDArray[np.uint8]) -> None:
    """Writes (H, W, 3) RGB or (H, W) grey uint8 pixels as PNG, atomically.

    Raises:
        ValueError: another shape or dtype.
        OSError: the folder cannot be written.
    """
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise ValueError(f"write_png: pixels must be (H, W, 3) or (H, W) uint8; got {pixels.shape} {pixels.dtype}.")
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
