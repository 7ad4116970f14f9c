"""The operators in slow, pure PyTorch: the same functions with the same signatures, on any device.

They are written from the mathematics (docs/math.md), never from the kernels, and differentiated by plain autograd,
twice if need be: the yardstick that the kernels are held against.
"""

from stn3dmm_cuda.reference.grid import grid
from stn3dmm_cuda.reference.pose import axis_angle_to_matrix, pose
from stn3dmm_cuda.reference.project import project
from stn3dmm_cuda.reference.sample import sample
from stn3dmm_cuda.reference.vertices import vertices
from stn3dmm_cuda.reference.visibility import visibility
from stn3dmm_cuda.reference.warp import warp

__all__ = ["axis_angle_to_matrix", "grid", "pose", "project", "sample", "vertices", "visibility", "warp"]
