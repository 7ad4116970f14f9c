"""What a localiser makes of the first faces of a batch, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from stn3dmm.data.stream import FaceBatch
from stn3dmm.evaluation.pictures import face_rows
from stn3dmm.formats.images import write_png
from stn3dmm.objective import Objective

FACES = 6  # of a picture


@torch.no_grad()
def write_samples(path: Path, localiser: nn.Module, objective: Objective, faces: FaceBatch) -> None:
    """Writes a PNG, a row a face: its landmarks (labelled green, found red), the mesh, the texture, the mask."""
    first = faces._replace(image=faces.image[:FACES], landmarks=faces.landmarks[:FACES], visible=faces.visible[:FACES])
    trains = localiser.training
    localiser.eval()
    theta = localiser(first.image.to(objective.mean) / 255)
    localiser.train(trains)
    write_png(path, np.concatenate(face_rows(objective, first, theta)))
