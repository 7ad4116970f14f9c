"""`python -m stn3dmm.data.synthetic --sheet faces.png`: a sheet of synthetic faces to look at."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from stn3dmm.files import atomic_path

from .config import SyntheticConfig
from .faces import SyntheticFaces
from .sheet import sheet

QUALITY = 85  # of a JPEG


def main(arguments: list[str] | None = None) -> None:
    """Writes the sheet; exit code 2 for bad arguments."""
    parser = argparse.ArgumentParser(prog="python -m stn3dmm.data.synthetic", description=__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="the picture to write, .png or .jpg")
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--rows", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--views", type=int, default=1, help="images of each person")
    parser.add_argument("--truth", action="store_true", help="mark the landmarks and show what is seen of the texture")
    options = parser.parse_args(arguments)
    if options.sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        parser.error(f"--sheet must be a .png or .jpg file; got {str(options.sheet)!r}.")
    try:
        faces = SyntheticFaces(SyntheticConfig(views_per_identity=options.views), options.seed)
        pixels = sheet(faces, options.columns, options.rows, truth=options.truth)
        with atomic_path(options.sheet) as temporary:
            Image.fromarray(pixels).save(temporary, quality=QUALITY)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
