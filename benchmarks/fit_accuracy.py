"""How closely do landmark fits follow the landmarks of real photographs?

Six AFLW2000-3D photographs with 68 landmarks and the authors' six with 21, fitted by the embedded model, the authors'
ten-mode Basel model, and ICT-FaceKit and the Surrey Face Model as `stn3dmm prepare` makes them. NME is the mean
landmark error over sqrt(w h) of the landmarks' tight box. The folder of the photographs and models is named by
STN3DMM_DATA (aflw2000/, bas2017/, ict/, sfm/); they are not part of the project.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import stn3dmm
from rich.console import Console
from rich.table import Table
from stn3dmm.formats.bas2017 import read_demodata
from stn3dmm.formats.labels import read_mat

from benchmarks import harness


def normalised_errors(model: stn3dmm.MorphableModel, folder: Path, prior_weight: float) -> dict[str, float]:
    """Per cent NME of each AFLW2000-3D photograph."""
    errors = {}
    for path in sorted(folder.glob("*.mat")):
        points = read_mat(path, "ibug68").points
        fit = stn3dmm.fit_landmarks(model, points, indices="ibug68", prior_weight=prior_weight)
        box = np.ptp(points, axis=0)
        errors[path.stem] = 100 * float(fit.error[0]) / float(np.sqrt(box[0] * box[1]))
    return errors


def pixel_errors(model: stn3dmm.MorphableModel, folder: Path, prior_weight: float) -> dict[str, float]:
    """Mean pixels of each of the authors' photographs."""
    data = read_demodata(folder / "demodata.mat")
    fit = stn3dmm.fit_landmarks(
        model, data.landmarks, visible=data.visible, indices="aflw21", prior_weight=prior_weight
    )
    return {f"face{b + 1}": float(error) for b, error in enumerate(fit.error)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/fit_accuracy.json")
    options = parser.parse_args()
    if "STN3DMM_DATA" not in os.environ:
        parser.error("set STN3DMM_DATA to the folder that holds aflw2000/, bas2017/, ict/ and sfm/")
    data = Path(os.environ["STN3DMM_DATA"])
    rows: list[dict[str, Any]] = []
    embedded = stn3dmm.embedded_model()
    rigid = dataclasses.replace(embedded, basis=embedded.basis[:0], mode_names=())
    surrey, shapes = data / "sfm" / "sfm_shape_3448.bin", data / "sfm" / "expression_blendshapes_3448.bin"
    cases = [
        ("embedded, 42 modes", embedded, 1.0),
        ("Basel, 10 modes", stn3dmm.load_model(data / "bas2017" / "model.mat"), 1.0),
        ("ICT-FaceKit, 20 modes", stn3dmm.load_model(data / "ict"), 1.0),
        ("ICT-FaceKit, 20 modes, 224 x 224", stn3dmm.load_model(data / "ict", grid_shape=(224, 224)), 1.0),
        ("Surrey, 36 modes", stn3dmm.load_model(surrey, expression=shapes), 1.0),
        ("embedded, 42 modes, prior weight 50", embedded, 50.0),
        ("embedded, pose alone", rigid, 1.0),
    ]
    for name, model, weight in cases:
        nme = normalised_errors(model, data / "aflw2000", weight)
        pixels = pixel_errors(model, data / "bas2017", weight)
        rows.append({"model": name, "modes": model.mode_count, "nme_percent": nme, "pixels": pixels})
    result = Table(title="landmark fits, prior weight 1 unless named")
    for heading in ("model", "AFLW2000-3D, % NME", "mean", "authors' six, px", "mean"):
        result.add_column(heading)
    for row in rows:
        nme_values, pixel_values = list(row["nme_percent"].values()), list(row["pixels"].values())
        result.add_row(
            row["model"],
            " ".join(f"{value:.2f}" for value in nme_values),
            f"{np.mean(nme_values):.2f}",
            " ".join(f"{value:.2f}" for value in pixel_values),
            f"{np.mean(pixel_values):.2f}",
        )
    console = Console(width=140)
    console.print(result)
    if options.save:
        console.print(f"wrote {harness.save('fit_accuracy', rows)}")


if __name__ == "__main__":
    main()
