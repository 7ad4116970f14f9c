// The second stage of a sum over vertices: blocks of the first stage each leave the sums of their chunk of the
// vertices, and these functions add the chunks in a fixed order, in double (for .cu files).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace stn {

// What the first stage wrote: D sums for each image and chunk.
template <class T>
struct PartsParams {
  const T* parts;  // (chunks, B, D)
  int64_t chunks, B, D;
};

// Columns that the threads of a block take side by side: the least power of two that covers them, at most a warp, so
// that reads coalesce and few columns still leave many threads for the chunks.
__device__ __forceinline__ int columns_at_once(int64_t columns) {
  int width = 1;
  while (width < 32 && width < columns) {
    width *= 2;
  }
  return width;
}

// Calls f(column, sum) with double sum = sum_chunk parts[chunk, b, column], from one thread for each column of
// first <= column < last; which thread that is, is not promised. A block of Threads threads (a power of two, at least
// 32) calls it, all of them with the same arguments, and a barrier follows the calls of f: what they leave in shared
// memory may be read on return. Threads / width of them share a column's chunks, each takes every so-manieth in order,
// and a tree adds theirs up: the order depends on Threads and last - first alone.
template <int Threads, class T, class F>
__device__ __forceinline__ void block_sums_of_parts(
    const PartsParams<T>& p, int64_t b, int64_t first, int64_t last, const F& f) {
  __shared__ double sums[Threads];
  const int width = columns_at_once(last - first), slots = Threads / width;
  const int lane = static_cast<int>(threadIdx.x) % width, slot = static_cast<int>(threadIdx.x) / width;
  for (int64_t tile = first; tile < last; tile += width) {
    const int64_t column = tile + lane;
    double sum = 0;
    if (column < last) {
#pragma unroll 4
      for (int64_t chunk = slot; chunk < p.chunks; chunk += slots) {
        sum += static_cast<double>(p.parts[(chunk * p.B + b) * p.D + column]);
      }
    }
    sums[threadIdx.x] = sum;
    for (int half = slots / 2; half > 0; half /= 2) {
      __syncthreads();
      if (slot < half) {
        sums[threadIdx.x] += sums[threadIdx.x + half * width];
      }
    }
    if (slot == 0 && column < last) {
      f(column, sums[threadIdx.x]);
    }
    __syncthreads();
  }
}

}  // namespace stn
