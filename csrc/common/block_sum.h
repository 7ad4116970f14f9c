// Sums over a warp and over a block, in an order that depends on nothing but the block's size, and the largest value
// of a warp (for .cu files).
#pragma once

#include <cuda_runtime.h>

namespace stn {

constexpr unsigned kWholeWarp = 0xffffffffu;
constexpr int kWarp = 32;

// The sum of the warp's 32 values, in lane 0.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value += __shfl_down_sync(kWholeWarp, value, offset);
  }
  return value;
}

// The sum of the warp's values up to and with this lane's.
template <class T>
__device__ __forceinline__ T warp_running_sum(T value) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int offset = 1; offset < kWarp; offset *= 2) {
    const T before = __shfl_up_sync(kWholeWarp, value, offset);
    value += lane >= offset ? before : T(0);
  }
  return value;
}

// The largest of the warp's 32 values, in lane 0.
template <class T>
__device__ __forceinline__ T warp_max(T value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const T other = __shfl_down_sync(kWholeWarp, value, offset);
    value = other > value ? other : value;
  }
  return value;
}

// The sum of the block's Threads values, in thread 0. All threads call it; `scratch` holds a value for each warp and
// must not be in use by another sum: a barrier has to lie between two calls that share it.
template <int Threads, class T>
__device__ __forceinline__ T block_sum(T value, T (&scratch)[Threads / kWarp]) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  value = warp_sum(value);
  if (lane == 0) {
    scratch[warp] = value;
  }
  __syncthreads();
  T sum = T(0);
  if (threadIdx.x == 0) {
    for (int i = 0; i < Threads / kWarp; ++i) {
      sum += scratch[i];
    }
  }
  return sum;
}

}  // namespace stn
