// A warp's collectives, one row of 32 results each, on the lane's number (tests/test_emulator.py has them by hand).
#include "planted/launch_on.h"

namespace planted {
namespace {

constexpr unsigned kAll = 0xffffffffu;

template <class T>
__global__ void shuffles(T* data) {
  const int lane = static_cast<int>(threadIdx.x);
  const T value = static_cast<T>(lane);
  const T results[] = {
      __shfl_sync(kAll, value, 5),         __shfl_sync(kAll, value, lane + 1), __shfl_sync(kAll, value, 2, 8),
      __shfl_up_sync(kAll, value, 1),      __shfl_up_sync(kAll, value, 3, 8),  __shfl_down_sync(kAll, value, 1),
      __shfl_down_sync(kAll, value, 3, 8), __shfl_xor_sync(kAll, value, 16),   __shfl_xor_sync(kAll, value, 9, 8),
  };
  for (const T& result : results) {
    data[32 * (&result - results) + lane] = result;
  }
}

__global__ void votes(unsigned* data) {
  const unsigned lane = threadIdx.x;
  const unsigned results[] = {
      __ballot_sync(kAll, lane % 2),
      static_cast<unsigned>(__any_sync(kAll, lane == 31)),
      static_cast<unsigned>(__any_sync(kAll, 0)),
      static_cast<unsigned>(__all_sync(kAll, 1)),
      static_cast<unsigned>(__all_sync(kAll, lane != 31)),
      __match_any_sync(kAll, lane / 16),
      __reduce_add_sync(kAll, lane),
      __reduce_min_sync(kAll, lane + 4),
      __reduce_max_sync(kAll, lane),
      __reduce_or_sync(kAll, 1u << lane),
      __reduce_and_sync(kAll, ~(1u << lane)),
      __reduce_xor_sync(kAll, lane),
      static_cast<unsigned>(__reduce_add_sync(kAll, -1)),
      static_cast<unsigned>(__reduce_min_sync(kAll, -static_cast<int>(lane))),
  };
  for (const unsigned& result : results) {
    data[32 * (&result - results) + lane] = result;
  }
}

// 48 threads: __ballot_sync of a half-empty warp, and what a block's barriers count.
__global__ void block_votes(unsigned* data) {
  const unsigned thread = threadIdx.x;
  data[thread] = __ballot_sync(kAll, 1);
  data[48 + thread] = static_cast<unsigned>(__syncthreads_count(thread < 10));
  data[96 + thread] = static_cast<unsigned>(__syncthreads_or(thread == 40));
  data[144 + thread] = static_cast<unsigned>(__syncthreads_and(thread < 48));
  data[192 + thread] = static_cast<unsigned>(__syncthreads_and(thread < 47));
}

}  // namespace

Launches warps() {
  return {
      {"shuffles_int", launch_on<32>(shuffles<int>)},
      {"shuffles_float", launch_on<32>(shuffles<float>)},
      {"shuffles_double", launch_on<32>(shuffles<double>)},
      {"shuffles_long", launch_on<32>(shuffles<long long>)},
      {"votes", launch_on<32>(votes)},
      {"block_votes", launch_on<48>(block_votes)},
  };
}

}  // namespace planted
