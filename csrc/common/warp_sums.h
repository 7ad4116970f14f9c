// Many sums over a warp at once (for .cu files).
#pragma once

#include <cuda_runtime.h>

#include "common/block_sum.h"

namespace stn {

// Sums V values, V a power of two, over the warp's lanes. In each step a lane hands half of the values that it still
// holds to a partner and takes the other half over, so that 32 values cost 31 shuffles and not 160. On return lane l
// holds, for i < max(1, V / 32), the sum of value summed_value<V>(l) + i in values[i]; with V < 32, 32 / V neighbours
// hold the same. The order of the additions depends on nothing.
template <int V, class T>
__device__ __forceinline__ void warp_sums(T (&values)[V]) {
  static_assert((V & (V - 1)) == 0, "V must be a power of two");
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  int held = V;
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const bool upper = (lane & offset) != 0;
    if (held == 1) {
      values[0] += __shfl_xor_sync(kWholeWarp, values[0], offset);
      continue;
    }
    held /= 2;
#pragma unroll
    for (int i = 0; i < V / 2; ++i) {
      if (i < held) {
        const T given = upper ? values[i] : values[i + held];
        const T kept = upper ? values[i + held] : values[i];
        values[i] = kept + __shfl_xor_sync(kWholeWarp, given, offset);
      }
    }
  }
}

template <int V>
__device__ __forceinline__ int summed_value(int lane) {
  return lane * V / kWarp;
}

}  // namespace stn
