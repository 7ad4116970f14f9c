"""3D morphable models as spatial transformer networks: the operators.

The data's way: theta -> pose -> vertices -> points -> grid -> sample -> visibility -> texture -> losses, and `warp`,
the fused chain. Conventions: docs/conventions.md; formulas: docs/math.md. `stn3dmm_cuda.reference` has the same
functions in plain PyTorch, `stn3dmm_cuda.layers` one module for each layer of the paper.
"""

from stn3dmm_cuda import layers, reference
from stn3dmm_cuda._library import cpu_instruction_set, has_cuda
from stn3dmm_cuda.grid import grid
from stn3dmm_cuda.losses import landmark_loss, masked, prior_loss, siamese_loss, symmetry_loss
from stn3dmm_cuda.pose import axis_angle_to_matrix, pose
from stn3dmm_cuda.project import project
from stn3dmm_cuda.results import Pose, Warp
from stn3dmm_cuda.sample import sample
from stn3dmm_cuda.topology import grid_faces
from stn3dmm_cuda.vertices import vertices
from stn3dmm_cuda.visibility import visibility
from stn3dmm_cuda.warp import warp

__all__ = [
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
    "reference",
    "sample",
    "siamese_loss",
    "symmetry_loss",
    "vertices",
    "visibility",
    "warp",
]
