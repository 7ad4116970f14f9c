// docs/math.md#vertices, with the model's 3 N coordinates as M columns.
//
// Forward: a thread makes kColumns columns of a group of G images in registers. A coefficient comes from shared memory
// in a broadcast vector of four, which keeps the load unit as busy as sixteen products keep the arithmetic units: hence
// four columns a thread. The basis comes from the L2 cache once for each group: hence large groups, and neighbouring
// blocks with the same columns. Moves M (K + 1) values in and B M out.
//
// Gradient to alpha: a warp sums kModes modes of G images over a chunk of columns, a block's warps side by side in
// modes and images, so that a row serves several of them from the first-level cache; a second kernel adds the chunks'
// parts. Moves M (K + B) values in, and B K out and in again for each chunk.
//
// Deterministic: modes are added in order; columns in an order that depends on neither B nor G, in double from the
// parts on.
#include "common/launch.h"
#include "common/sum_parts.h"
#include "common/warp_sums.h"
#include "vertices/vertices_cuda.h"

namespace stn {
namespace {

constexpr int kShapeThreads = 128;
constexpr int kColumns = 4;                          // a thread
constexpr int64_t kTile = kShapeThreads * kColumns;  // columns a block
constexpr int kStaged = 32;                          // modes whose coefficients are in shared memory at a time

// The group's coefficients of modes k0 and following -> staged[k - k0][image]; 0 for images beyond the batch.
template <int G, class T>
__device__ __forceinline__ void stage_alpha(
    const ShapeParams<T>& p, int64_t b0, int64_t k0, int modes, T (&staged)[kStaged][G]) {
  for (int i = static_cast<int>(threadIdx.x); i < modes * G; i += kShapeThreads) {
    const int64_t b = b0 + i % G;
    staged[i / G][i % G] = b < p.B ? p.alpha[b * p.K + k0 + i / G] : T(0);
  }
}

template <int G, class T>
__global__ void __launch_bounds__(kShapeThreads) vertices_kernel(ShapeParams<T> p, unsigned groups) {
  alignas(16) __shared__ T staged[kStaged][G];
  const int64_t b0 = blockIdx.x % groups * int64_t{G}, first = blockIdx.x / groups * kTile + threadIdx.x;
  int64_t column[kColumns];  // beyond the last, the last one again: computed, not stored
  T sum[G][kColumns];
#pragma unroll
  for (int c = 0; c < kColumns; ++c) {
    const int64_t own = first + c * kShapeThreads;
    column[c] = own < p.M ? own : p.M - 1;
    const T mean = p.mean[column[c]];
#pragma unroll
    for (int g = 0; g < G; ++g) {
      sum[g][c] = mean;
    }
  }
  for (int64_t k0 = 0; k0 < p.K; k0 += kStaged) {
    const int modes = p.K - k0 < kStaged ? static_cast<int>(p.K - k0) : kStaged;
    stage_alpha(p, b0, k0, modes, staged);
    __syncthreads();
#pragma unroll 2
    for (int k = 0; k < modes; ++k) {
      const T* basis = p.basis + (k0 + k) * p.M;
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        const T value = basis[column[c]];
#pragma unroll
        for (int g = 0; g < G; ++g) {
          sum[g][c] += staged[k][g] * value;
        }
      }
    }
    __syncthreads();
  }
  T* row = p.vertices + b0 * p.M + first;
#pragma unroll
  for (int g = 0; g < G; ++g) {
    if (b0 + g < p.B) {
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        if (first + c * kShapeThreads < p.M) {
          row[c * kShapeThreads] = sum[g][c];
        }
      }
      row += p.M;
    }
  }
}

constexpr int kGradThreads = 128;  // with some 130 registers each, three blocks fit on a multiprocessor
constexpr int kWarps = kGradThreads / kWarp;
constexpr int kModes = 8;  // a warp

// A block's warps: `wide` tiles of modes times kWarps / wide groups of images, of one chunk.
struct WarpLayout {
  unsigned mode_blocks, image_blocks;
  int wide;
};

template <int G>
WarpLayout warp_layout(int64_t B, int64_t K) {
  const int64_t tiles = ceil_divide(K, kModes);
  const int most = B > G ? kWarps / 2 : kWarps;
  int wide = 1;
  while (wide < most && wide < tiles) {
    wide *= 2;
  }
  const int64_t mode_blocks = ceil_divide(tiles, wide), image_blocks = ceil_divide(B, G * (kWarps / wide));
  return {static_cast<unsigned>(mode_blocks), static_cast<unsigned>(image_blocks), wide};
}

// Products over one chunk of columns: sums[g * kModes + m] = this lane's share of basis[k0 + m] . grad_vertices[b0 +
// g]. Rows beyond the last are the last one again.
template <int G, class T>
__device__ __forceinline__ void add_products(
    const GradAlphaParams<T>& p, int64_t b0, int64_t k0, int64_t chunk, T (&sums)[G * kModes]) {
  const T* grad[G];
  const T* basis[kModes];
#pragma unroll
  for (int g = 0; g < G; ++g) {
    grad[g] = p.grad_vertices + (b0 + g < p.B ? b0 + g : p.B - 1) * p.M;
  }
#pragma unroll
  for (int m = 0; m < kModes; ++m) {
    basis[m] = p.basis + (k0 + m < p.K ? k0 + m : p.K - 1) * p.M;
  }
  const int64_t begin = chunk * kGradAlphaChunk;
  const int64_t end = begin + kGradAlphaChunk < p.M ? begin + kGradAlphaChunk : p.M;
  for (int64_t j = begin + threadIdx.x % kWarp; j < end; j += kWarp) {
    T of_image[G];
#pragma unroll
    for (int g = 0; g < G; ++g) {
      of_image[g] = grad[g][j];
    }
#pragma unroll
    for (int m = 0; m < kModes; ++m) {
      const T of_mode = basis[m][j];
#pragma unroll
      for (int g = 0; g < G; ++g) {
        sums[g * kModes + m] += of_image[g] * of_mode;
      }
    }
  }
}

template <int G, class T>
__global__ void __launch_bounds__(kGradThreads) grad_alpha_kernel(GradAlphaParams<T> p, WarpLayout layout) {
  constexpr int kSums = G * kModes, kHeld = kSums > kWarp ? kSums / kWarp : 1;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const unsigned rest = blockIdx.x / layout.mode_blocks, chunk = rest / layout.image_blocks;
  const int64_t mode_block = blockIdx.x % layout.mode_blocks, image_block = rest % layout.image_blocks;
  const int64_t k0 = (mode_block * layout.wide + warp % layout.wide) * kModes;
  const int64_t b0 = (image_block * (kWarps / layout.wide) + warp / layout.wide) * G;
  if (k0 >= p.K || b0 >= p.B) {
    return;  // the whole warp
  }
  T sums[kSums] = {};
  add_products<G>(p, b0, k0, chunk, sums);
  warp_sums(sums);
#pragma unroll
  for (int i = 0; i < kHeld; ++i) {
    const int value = summed_value<kSums>(lane) + i;
    const int64_t b = b0 + value / kModes, k = k0 + value % kModes;
    const bool first_holder = kSums >= kWarp || lane % (kWarp * kHeld / kSums) == 0;
    if (first_holder && b < p.B && k < p.K) {
      p.parts[(chunk * p.B + b) * p.K + k] = sums[i];
    }
  }
}

constexpr int kSumThreads = 256;

// A block for each image and kWarp of its modes.
template <class T>
__global__ void __launch_bounds__(kSumThreads) sum_grad_alpha_kernel(GradAlphaParams<T> p, unsigned tiles) {
  const int64_t b = blockIdx.x / tiles, first = blockIdx.x % tiles * int64_t{kWarp};
  const int64_t last = first + kWarp < p.K ? first + kWarp : p.K;
  const PartsParams<T> parts = {p.parts, p.chunks, p.B, p.K};
  block_sums_of_parts<kSumThreads>(
      parts, b, first, last, [&](int64_t k, double sum) { p.grad_alpha[b * p.K + k] = static_cast<T>(sum); });
}

template <int G, class T>
void launch_group(const ShapeParams<T>& params, CudaStream stream) {
  const int64_t tiles = ceil_divide(params.M, kTile), groups = ceil_divide(params.B, G);
  launch<kShapeThreads>(
      "vertices", stream, tiles * groups, vertices_kernel<G, T>, params, static_cast<unsigned>(groups));
}

template <int G, class T>
void launch_grad_alpha_group(const GradAlphaParams<T>& params, CudaStream stream) {
  const WarpLayout layout = warp_layout<G>(params.B, params.K);
  const int64_t blocks = params.chunks * layout.image_blocks * layout.mode_blocks;
  launch<kGradThreads>("vertices_backward", stream, blocks, grad_alpha_kernel<G, T>, params, layout);
}

}  // namespace

template <class T>
void launch_vertices(const ShapeParams<T>& params, CudaStream stream) {
  if (params.B == 1) {
    launch_group<1>(params, stream);
  } else if (params.B <= 4) {
    launch_group<4>(params, stream);
  } else {
    launch_group<16>(params, stream);
  }
}

template <class T>
void launch_grad_alpha(const GradAlphaParams<T>& params, CudaStream stream) {
  if (params.B == 1) {
    launch_grad_alpha_group<1>(params, stream);
  } else {
    launch_grad_alpha_group<8>(params, stream);
  }
  const int64_t tiles = ceil_divide(params.K, kWarp);
  launch<kSumThreads>(
      "vertices_backward", stream, params.B * tiles, sum_grad_alpha_kernel<T>, params, static_cast<unsigned>(tiles));
}

template void launch_vertices(const ShapeParams<float>&, CudaStream);
template void launch_vertices(const ShapeParams<double>&, CudaStream);
template void launch_grad_alpha(const GradAlphaParams<float>&, CudaStream);
template void launch_grad_alpha(const GradAlphaParams<double>&, CudaStream);

}  // namespace stn
