// docs/math.md#losses. A block takes a chunk of one image's texels, its threads every kThreads-th of them, one channel
// of all of them after the other. Moves, for each texel of a and b, its channels and its mask forward; backward also as
// many gradients as are needed; a mirrored row is read backwards, by the same segments of memory. Deterministic: a
// thread adds its texels in order, then in double the warp's lanes, the block's warps and (texture_sums_kernel) the
// image's chunks are added in a fixed order.
#include "common/block_sum.h"
#include "common/launch.h"
#include "common/sum_parts.h"
#include "losses/losses_cuda.h"

namespace stn {
namespace {

constexpr int kOwnTexels = kTexelChunk / kThreads;
constexpr int kSumsThreads = 128;  // 2 columns, hence 64 threads for each of the two sums
constexpr int kSums = 2;

// A thread's texels of its block's chunk, with their weights.
template <class T>
struct OwnTexels {
  const TexturePair<T>& p;
  int64_t b, N, first;
  T weight[kOwnTexels];

  __device__ __forceinline__ OwnTexels(const TexturePair<T>& pair, unsigned chunks)
      : p(pair), b(blockIdx.x / chunks), N(pair.P * pair.Q), first(blockIdx.x % chunks * kTexelChunk + threadIdx.x) {
    for_each([&](int i, int64_t n, int64_t facing) { weight[i] = p.a.mask[b * N + n] * p.b.mask[b * N + facing]; });
  }

  // f(i, n, facing) for the i-th one, n, and the one that it faces, if it exists.
  template <class F>
  __device__ __forceinline__ void for_each(const F& f) const {
#pragma unroll
    for (int i = 0; i < kOwnTexels; ++i) {
      const int64_t n = first + i * kThreads;
      if (n < N) {
        f(i, n, facing_texel(n, p.Q, p.mirror));
      }
    }
  }

  // f(i, place in a, place in b, d) for all of them in one channel after the other.
  template <class F>
  __device__ __forceinline__ void for_each_difference(const F& f) const {
    for (int64_t plane = b * p.C; plane < (b + 1) * p.C; ++plane) {
      for_each([&](int i, int64_t n, int64_t facing) {
        const int64_t in_a = plane * N + n, in_b = plane * N + facing;
        f(i, in_a, in_b, shown_difference(p.a.texture[in_a], p.b.texture[in_b], weight[i]));
      });
    }
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads) texture_difference_kernel(TextureDifferenceParams<T> p, unsigned chunks) {
  __shared__ double scratch[kSums][kThreads / kWarp];
  const OwnTexels<T> own(p.pair, chunks);
  T squares[kOwnTexels] = {};
  own.for_each_difference([&](int i, int64_t, int64_t, T d) { squares[i] += d * d; });
  T difference = T(0), weight = T(0);
  own.for_each([&](int i, int64_t, int64_t) {
    difference += own.weight[i] * shown_squares(squares[i], own.weight[i]);
    weight += own.weight[i];
  });
  const double difference_sum = block_sum<kThreads>(static_cast<double>(difference), scratch[0]);
  const double weight_sum = block_sum<kThreads>(static_cast<double>(weight), scratch[1]);
  if (threadIdx.x == 0) {
    double* out = p.parts + (blockIdx.x % chunks * p.pair.B + own.b) * kSums;
    out[0] = difference_sum;
    out[1] = weight_sum;
  }
}

// A block an image: its chunks' sums.
template <class T>
__global__ void __launch_bounds__(kSumsThreads) texture_sums_kernel(TextureDifferenceParams<T> p) {
  const int64_t b = blockIdx.x;
  const PartsParams<double> parts = {p.parts, p.chunks, p.pair.B, kSums};
  block_sums_of_parts<kSumsThreads>(parts, b, 0, kSums, [&](int64_t column, double sum) {
    (column == 0 ? p.difference : p.weight)[b] = static_cast<T>(sum);
  });
}

template <class T>
__global__ void __launch_bounds__(kThreads) texture_gradient_kernel(TextureGradientParams<T> p, unsigned chunks) {
  const OwnTexels<T> own(p.pair, chunks);
  const T g = p.sums.times * p.sums.difference[own.b], h = p.sums.times * p.sums.weight[own.b];
  T squares[kOwnTexels] = {};
  own.for_each_difference([&](int i, int64_t in_a, int64_t in_b, T d) {
    const T slope = texture_vjp(g, own.weight[i], d);
    if (p.a.texture != nullptr) {
      p.a.texture[in_a] = slope;
    }
    if (p.b.texture != nullptr) {
      p.b.texture[in_b] = -slope;
    }
    squares[i] += d * d;
  });
  own.for_each([&](int i, int64_t n, int64_t facing) {
    const int64_t in_a = own.b * own.N + n, in_b = own.b * own.N + facing;
    const T shown = shown_squares(squares[i], own.weight[i]);
    if (p.a.mask != nullptr) {
      p.a.mask[in_a] = mask_vjp(g, h, shown, p.pair.b.mask[in_b]);
    }
    if (p.b.mask != nullptr) {
      p.b.mask[in_b] = mask_vjp(g, h, shown, p.pair.a.mask[in_a]);
    }
  });
}

}  // namespace

template <class T>
void launch_texture_difference(const TextureDifferenceParams<T>& params, CudaStream stream) {
  const auto chunks = static_cast<unsigned>(params.chunks);
  const int64_t B = params.pair.B;
  launch("texture_difference", stream, B * params.chunks, texture_difference_kernel<T>, params, chunks);
  launch<kSumsThreads>("texture_difference", stream, B, texture_sums_kernel<T>, params);
}

template <class T>
void launch_texture_gradient(const TextureGradientParams<T>& params, CudaStream stream) {
  const auto chunks = static_cast<unsigned>(params.chunks);
  const int64_t blocks = params.pair.B * params.chunks;
  launch("texture_difference_backward", stream, blocks, texture_gradient_kernel<T>, params, chunks);
}

template void launch_texture_difference(const TextureDifferenceParams<float>&, CudaStream);
template void launch_texture_difference(const TextureDifferenceParams<double>&, CudaStream);
template void launch_texture_gradient(const TextureGradientParams<float>&, CudaStream);
template void launch_texture_gradient(const TextureGradientParams<double>&, CudaStream);

}  // namespace stn
