// What the sampling kernels share: one block of points with their texels.
#pragma once

#include "common/blocks.h"
#include "sample/sample_math.h"

namespace stn {

// The texels of a block of points: the column pair and the row pair of each (sample_math.h).
template <class T>
struct TexelBlock {
  int32_t first[kVertexBlock];  // index in the plane of the upper left texel
  T x_place[kVertexBlock], y_place[kVertexBlock];
  int32_t right, lower;  // from that texel to the right one and to the lower one: 1 and W, or 0 where there is none
  bool interior;         // all four texels of every point lie in the image
};

// One plane's values at those texels.
template <class T>
struct TexelValues {
  T upper_left[kVertexBlock], upper_right[kVertexBlock], lower_left[kVertexBlock], lower_right[kVertexBlock];
};

// What each of those texels weighs, 0 where the point does not reach it.
template <class T>
struct TexelWeights {
  T upper_left[kVertexBlock], upper_right[kVertexBlock], lower_left[kVertexBlock], lower_right[kVertexBlock];
};

// What will be read soon, while another plane is sampled: a plane, or nullptr if nothing will be, at these texels, and
// in a backward the gradients to its samples, n of them.
template <class T, class I>
struct NextPlane {
  const I* plane;
  const TexelBlock<T>* texels;
  const I* grad;
  int64_t n;
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
