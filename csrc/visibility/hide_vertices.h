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

}  // namespace stn
