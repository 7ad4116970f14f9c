// Visibility of a batch of grids on CUDA, for the operators visibility and warp (host code only).
#pragma once

#include "common/cuda_stream.h"
#include "common/tensor.h"

namespace stn {

// Sets mask (B, N) to 0, in place, where the vertex is hidden, faces away or is not finite; what is 0 already stays 0
// and costs no test. Vertices whose mask is 0 hide others all the same. points (B, N, 3) pixels and mask are
// contiguous, of one dtype and on the current device, N = P Q. Only launches work on the stream; no synchronisation.
void hide_grid_vertices(
    const Tensor& points, int64_t P, int64_t Q, double tolerance, const Tensor& mask, CudaStream stream);

// The same by the soft step; winner (B, N) int64 gets the face of the occluder depth, -1 where there is none or the
// mask is 0.
void soften_grid_vertices(
    const Tensor& points, int64_t P, int64_t Q, double tolerance, double temperature, const Tensor& mask,
    const Tensor& winner, CudaStream stream);

// grad_points (B, N, 3), from the gradient to a mask (B, N) made by soften_grid_vertices.
Tensor soft_grid_backward(
    const Tensor& grad_mask, const Tensor& points, const Tensor& winner, int64_t P, int64_t Q, double tolerance,
    double temperature, CudaStream stream);

}  // namespace stn
