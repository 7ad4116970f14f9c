"""The demonstration: a photograph that comes with scikit-image, or the authors' six, fitted and flattened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stn3dmm import drawing
from stn3dmm.files import write_text
from stn3dmm.fit_file import save_fit
from stn3dmm.fitted_face import FittedFace, fit_photograph
from stn3dmm.formats.bas2017 import read_demodata
from stn3dmm.formats.images import write_png
from stn3dmm.formats.labels import Annotation, read_csv
from stn3dmm.morphable_model import MorphableModel
from stn3dmm.report import render_report

Photograph = tuple[str, npt.NDArray[np.uint8], Annotation]


def astronaut() -> Photograph:
    """scikit-image's astronaut (512, 512, 3) with the iBUG-68 landmarks that were marked on it by hand."""
    import skimage.data

    photograph = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    with resources.as_file(resources.files(__name__) / "astronaut.csv") as path:
        annotation = read_csv(path)["astronaut"]
    return "astronaut", np.asarray(photograph, dtype=np.uint8), annotation


def authors_photographs(data: str | os.PathLike[str]) -> list[Photograph]:
    """The six photographs of Bas et al. 2017 with their AFLW-21 landmarks.

    Args:
        data: ``demodata.mat``, or a folder that holds it (itself or in ``bas2017/`` or ``util/``).

    Raises:
        FileNotFoundError: no demodata.mat there.
        ValueError: the file is something else.
    """
    place = Path(data)
    candidates = [place] if place.is_file() else [place / sub / "demodata.mat" for sub in ("", "bas2017", "util")]
    for path in candidates:
        if path.is_file():
            demodata = read_demodata(path)
            return [
                (f"face{b + 1}", demodata.images[b], Annotation(demodata.landmarks[b], demodata.visible[b], str(path)))
                for b in range(len(demodata.images))
            ]
    raise FileNotFoundError(f"{place}: no demodata.mat there; give the file or the folder of the authors' data.")


def fit_all(
    model: MorphableModel, photographs: list[Photograph], step: Callable[[str], object] = lambda name: None
) -> Iterator[FittedFace]:
    """Fits and flattens one photograph after the other; ``step`` is told the name of each before it begins."""
    for name, photograph, annotation in photographs:
        step(name)
        yield fit_photograph(model, name, photograph, annotation)


def write_demo(
    folder: str | os.PathLike[str],
    model: MorphableModel,
    faces: list[FittedFace],
    training: dict[str, Any] | None = None,
) -> list[Path]:
    """Writes the pictures and the fit of each face and report.html; returns the paths, the report last.

    Args:
        folder: where.
        model: that the faces were fitted with.
        faces: fitted photographs.
        training: what the report tells of a training: `stn3dmm.demo.training.described`.
    """
    place = Path(folder)
    written: list[Path] = []
    for face in faces:
        pictures = face.pictures()
        texture, mask = drawing.enlarge(pictures["texture"], 4), drawing.enlarge(pictures["mask"], 4)
        pictures["summary"] = drawing.side_by_side([pictures["landmarks"], pictures["mesh"], texture, mask])
        for name, pixels in pictures.items():
            written.append(place / f"{face.name}_{name}.png")
            write_png(written[-1], pixels)
        written.append(place / f"{face.name}_fit.json")
        save_fit(written[-1], face.record)
    written.append(place / "report.html")
    write_text(written[-1], render_report("Photograph in, flattened face out", model, faces, training))
    return written
