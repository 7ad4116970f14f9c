"""Photographs and textures as files: 8-bit RGB arrays in, PNG out."""

from __future__ import annotations

import os
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from stn3dmm.files import atomic_path, existing_file

MAXIMUM_PIXELS = 200_000_000  # a photograph beyond this is a mistake or an attack


def read_image(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Reads a photograph as (H, W, 3) uint8 RGB, turned upright as its EXIF orientation says.

    Landmarks refer to the upright picture, the one that viewers and annotation tools show.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not a picture, truncated, or more than 200 million pixels.
    """
    file = existing_file(path, "a photograph (JPEG, PNG, ...)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as picture:
                if picture.width * picture.height > MAXIMUM_PIXELS:
                    raise ValueError(f"{file}: {picture.width} x {picture.height} pixels; scale it down first.")
                return as_rgb(picture)
    except UnidentifiedImageError:
        raise ValueError(f"{file}: not a picture that Pillow can read; expected JPEG, PNG or the like.") from None
    except Image.DecompressionBombError:
        raise ValueError(f"{file}: too many pixels; scale it down first.") from None
    except (OSError, SyntaxError) as error:  # Pillow reports damage as either
        raise ValueError(f"{file}: a damaged picture ({error}).") from error


def as_rgb(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """A Pillow image as (H, W, 3) uint8 RGB, upright; transparency is dropped."""
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        # Pillow clips these at 255 on conversion, which would turn a 16-bit picture white.
        values = np.asarray(upright, dtype=np.float64)
        top = 65535.0 if values.max(initial=0.0) > 255 else 255.0
        grey = np.clip(np.rint(values * (255.0 / top)), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.array(upright.convert("RGB"), dtype=np.uint8)


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
