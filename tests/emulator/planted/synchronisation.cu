// Barriers that hang or differ, and exceptions.
#include <stdexcept>

#include "planted/launch_on.h"

namespace planted {
namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void barrier_in_branch(float* data) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    data[threadIdx.x] = 1;
    __syncthreads();
  }
}

__global__ void barrier_against_collective(float*) {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    __syncwarp();
  }
}

__global__ void barrier_after_exit(float* data) {
  __shared__ float value;
  if (threadIdx.x >= 40) {
    return;
  }
  if (threadIdx.x == 0) {
    value = 7;
  }
  __syncthreads();
  data[threadIdx.x] = value;
}

__global__ void lane_that_never_comes(float*) {
  if (threadIdx.x != 3) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

__global__ void different_collectives(float* data) {
  if (threadIdx.x < 16) {
    data[threadIdx.x] = __shfl_sync(kAll, data[threadIdx.x], 0);
  } else {
    data[threadIdx.x] = __shfl_xor_sync(kAll, data[threadIdx.x], 1);
  }
}

__global__ void different_masks(float*) {
  __syncwarp(threadIdx.x < 16 ? kAll : 0xffff0000u);
}

__global__ void mask_without_caller(float*) {
  __syncwarp(0x0000ffffu);
}

__global__ void half_warps(float* data) {
  data[threadIdx.x] = __shfl_sync(threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u, data[threadIdx.x], threadIdx.x ^ 1);
}

__global__ void read_of_absent_lane(float* data) {
  data[threadIdx.x] = __shfl_down_sync(kAll, data[threadIdx.x], 16);
}

__global__ void exception(float*) {
  if (threadIdx.x == 5) {
    throw std::runtime_error("thrown by a kernel");
  }
  __syncthreads();
}

// data[0] counts; data[i] becomes the number of the thread that came i-th before, and 64 later after, the barrier.
__global__ void order(int* data) {
  data[1 + atomicAdd(&data[0], 1)] = static_cast<int>(threadIdx.x);
  __syncthreads();
  data[1 + atomicAdd(&data[0], 1)] = static_cast<int>(threadIdx.x);
}

__global__ void order_of_blocks(int* data) {
  data[1 + atomicAdd(&data[0], 1)] = static_cast<int>(blockIdx.x);
}

// Barriers and a shuffle in a loop, with locals alive across them: the sum of all values of the block, 50 times.
__global__ void many_barriers(float* data) {
  __shared__ float values[96];
  float sum = 0;
  for (int round = 0; round < 50; ++round) {
    values[threadIdx.x] = __shfl_xor_sync(kAll, data[threadIdx.x], 7);
    __syncthreads();
    for (float value : values) {
      sum += value;
    }
    __syncthreads();
  }
  data[threadIdx.x] = sum;
}

}  // namespace

Launches synchronisation() {
  return {
      {"barrier_in_branch", launch_on<64>(barrier_in_branch)},
      {"barrier_against_collective", launch_on<64>(barrier_against_collective)},
      {"barrier_after_exit", launch_on<64>(barrier_after_exit)},
      {"lane_that_never_comes", launch_on<64>(lane_that_never_comes)},
      {"different_collectives", launch_on<32>(different_collectives)},
      {"different_masks", launch_on<32>(different_masks)},
      {"mask_without_caller", launch_on<32>(mask_without_caller)},
      {"half_warps", launch_on<32>(half_warps)},
      {"read_of_absent_lane", launch_on<48>(read_of_absent_lane)},
      {"exception", launch_on<64>(exception)},
      {"order", launch_on<64>(order)},
      {"order_of_blocks", launch_on<1>(order_of_blocks)},
      {"many_barriers", launch_on<96>(many_barriers)},
      {"too_many_threads", launch_on<1056>(many_barriers)},
  };
}

}  // namespace planted
