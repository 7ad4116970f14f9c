// A chunk of the vertices under a group of images, which share one reading of the chunk's part of the basis: how the
// fused kernels' blocks begin (for .cu files). A thread keeps three coordinates of each image's chunk while it adds up
// the modes, its own three columns of the flattened basis rather than its vertex's, so that the reads coalesce.
#pragma once

#include <type_traits>

#include "common/block_sum.h"
#include "common/launch.h"
#include "warp/warp_cuda.h"
#include "warp/warp_math.h"

namespace stn {

static_assert(kWarpChunk == kThreads, "a thread for each of a chunk's vertices");

constexpr int kWarps = kThreads / kWarp;
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

// The poses of `images` images from b0 on, as sound_pose has them; a warp an image. A barrier must follow.
template <class T, int G>
__device__ __forceinline__ void make_poses(
    const WarpModel<T>& model, int64_t b0, int images, RigidPose<T> (&poses)[G]) {
  static_assert(G <= kWarps, "a warp for each image");
  const int lane = static_cast<int>(threadIdx.x) % kWarp, g = static_cast<int>(threadIdx.x) / kWarp;
  if (g >= images) {
    return;
  }
  const int64_t D = 6 + model.K;
  const T* theta = model.theta + (b0 + g) * D;
  bool finite = true;
#pragma unroll 4
  for (int64_t i = lane; i < D; i += kWarp) {
    finite = finite & is_finite(theta[i]);
  }
  finite = __all_sync(kWholeWarp, finite) != 0;
  if (lane == 0) {
    poses[g] = finite ? sound_pose(theta, 6) : no_pose<T>();
  }
}

// One vertex of an image's shape, a landmark's, in lane 0: the warp's lanes share the modes.
template <class T>
__device__ __forceinline__ Vec3<T> shape_vertex_of_warp(const WarpModel<T>& model, int64_t b, int64_t n) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const T* alpha = model.theta + b * (6 + model.K) + 6;
  Vec3<T> X = lane == 0 ? load3(model.mean + 3 * n) : Vec3<T>{T(0), T(0), T(0)};
#pragma unroll 4
  for (int64_t k = lane; k < model.K; k += kWarp) {
    X = X + alpha[k] * load3(model.basis + 3 * (k * model.N + n));
  }
  return {warp_sum(X.x), warp_sum(X.y), warp_sum(X.z)};
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
