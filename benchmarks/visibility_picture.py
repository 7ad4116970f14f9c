"""Draws docs/images/visibility.jpg: what hard visibility shows, and where a normal test and a z-buffer go wrong.

The embedded mean face at three yaw angles. Dots are vertices: green seen by the method and rightly so, red shown though
hidden, blue hidden though seen. The z-buffer has 224 x 224 pixels and, with the normal test, the bias that gets most
vertices of the three views right.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from stn3dmm.render import Lights, render

from benchmarks import meshes
from benchmarks import visibility_methods as methods
from benchmarks.visibility_agreement import BIASES, View, posed, visible

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "visibility.jpg"
YAWS = (0, 45, 75)  # degrees
PANEL = 520  # pixels a side
MARGIN = 30  # above the panels, for their headings
GREEN, RED, BLUE = (70, 190, 90), (225, 30, 40), (40, 70, 235)
DOTS = {GREEN: 0.8, BLUE: 3.0, RED: 3.0}  # radius in pixels; drawn in this order, so that nothing covers a mistake
SIDE = 224  # of the z-buffer


def shaded(points: torch.Tensor, faces: torch.Tensor) -> Image.Image:
    """The surface in pale grey on white, PANEL x PANEL."""
    lamp = Lights(torch.full((1, 3), 0.45), torch.tensor([[[0.0, 0.0, 1.0]]]), torch.full((1, 1, 3), 0.5))
    drawn = render(points[None], faces, torch.ones(1, len(points), 3), (PANEL, PANEL), lights=lamp)
    image = (drawn.image + 1 - drawn.coverage)[0].permute(1, 2, 0)
    return Image.fromarray((255 * image.clamp(0, 1)).round().byte().numpy())


def panel(points: torch.Tensor, faces: torch.Tensor, claimed: torch.Tensor, truth: torch.Tensor) -> Image.Image:
    """One method's answers (N,) over the surface."""
    factor = PANEL / methods.IMAGE_SIDE
    large = points * factor
    large[:, :2] += (factor - 1) / 2
    image = shaded(large, faces)
    canvas = ImageDraw.Draw(image)
    chosen = {GREEN: claimed & truth, BLUE: ~claimed & truth, RED: claimed & ~truth}
    for colour, radius in DOTS.items():
        for x, y in large[chosen[colour], :2].tolist():
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image


def headed(panels: list[list[tuple[str, Image.Image]]]) -> Image.Image:
    """Rows of panels with their headings."""
    sheet = Image.new("RGB", (PANEL * len(panels[0]), (PANEL + MARGIN) * len(panels)), (255, 255, 255))
    canvas, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=18)
    for row, line in enumerate(panels):
        for column, (heading, image) in enumerate(line):
            sheet.paste(image, (column * PANEL, row * (PANEL + MARGIN) + MARGIN))
            canvas.text((column * PANEL + 10, row * (PANEL + MARGIN) + 6), heading, fill=(0, 0, 0), font=font)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    mesh = meshes.available(lambda reason: None)[0]
    views = [posed(mesh, View("yaw", yaw, zoom=1.05)) for yaw in YAWS]
    truths = [methods.truth(points, mesh.faces) for points in views]
    facing = [methods.facing(points, mesh.faces) for points in views]
    before = [methods.depth_before(points, mesh.faces, SIDE) for points in views]
    right = [
        sum(int(((f & (d <= bias)) == t).sum()) for f, d, t in zip(facing, before, truths, strict=True))
        for bias in BIASES
    ]
    bias = BIASES[int(np.argmax(right))]
    panels = []
    for yaw, points, truth, front, distance in zip(YAWS, views, truths, facing, before, strict=True):
        claims = {
            "stn3dmm_cuda.visibility": visible(mesh, points),
            "normal test": front,
            f"z-buffer {SIDE}, bias {bias:g} px, normal test": front & (distance <= bias),
        }
        panels.append(
            [
                (f"yaw {yaw}: {name}, {int((claim != truth).sum())} wrong", panel(points, mesh.faces, claim, truth))
                for name, claim in claims.items()
            ]
        )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    headed(panels).save(options.output, quality=80)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
