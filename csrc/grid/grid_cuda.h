// Launchers of the grid kernels.
#pragma once

#include <cstdint>

#include "common/cuda_stream.h"

namespace stn {

template <class T>
struct GridParams {
  const T* in;         // points (B N, D) pixels; backward: grad_grid (B N, 2)
  T* out;              // grid (B N, 2); backward: grad_points (B N, D)
  int64_t count, D;    // B N; 2 or 3
  T scale_x, scale_y;  // grid_scale of W and H
};

template <class T>
void launch_grid(const GridParams<T>& params, CudaStream stream);
template <class T>
void launch_grid_backward(const GridParams<T>& params, CudaStream stream);

}  // namespace stn
