"""A trained localiser at work: photographs of any size in, theta in their own pixels out."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from stn3dmm.data.crops import FACE_SIZE, crop, crop_of, theta_to_photograph
from stn3dmm.data.faces import Box, Face
from stn3dmm.formats.images import as_rgb
from stn3dmm.localiser.head import NOT_FINITE
from stn3dmm.morphable_model import MorphableModel

if TYPE_CHECKING:
    from stn3dmm.localiser import Localiser
    from stn3dmm.training.checkpoint import Checkpoint

__all__ = ["TrainedLocaliser", "load_localiser", "trained_checkpoint"]

Photograph = npt.NDArray[np.uint8] | Image.Image


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedLocaliser:
    """A localiser, the model that it answers with, and how faces are cut out for it."""

    network: Localiser  # images (B, 3, H, W) in 0..1 -> theta (B, 6 + K) in their pixels
    model: MorphableModel
    face_size: float = FACE_SIZE  # longer side of the whole face in shorter sides of the crop, as in training

    @staticmethod
    def of(
        checkpoint: Checkpoint,
        model: MorphableModel | str | os.PathLike[str] | None = None,
        device: str = "auto",
    ) -> TrainedLocaliser:
        """`load_localiser` for a checkpoint that has been read."""
        from stn3dmm.training.devices import chosen_device

        if not isinstance(model, MorphableModel):
            model = checkpoint.load_model(model)
        network = checkpoint.build(model).to(chosen_device(device))
        return TrainedLocaliser(network, model, checkpoint.config.localiser.face_size)

    def localise(self, photographs: Sequence[Photograph], boxes: Sequence[Box | None] | None = None) -> torch.Tensor:
        """The parameters of the model that put it on the face in each photograph.

        Convention:
            Pixels of the photographs as they are given, x right, y down, centres at integers; theta as
            `stn3dmm.flatten` takes it. The network sees crops; colours can so be sampled at full resolution.

        Args:
            photographs: (H, W, 3) uint8 RGB arrays or Pillow images, of any and different sizes, B in all.
            boxes: (x0, y0, x1, y1) pixels around each face, from brows to chin as detectors and landmarks have it;
                None: the photograph is a crop of the face already, of whatever size.

        Returns:
            theta (B, 6 + K), float64, on the CPU.

        Deterministic: yes, on the CPU.

        Raises:
            ValueError: another number of boxes, a box without extent or far outside its photograph, pictures of other
                shapes, weights that give NaN.
            TypeError: something that is no picture.

        Example:
            >>> import numpy as np
            >>> import stn3dmm
            >>> from stn3dmm.localiser import LocaliserConfig, build_localiser
            >>> model = stn3dmm.embedded_model((40, 40))
            >>> untrained = build_localiser(LocaliserConfig(width=0.25), model, (64, 64)).eval()
            >>> theta = TrainedLocaliser(untrained, model).localise([np.zeros((640, 640, 3), dtype=np.uint8)])
            >>> theta.shape == (1, 6 + model.mode_count), abs(theta[0, 3].item() - 319.5) < 5
            (True, True)
        """
        chosen = [None] * len(photographs) if boxes is None else list(boxes)
        if len(chosen) != len(photographs):
            raise ValueError(f"localise: {len(photographs)} photographs but {len(chosen)} boxes; give one for each.")
        return self.localise_faces(
            [
                Face(_pixels(photograph), None, None, box, identity=-1, yaw=None, name=f"localise: photograph {number}")
                for number, (photograph, box) in enumerate(zip(photographs, chosen, strict=True))
            ]
        )

    @torch.no_grad()
    def localise_faces(self, faces: Sequence[Face]) -> torch.Tensor:
        """`localise` for faces as data sets have them: cropped around their box, else their visible landmarks."""
        image_size = self.network.image_size
        parameter = self.network.head.offset
        if not faces:
            return torch.zeros(0, len(parameter), dtype=torch.float64)
        affines = [crop_of(face, image_size, self.face_size) for face in faces]
        crops = np.stack([crop(face.image, affine, image_size) for face, affine in zip(faces, affines, strict=True)])
        image = torch.from_numpy(crops).to(parameter.device).permute(0, 3, 1, 2).to(parameter.dtype) / 255
        theta = self.network(image).double().cpu()
        broken = (~theta.isfinite().all(dim=1)).nonzero()
        if len(broken):
            raise ValueError(f"{faces[int(broken[0])].name}: {NOT_FINITE}")
        return theta_to_photograph(theta, torch.from_numpy(np.stack(affines)))


def load_localiser(
    checkpoint: str | os.PathLike[str],
    model: MorphableModel | str | os.PathLike[str] | None = None,
    device: str = "auto",
) -> TrainedLocaliser:
    """The localiser of a checkpoint that `stn3dmm train` left.

    Args:
        checkpoint: the file, as in ``run/best.pt``, or the folder of a run (`trained_checkpoint`).
        model: the morphable model that it was trained with, or its file; None: where it was then.
        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".

    Raises:
        FileNotFoundError: there is no such checkpoint, or the model is no longer where it was.
        ValueError: something else, damaged, of another model; a device that there is not.

    Example::

        localiser = stn3dmm.load_localiser("run/best.pt")
        theta = localiser.localise([photograph], [box])
        texture, mask = stn3dmm.flatten(photograph, localiser.model, theta)
    """
    return TrainedLocaliser.of(trained_checkpoint(checkpoint), model, device)


def trained_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Reads a checkpoint; of the folder of a run best.pt, or last.pt while there is no best one.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: something else, or damaged.
    """
    from stn3dmm.training.checkpoint import BEST, load_checkpoint

    best = Path(path) / BEST
    return load_checkpoint(best if best.is_file() else path)


def _pixels(photograph: Any) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8."""
    if isinstance(photograph, Image.Image):
        return as_rgb(photograph)
    if not isinstance(photograph, np.ndarray):
        raise TypeError(
            f"localise: photographs must be (H, W, 3) uint8 arrays or Pillow images; got {type(photograph).__name__}. "
            "Put a single one into a list."
        )
    return photograph
