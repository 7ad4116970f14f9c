"""What does exact visibility cost?

The baseline is the authors' normal test in plain PyTorch, which knows no occlusion and so answers less. Rasterisers of
other libraries, where installed, draw a z-buffer of 224 x 224 and look each vertex up in it, forward only; "z-buffer"
is the same by our own `rasterize`.
"""

from __future__ import annotations

import torch

import stn3dmm_cuda

from . import baseline, limits, rivals, scenes
from .cases import BACKWARD, BASELINE, FORWARD, OURS, Case, Contest, Function, Inputs

IMAGE_SIZE, BIAS = (224, 224), 4.0  # pixels; the bias suits the embedded face (docs/performance.md)


def _case(work: str, B: int, side: int, mode: str, mesh: str, **options: int) -> Case:
    return Case(
        "visibility",
        work,
        {"B": B, "P": side, "Q": side},
        {"mode": mode, "mesh": mesh, **options},
        quick=(work, B, side, mode, mesh, options.get("yaw")) == (FORWARD, 8, 112, "hard", "grid", None),
        compiled=(work, side, mode, mesh) == (FORWARD, 112, "hard", "grid") and not options,
    )


CASES = (
    *(_case(FORWARD, B, side, mode, "grid") for mode in ("hard", "soft") for B in (1, 8, 64) for side in (112, 224)),
    *(_case(BACKWARD, B, side, "soft", "grid") for B in (1, 8, 64) for side in (112, 224)),
    *(_case(FORWARD, 8, side, "hard", "faces") for side in (28, 56, 112, 224, 448)),
    *(_case(FORWARD, 1, side, "hard", "grid", yaw=yaw) for side in (112, 224) for yaw in (0, 30, 60, 90)),
)


def prepare(case: Case, device: torch.device) -> Contest:
    P, Q = case.sizes["P"], case.sizes["Q"]
    yaw = case.options.get("yaw")
    sizes = {**case.sizes, "H": IMAGE_SIZE[0], "W": IMAGE_SIZE[1]}
    points = scenes.points(sizes, None if yaw is None else float(yaw)).to(device)
    points.requires_grad_(case.work == BACKWARD)
    faces = stn3dmm_cuda.grid_faces((P, Q)).to(device)
    mode, listed = str(case.options["mode"]), case.options["mesh"] == "faces"

    def ours(points: torch.Tensor, faces: torch.Tensor) -> tuple[torch.Tensor]:
        if listed:
            return (stn3dmm_cuda.visibility(points, faces, mode=mode),)
        return (stn3dmm_cuda.visibility(points, grid_shape=(P, Q), mode=mode),)

    functions: dict[str, Function] = {OURS: ours}
    absent: dict[str, str] = {}
    if case.work == FORWARD:
        others, absent = rivals.available(device)
        functions[BASELINE] = baseline.facing
        functions["z-buffer"] = rivals.seen(_own_rasterizer, IMAGE_SIZE, BIAS)
        functions |= {name: rivals.seen(rival, IMAGE_SIZE, BIAS) for name, rival in others.items()}
    return Contest(
        Inputs((points, faces), (scenes.random(case.sizes["B"], P * Q, seed=1).to(device),)),
        functions,
        limits.visibility(case.sizes, case.work == BACKWARD, listed),
        absent=absent,
    )


def _own_rasterizer(
    points: torch.Tensor, faces: torch.Tensor, image_size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = stn3dmm_cuda.rasterize(points, faces, image_size)
    return drawn.face, torch.where(drawn.face >= 0, drawn.depth, -torch.inf)


if __name__ == "__main__":
    from .command import main

    main(["visibility"])
