// A chunk of the vertices under a group of images, which share one reading of the chunk's part of the basis: how the
// fused kernels' blocks begin (for .cu files). A thread keeps three coordinates of each image's chunk while it adds up
// the modes, its own three columns of the flattened basis rather than its vertex's, so that the reads coalesce.
#pragma once

#include <type_traits>

#include "common/launch.h"
#include "warp/warp_cuda.h"
#include "warp/warp_math.h"

namespace stn {

static_assert(kWarpChunk == kThreads, "a thread for each of a chunk's vertices");

constexpr int kChunkColumns = 3 * kThreads;  // coordinates a chunk
constexpr int kModeTile = 32;                // modes whose coefficients lie in shared memory at one time

// The place of a block in the grid: consecutive blocks take one chunk for all groups, while its basis is in the cache.
template <int G>
struct GroupPlace {
  int64_t chunk, first, b0;  // first vertex, first image
  int images, vertices;

  template <class T>
  static __device__ __forceinline__ GroupPlace of(const WarpModel<T>& model, unsigned block, unsigned groups) {
    const int64_t chunk = block / groups, first = chunk * kWarpChunk, b0 = static_cast<int64_t>(block % groups) * G;
    const int64_t images = model.B - b0, vertices = model.N - first;
    return {
        chunk, first, b0, static_cast<int>(images < G ? images : G),
        static_cast<int>(vertices < kWarpChunk ? vertices : kWarpChunk)};
  }
};

// The poses of `images` images from b0 on, as sound_pose has them. A barrier must follow.
template <class T, int G>
__device__ __forceinline__ void make_poses(
    const WarpModel<T>& model, int64_t b0, int images, RigidPose<T> (&poses)[G]) {
  __shared__ int unsound[G];
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t D = 6 + model.K;
  const T* theta = model.theta + b0 * D;
  if (thread < G) {
    unsound[thread] = 0;
  }
  __syncthreads();
  for (int64_t i = thread; i < images * D; i += kThreads) {
    if (!is_finite(theta[i])) {
      atomicExch(&unsound[i / D], 1);
    }
  }
  __syncthreads();
  if (thread < images) {
    poses[thread] = unsound[thread] != 0 ? no_pose<T>() : sound_pose(theta + thread * D, 6);
  }
}

// alpha[k - tile][g] for the modes of one tile; 0 for images beyond the batch.
template <class T, int G>
__device__ __forceinline__ void load_alpha(
    const WarpModel<T>& model, const GroupPlace<G>& at, int64_t tile, int modes, T (&alpha)[kModeTile][G]) {
  for (int i = static_cast<int>(threadIdx.x); i < modes * G; i += kThreads) {
    const int k = i / G, g = i % G;
    alpha[k][g] = g < at.images ? model.theta[(at.b0 + g) * (6 + model.K) + 6 + tile + k] : T(0);
  }
}

// X of the chunk's vertices in each image of the group. A barrier must follow.
template <class T, int G>
__device__ __forceinline__ void make_shapes(
    const WarpModel<T>& model, const GroupPlace<G>& at, T (&shapes)[G][kChunkColumns]) {
  alignas(16) __shared__ T alpha[kModeTile][G];
  const int thread = static_cast<int>(threadIdx.x);
  const T* __restrict__ basis = model.basis + 3 * at.first + thread;
  bool exists[3];
  T X[G][3];
#pragma unroll
  for (int j = 0; j < 3; ++j) {
    exists[j] = thread + j * kThreads < 3 * at.vertices;
    const T mean = exists[j] ? model.mean[3 * at.first + thread + j * kThreads] : T(0);
#pragma unroll
    for (int g = 0; g < G; ++g) {
      X[g][j] = mean;
    }
  }
  for (int64_t tile = 0; tile < model.K; tile += kModeTile) {
    const int modes = static_cast<int>(model.K - tile < kModeTile ? model.K - tile : kModeTile);
    __syncthreads();
    load_alpha(model, at, tile, modes, alpha);
    __syncthreads();
#pragma unroll 4
    for (int k = 0; k < modes; ++k) {
      const T* __restrict__ row = basis + 3 * model.N * (tile + k);
#pragma unroll
      for (int j = 0; j < 3; ++j) {
        const T mode = exists[j] ? row[j * kThreads] : T(0);
#pragma unroll
        for (int g = 0; g < G; ++g) {
          X[g][j] += alpha[k][g] * mode;
        }
      }
    }
  }
#pragma unroll
  for (int g = 0; g < G; ++g) {
#pragma unroll
    for (int j = 0; j < 3; ++j) {
      shapes[g][thread + j * kThreads] = X[g][j];
    }
  }
}

// f(integral_constant G) with the images a group. Fewer images than a few groups' worth would leave too few blocks for
// a large GPU, which is worse than to read the basis again; eight images in float64 would not fit in shared memory.
template <class T, class F>
void with_group(int64_t B, const F& f) {
  if (B < 8) {
    f(std::integral_constant<int, 1>());
  } else if (B < 32 || sizeof(T) > sizeof(float)) {
    f(std::integral_constant<int, 4>());
  } else if constexpr (sizeof(T) == sizeof(float)) {
    f(std::integral_constant<int, 8>());
  }
}

}  // namespace stn
