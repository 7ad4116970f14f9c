"""Pictures put together on white: in rows and columns, below lines of words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stn3dmm.drawing import Pixels

GAP = 16  # pixels between pictures
TEXT = 17  # pixels, the height of words
INSET = 4  # pixels, between words and the border
INK = (29, 39, 51)
PAPER = (255, 255, 255)


def font(size: int) -> Any:
    """Pillow's own font, the same on every machine."""
    return ImageFont.load_default(size)


def spelt(words: str) -> str:
    """Words in the letters that Pillow's own font has: without accents, and a question mark for other scripts.

    Example:
        >>> spelt("Zoë, Łódź…")
        'Zoe, ?odz…'
    """
    letters = (letter for letter in unicodedata.normalize("NFD", words) if not unicodedata.combining(letter))
    return "".join(letter if letter.isascii() or letter == "…" else "?" for letter in letters)


def titled(pixels: Pixels, words: str, size: int = TEXT) -> Pixels:
    """A picture below a line of words, which are shortened if they are too long."""
    words = spelt(words)
    letters, limit = font(size), pixels.shape[1] - 2 * INSET
    if letters.getlength(words) > limit:
        while words and letters.getlength(words + "…") > limit:
            words = words[:-1]
        words += "…"
    strip = Image.new("RGB", (pixels.shape[1], size + 8), PAPER)
    ImageDraw.Draw(strip).text((INSET, 2), words, fill=INK, font=letters)
    return np.concatenate([np.array(strip), rgb(pixels)])


def rgb(pixels: Pixels) -> Pixels:
    """(H, W, 3) of grey (H, W) or colour."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def beside(pictures: Sequence[Pixels], gap: int = GAP) -> Pixels:
    """Pictures in a row on white, their upper edges level."""
    tallest = max(len(pixels) for pixels in pictures)
    padded = [np.pad(p, ((0, tallest - len(p)), (0, gap), (0, 0)), constant_values=255) for p in map(rgb, pictures)]
    row: Pixels = np.concatenate(padded, axis=1)
    return row[:, :-gap] if gap else row


def below(pictures: Sequence[Pixels], gap: int = GAP) -> Pixels:
    """Pictures in a column on white, their left edges in line."""
    widest = max(pixels.shape[1] for pixels in pictures)
    padded = [np.pad(p, ((0, gap), (0, widest - p.shape[1]), (0, 0)), constant_values=255) for p in map(rgb, pictures)]
    column: Pixels = np.concatenate(padded)
    return column[:-gap] if gap else column
