"""How far a kernel may be from the reference in float64 on the same inputs, and why.

Every number is relative to the largest entry of what is compared: sums of many terms of either sign have no relative
accuracy entry by entry.
"""

from __future__ import annotations

import torch

# float32 carries 24 bits (6e-8), float64 53 (1.1e-16).
RELATIVE: dict[str, dict[torch.dtype, float]] = {
    # Some ten operations an entry; the series and the sine are good to two units in the last place.
    "pose": {torch.float32: 1e-6, torch.float64: 2e-15},
    # Sums over up to 70 modes; the gradient to alpha sums up to 11 000 products, at most 256 vertices at a time in the
    # coordinates' dtype.
    "vertices": {torch.float32: 2e-6, torch.float64: 5e-15},
    # Nine products a point; gradients to the pose are summed in float64 whatever the dtype.
    "project": {torch.float32: 1e-6, torch.float64: 2e-15},
    # 2 x / (W - 1) against x (2 / (W - 1)): one rounding more.
    "grid": {torch.float32: 5e-7, torch.float64: 1e-15},
    # Coordinates up to 20 pixels lose 5 bits before the fraction x - floor x is taken.
    "sample": {torch.float32: 2e-6, torch.float64: 5e-15},
    # A step of 1 pixel by a plane's depth some pixels away; slopes divide by areas of slivers.
    "visibility": {torch.float32: 5e-6, torch.float64: 1e-14},
    # Barycentrics and slopes divide by the area of a face some pixels wide, which loses three bits.
    "rasterize": {torch.float32: 2e-6, torch.float64: 5e-15},
    # All of the above in a row: 1e-6 of 20 pixels, times texel differences as large as the texels.
    "warp": {torch.float32: 2e-5, torch.float64: 5e-14},
    # Squares of differences, summed by stretches and in float64 from there; two terms of the gradient to a mask cancel.
    "losses": {torch.float32: 2e-6, torch.float64: 5e-15},
    # Another instruction set contracts products and sums and orders sums otherwise: the same bounds as for warp.
    "instructions": {torch.float32: 2e-5, torch.float64: 5e-14},
}


def assert_near(actual: torch.Tensor, expected: torch.Tensor, room: str, dtype: torch.dtype) -> None:
    """Within the room's tolerance of the expected values, which are in float64; NaN only where NaN is expected."""
    assert actual.shape == expected.shape
    assert torch.equal(actual.isnan().cpu(), expected.isnan().cpu())
    if expected.numel() == 0:
        return
    difference = (actual.detach().cpu().double() - expected.detach().cpu()).nan_to_num(nan=0.0).abs().max().item()
    size = expected.detach().nan_to_num(nan=0.0).abs().max().item()
    bound = RELATIVE[room][dtype]
    assert difference <= bound * size, f"{room}: off by {difference / size:.1e} of the largest entry, bound {bound:.0e}"
