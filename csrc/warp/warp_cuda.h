// Launchers of the fused chain's kernels.
#pragma once

#include <cstdint>

#include "common/blocks.h"
#include "common/cuda_stream.h"
#include "sample/image_gradient.h"

namespace stn {

// Vertices a block: one a thread.
constexpr int64_t kWarpChunk = 256;

template <class T>
struct WarpModel {
  const T* theta;  // (B, 6 + K)
  const T* mean;   // (N, 3)
  const T* basis;  // (K, N, 3)
  int64_t B, N, K;
};

template <class T>
int64_t warp_chunks(const WarpModel<T>& model) {
  return ceil_divide(model.N, kWarpChunk);
}

template <class T, class I>
struct WarpForward {
  WarpModel<T> model;
  const I* image;           // (B, C, H, W)
  const bool* valid;        // (N,) or nullptr: all are
  const int64_t* vertices;  // (L,) of the landmarks, outside 0..N-1 = no such vertex
  I* texture;               // (B, C, N)
  T* mask;                  // (B, N), or nullptr: not asked for
  T* points;                // (B, N, 3) with visibility only, else nullptr
  T* landmarks;             // (B, L, 2)
  int64_t C, H, W, L;
};

template <class T, class I>
struct WarpBackward {
  WarpModel<T> model;
  const I* image;           // (B, C, H, W)
  const I* grad_texture;    // (B, C, N), or nullptr: 0
  const T* grad_points;     // (B, N, 3), through a soft mask, or nullptr: 0
  const int64_t* vertices;  // (L,)
  const T* grad_landmarks;  // (B, L, 2), or nullptr: 0
  T* parts;  // (passes chunks, B, 6 + K), each chunk's sums, in a pass for each of these two that is given; nullptr
             // without any, and without grad_theta
  T* grad_theta;  // (B, 6 + K), or nullptr: not asked for
  int64_t C, H, W, L;
};

template <class T, class I>
void launch_warp(const WarpForward<T, I>& params, CudaStream stream);

// grad_theta, and the gradient to the image unless gradient.grad_image is nullptr.
template <class T, class I>
void launch_warp_backward(const WarpBackward<T, I>& params, const ImageGradient<T, I>& gradient, CudaStream stream);

// The second stage of the gradient to theta: from the chunks' parts and the landmarks.
template <class T>
struct WarpGradTheta {
  WarpModel<T> model;
  const T* parts;           // (chunks, B, 6 + K)
  const int64_t* vertices;  // (L,)
  const T* grad_landmarks;  // (B, L, 2)
  T* grad_theta;            // (B, 6 + K)
  int64_t chunks, L;        // 0 where there is nothing of the kind
};

template <class T>
void launch_warp_grad_theta(const WarpGradTheta<T>& params, CudaStream stream);

}  // namespace stn
