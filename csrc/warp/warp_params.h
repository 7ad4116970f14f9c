// What one task of the fused kernels reads and writes.
#pragma once

#include "common/blocks.h"
#include "sample/sample_params.h"
#include "warp/warp_math.h"

namespace stn {

template <class T, class I>
struct WarpParams {
  const I* image;             // (B, C, H, W)
  const T* theta;             // (B, 6 + K)
  const RigidPose<T>* poses;  // (B,), from theta
  const T* mean;              // (N, 3)
  const T* basis;             // (K, N, 3)
  const bool* valid;          // (N,) or nullptr: all are
  I* texture;                 // (B, C, N), forward only
  T* mask;                    // (B, N), forward only
  T* points;                  // (B, N, 3), or nullptr where nobody reads them later
  const I* grad_texture;      // (B, C, N), backward only, or nullptr: 0
  const T* grad_points;       // (B, N, 3), backward of soft visibility only, else nullptr
  T* grad_parts;              // (blocks, B, 6 + K), backward only
  int64_t B, C, H, W, N, K;
};

}  // namespace stn
