"""3D morphable models as spatial transformer networks: the operators.

The data's way: theta -> pose -> vertices -> points -> grid -> sample -> visibility -> texture -> losses, and `warp`,
the fused chain. Conventions: docs/conventions.md; formulas: docs/math.md. `stn3dmm_cuda.reference` has the same
functions in plain PyTorch, `stn3dmm_cuda.layers` one module for each layer of the paper.
"""

from . import layers, reference
from ._library import cpu_instruction_set, has_cuda
from .grid import grid
from .losses import landmark_loss, masked, prior_loss, siamese_loss, symmetry_loss
from .pose import axis_angle_to_matrix, pose
from .project import project
from .rasterize import rasterize
from .results import Fragments, Pose, Warp
from .sample import sample
from .topology import grid_faces
from .vertices import vertices
from .visibility import visibility
from .warp import warp

__all__ = [
    "Fragments",
    "Pose",
    "Warp",
    "axis_angle_to_matrix",
    "cpu_instruction_set",
    "grid",
    "grid_faces",
    "has_cuda",
    "landmark_loss",
    "layers",
    "masked",
    "pose",
    "prior_loss",
    "project",
    "rasterize",
    "reference",
    "sample",
    "siamese_loss",
    "symmetry_loss",
    "vertices",
    "visibility",
    "warp",
]
