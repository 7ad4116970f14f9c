"""Gradient descent on theta through the layers of the paper, chained by hand: the authors' demonstration.

    python examples/gradient_descent.py [FOLDER]        # the Python that stn3dmm is installed for; .venv/bin/python

FOLDER (or the environment variable STN3DMM_DATA) holds the authors' model.mat and demodata.mat, itself or in bas2017/:
then their model is fitted to the 21 landmarks of their six photographs. Without it the embedded model is fitted to
landmarks that random thetas of its own produced. Every face starts frontal, at the image's centre. The exit code is 0
if every face ends at a mean landmark error of 3 pixels or less.
"""

import logging
import os
import sys
from pathlib import Path

import stn3dmm
import torch
from stn3dmm.formats.bas2017 import read_demodata
from torch import nn

from stn3dmm_cuda import layers, losses

Faces = tuple[torch.Tensor, torch.Tensor]  # landmarks (B, L, 2) pixels and their visibility (B, L)
H, W = 224, 224  # pixels of the photographs
STEPS = 200
GOAL = 3.0  # pixels


class FaceToLandmarks(nn.Module):
    """r (B, 3), t (B, 2), log s (B,), alpha (B, K) -> landmarks in the image (B, L, 2): one layer a line."""

    def __init__(self, model: stn3dmm.MorphableModel) -> None:
        super().__init__()
        self.face = layers.MorphableModelLayer(model)
        self.rotation = layers.AxisAngleToRotation()
        self.rotate = layers.Rotation3D()
        self.project = layers.OrthographicProjection()
        self.exponential = layers.LogScaleToScale()
        self.scale = layers.Scale2D()
        self.translate = layers.Translation2D()
        self.select = layers.Selection(model.landmarks["aflw21"])

    def forward(self, r: torch.Tensor, t: torch.Tensor, log_scale: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        turned = self.rotate(self.face(alpha), self.rotation(r))
        points = self.scale(self.project(turned), self.exponential(log_scale))
        return self.select(self.translate(points, t))


def real_faces(folder: Path) -> tuple[stn3dmm.MorphableModel, Faces]:
    """The authors' model and the landmarks of their six photographs."""
    place = folder if (folder / "model.mat").is_file() else folder / "bas2017"
    data = read_demodata(place / "demodata.mat")
    target = torch.from_numpy(data.landmarks).float().nan_to_num()  # a missing landmark has visibility 0
    return stn3dmm.load_model(place / "model.mat"), (target, torch.from_numpy(data.visible).float())


def generated_faces(count: int = 6) -> tuple[stn3dmm.MorphableModel, Faces]:
    """The embedded model and the landmarks of random faces: turned by up to 30 degrees, one standard deviation."""
    model = stn3dmm.embedded_model()
    random = torch.Generator().manual_seed(2017)
    r = (torch.rand(count, 3, generator=random) - 0.5) * torch.tensor([0.5, 1.0, 0.4])
    t = torch.tensor([W / 2, H / 2]) + 10 * torch.randn(count, 2, generator=random)
    log_scale = 0.1 * torch.randn(count, generator=random) - 0.2
    alpha = torch.randn(count, model.mode_count, generator=random)
    with torch.no_grad():
        target = FaceToLandmarks(model)(r, t, log_scale, alpha)
    visible = target.isfinite().all(dim=2).float()
    return model, (target.nan_to_num(), visible)


def box_scale(model: stn3dmm.MorphableModel, target: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """log s (B,) that gives the mean face's landmarks the spread of the given ones."""
    seen = visible[..., None]
    centre = (target * seen).sum(1, keepdim=True) / seen.sum(1, keepdim=True)
    indices = model.landmarks["aflw21"]
    vertices = torch.from_numpy(model.mean[indices[indices >= 0]])[:, :2]
    spread = ((target - centre).square() * seen).sum((1, 2)) / visible.sum(1)
    return (spread / vertices.var(0, correction=0).sum()).sqrt().log()


def descend(model: stn3dmm.MorphableModel, faces: Faces) -> torch.Tensor:
    """Mean landmark error in pixels of each face (B,) after STEPS steps of Adam from the frontal mean face."""
    target, visible = faces
    B, L = visible.shape
    chain = FaceToLandmarks(model)
    visible = visible * torch.from_numpy(model.landmarks["aflw21"] >= 0)
    r = torch.zeros(B, 3, requires_grad=True)
    t = torch.tensor([(W - 1) / 2, (H - 1) / 2]).repeat(B, 1).requires_grad_()
    log_scale = box_scale(model, target, visible).requires_grad_()
    alpha = torch.zeros(B, model.mode_count, requires_grad=True)
    # Steps in each parameter's own unit: radians, pixels, natural logarithm, standard deviations.
    steps = [(r, 0.03), (t, 1.5), (log_scale, 0.02), (alpha, 0.1)]
    optimiser = torch.optim.Adam([{"params": [parameter], "lr": rate} for parameter, rate in steps])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for step in range(STEPS):
        points = chain(r, t, log_scale, alpha).nan_to_num()
        loss = losses.landmark_loss(points, target, visible) + losses.prior_loss(alpha) / L
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            logging.info("step %3d: loss %.3f", step, loss.item())
    distance = (chain(r, t, log_scale, alpha).nan_to_num() - target).norm(dim=2) * visible
    return (distance.sum(1) / visible.sum(1)).detach()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("STN3DMM_DATA")
    try:
        model, faces = real_faces(Path(folder)) if folder else generated_faces()
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"gradient_descent.py: {error}")
    error = descend(model, faces)
    logging.info("landmark error per face: %s px", ", ".join(f"{value:.2f}" for value in error.tolist()))
    reached = bool((error <= GOAL).all())
    logging.info("worst %.2f px, goal %.1f px: %s", error.max(), GOAL, "reached" if reached else "missed")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
