// Races, each before its corrected twin.
#include <cstring>

#include "planted/launch_on.h"

namespace planted {
namespace {

__global__ void missing_barrier(float* data) {
  __shared__ float values[64];
  values[threadIdx.x] = data[threadIdx.x];
  data[threadIdx.x] = values[63 - threadIdx.x];
}

__global__ void with_barrier(float* data) {
  __shared__ float values[64];
  values[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = values[63 - threadIdx.x];
}

// The second round's write may come before another thread's read of the first.
__global__ void write_after_read(float* data) {
  __shared__ float values[64];
  for (int round = 0; round < 2; ++round) {
    values[threadIdx.x] = data[threadIdx.x];
    __syncthreads();
    data[threadIdx.x] = values[63 - threadIdx.x];
  }
}

__global__ void write_after_read_with_barrier(float* data) {
  __shared__ float values[64];
  for (int round = 0; round < 2; ++round) {
    values[threadIdx.x] = data[threadIdx.x];
    __syncthreads();
    data[threadIdx.x] = values[63 - threadIdx.x];
    __syncthreads();
  }
}

__global__ void plain_sum_in_block(float* data) {
  __shared__ float sum;
  if (threadIdx.x == 0) {
    sum = 0;
  }
  __syncthreads();
  sum += data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = sum;
}

__global__ void atomic_sum_in_block(float* data) {
  __shared__ float sum;
  if (threadIdx.x == 0) {
    sum = 0;
  }
  __syncthreads();
  atomicAdd(&sum, data[threadIdx.x]);
  __syncthreads();
  data[threadIdx.x] = sum;
}

__global__ void plain_sum_across_blocks(float* data) {
  data[0] += 1;
}

__global__ void atomic_sum_across_blocks(float* data) {
  atomicAdd(&data[0], 1.0f);
}

// An atomic sum is no excuse for a plain read of it in the same launch.
__global__ void plain_read_of_atomic_sum(float* data) {
  atomicAdd(&data[0], 1.0f);
  data[1 + blockIdx.x] = data[0];
}

__global__ void same_value_by_all(float* data) {
  data[0] = 1;
}

__global__ void same_value_by_exchange(float* data) {
  atomicExch(&data[0], 1.0f);
}

__global__ void neighbours_in_warp(float* data) {
  __shared__ float values[32];
  values[threadIdx.x] = data[threadIdx.x];
  data[threadIdx.x] = values[threadIdx.x ^ 1];
}

__global__ void neighbours_after_syncwarp(float* data) {
  __shared__ float values[32];
  values[threadIdx.x] = data[threadIdx.x];
  __syncwarp();
  data[threadIdx.x] = values[threadIdx.x ^ 1];
}

// A shuffle makes lanes wait but orders no memory.
__global__ void neighbours_after_shuffle(float* data) {
  __shared__ float values[32];
  values[threadIdx.x] = data[threadIdx.x];
  const float sum = __shfl_xor_sync(0xffffffffu, data[threadIdx.x], 1);
  data[threadIdx.x] = values[threadIdx.x ^ 1] + 0 * sum;
}

// __syncwarp orders nothing between two warps.
__global__ void warps_after_syncwarp(float* data) {
  __shared__ float values[64];
  values[threadIdx.x] = data[threadIdx.x];
  __syncwarp();
  data[threadIdx.x] = values[threadIdx.x ^ 32];
}

__global__ void bytes_apart(unsigned char* data) {
  data[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);
}

// Four bytes at once, and the last of them by a neighbour.
__global__ void bytes_overlap(unsigned char* data) {
  if (threadIdx.x == 0) {
    *reinterpret_cast<int*>(data) = 1;
  } else {
    data[2 + threadIdx.x] = 2;
  }
}

struct Row {
  float values[24];
};

// Written by thread 0 and read by the others as a whole.
__global__ void struct_copy(Row* data) {
  if (threadIdx.x == 0) {
    data[0] = data[1];
  } else {
    data[1 + threadIdx.x] = data[0];
  }
}

__global__ void bytes_copied(unsigned char* data) {
  std::memcpy(data + 64 * threadIdx.x, data, 64 + data[0]);
}

// Runs a program on the first 64 bytes of `data`, after which it stands: in each of 6 rounds, one access by each of the
// launch's 2 x 64 threads (a byte each for the kind and the address), then one of none, __syncwarp and __syncthreads.
enum Step : unsigned char { nothing, read_word, write_word, add_to_word, read_byte, write_byte };

__global__ void program(unsigned char* data) {
  constexpr int kRounds = 6, kThreadsInAll = 128;
  const unsigned char* steps = data + 64;
  const unsigned char* ends = steps + 2 * kRounds * kThreadsInAll;
  volatile unsigned char* bytes = data;
  volatile int* words = reinterpret_cast<int*>(data);
  for (int round = 0; round < kRounds; ++round) {
    const unsigned char* step = steps + 2 * (round * kThreadsInAll + stn::thread_index());
    switch (step[0]) {
      case read_word:
        words[step[1] / 4];
        break;
      case write_word:
        words[step[1] / 4] = 1;
        break;
      case add_to_word:
        atomicAdd(reinterpret_cast<int*>(data) + step[1] / 4, 1);
        break;
      case read_byte:
        bytes[step[1]];
        break;
      case write_byte:
        bytes[step[1]] = 1;
        break;
      default:
        break;
    }
    if (ends[round] == 1) {
      __syncwarp();
    } else if (ends[round] == 2) {
      __syncthreads();
    }
  }
}

}  // namespace

Launches races() {
  return {
      {"missing_barrier", launch_on<64>(missing_barrier)},
      {"with_barrier", launch_on<64>(with_barrier)},
      {"write_after_read", launch_on<64>(write_after_read)},
      {"write_after_read_with_barrier", launch_on<64>(write_after_read_with_barrier)},
      {"plain_sum_in_block", launch_on<64>(plain_sum_in_block)},
      {"atomic_sum_in_block", launch_on<64>(atomic_sum_in_block)},
      {"plain_sum_across_blocks", launch_on<1>(plain_sum_across_blocks)},
      {"atomic_sum_across_blocks", launch_on<1>(atomic_sum_across_blocks)},
      {"plain_read_of_atomic_sum", launch_on<1>(plain_read_of_atomic_sum)},
      {"same_value_by_all", launch_on<2>(same_value_by_all)},
      {"same_value_by_exchange", launch_on<2>(same_value_by_exchange)},
      {"neighbours_in_warp", launch_on<32>(neighbours_in_warp)},
      {"neighbours_after_syncwarp", launch_on<32>(neighbours_after_syncwarp)},
      {"neighbours_after_shuffle", launch_on<32>(neighbours_after_shuffle)},
      {"warps_after_syncwarp", launch_on<64>(warps_after_syncwarp)},
      {"bytes_apart", launch_on<32>(bytes_apart)},
      {"bytes_overlap", launch_on<2>(bytes_overlap)},
      {"struct_copy", launch_on<2>(struct_copy)},
      {"bytes_copied", launch_on<2>(bytes_copied)},
      {"program", launch_on<64>(program)},
  };
}

}  // namespace planted
