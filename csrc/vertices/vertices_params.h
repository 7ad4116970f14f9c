// What one task of the vertices kernels reads and writes.
#pragma once

#include "common/blocks.h"

namespace stn {

template <class T>
struct VerticesParams {
  const T* alpha;          // (B, K)
  const T* mean;           // (N, 3)
  const T* basis;          // (K, N, 3)
  const T* grad_vertices;  // (B, N, 3), backward only
  T* out;                  // vertices (B, N, 3); backward: the blocks' parts of grad_alpha (blocks, B, K)
  int64_t B, N, K;
};

}  // namespace stn
