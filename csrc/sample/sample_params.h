// What the sampling kernels share: one block of points with their texels.
#pragma once

#include "common/blocks.h"
#include "sample/sample_math.h"

namespace stn {

// The texels of a block of points: column pair and row pair of each (sample_math.h).
template <class T>
struct TexelBlock {
  int32_t upper[kVertexBlock], lower[kVertexBlock];  // index in the plane of the pair's left texel, in both rows
  T left_weight[kVertexBlock], right_weight[kVertexBlock], upper_weight[kVertexBlock], lower_weight[kVertexBlock];
  T left_slope[kVertexBlock], right_slope[kVertexBlock], upper_slope[kVertexBlock], lower_slope[kVertexBlock];
  int32_t right_step;  // from the left texel to the right one: 1, or 0 in an image of one column
};

// One plane's values at those texels.
template <class T>
struct TexelValues {
  T upper_left[kVertexBlock], upper_right[kVertexBlock], lower_left[kVertexBlock], lower_right[kVertexBlock];
};

template <class T, class I>
struct SampleParams {
  const I* image;            // (B, C, H, W)
  const T* points;           // (B, N, D) pixels
  const I* grad_samples;     // (B, C, N), backward only
  I* samples;                // (B, C, N), forward only
  T* grad_points;            // (B, N, D), backward only
  int64_t B, C, H, W, N, D;  // D is 2 or 3
};

}  // namespace stn
