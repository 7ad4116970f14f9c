"""The operators in slow, pure PyTorch: the same functions with the same signatures, on any device.

They are written from the mathematics (docs/math.md), never from the kernels, and differentiated by plain autograd,
twice if need be: the yardstick that the kernels are held against.
"""

from .grid import grid
from .losses import landmark_loss, masked, prior_loss, siamese_loss, symmetry_loss
from .pose import axis_angle_to_matrix, pose
from .project import project
from .rasterize import rasterize
from .sample import sample
from .vertices import vertices
from .visibility import visibility
from .warp import warp

__all__ = [
    "axis_angle_to_matrix",
    "grid",
    "landmark_loss",
    "masked",
    "pose",
    "prior_loss",
    "project",
    "rasterize",
    "sample",
    "siamese_loss",
    "symmetry_loss",
    "vertices",
    "visibility",
    "warp",
]
