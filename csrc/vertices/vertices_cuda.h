// Launchers of the vertices kernels.
#pragma once

#include <cstdint>

#include "common/cuda_stream.h"

namespace stn {

template <class T>
struct ShapeParams {
  const T* alpha;   // (B, K)
  const T* mean;    // (M)
  const T* basis;   // (K, M)
  T* vertices;      // (B, M)
  int64_t B, K, M;  // M = 3 N columns
};

// Columns that one part of the gradient to alpha is summed over.
constexpr int64_t kGradAlphaChunk = 512;

template <class T>
struct GradAlphaParams {
  const T* grad_vertices;  // (B, M)
  const T* basis;          // (K, M)
  T* parts;                // (chunks, B, K), workspace
  T* grad_alpha;           // (B, K)
  int64_t B, K, M;         // M = 3 N columns
  int64_t chunks;          // of kGradAlphaChunk columns
};

template <class T>
void launch_vertices(const ShapeParams<T>& params, CudaStream stream);
template <class T>
void launch_grad_alpha(const GradAlphaParams<T>& params, CudaStream stream);

}  // namespace stn
