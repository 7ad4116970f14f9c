// How a block shares out what is too much for one of its threads (for .cu files): each thread does what little it has
// alone, hands in what is more, and after a barrier a warp or the whole block takes each of those.
#pragma once

#include <cuda_runtime.h>

#include "common/block_sum.h"
#include "common/launch.h"

namespace stn {

// Threads that work on one thing together, and this one's number among them.
struct Team {
  int size, member;
};

// What the threads of a block have handed in, by numbers that mean something to them; lives in shared memory.
struct HandedIn {
  int count;
  int32_t items[kThreads];
  bool whole[kThreads];  // for the whole block, not a warp

  // To be called by all threads, once and first. With a barrier.
  __device__ __forceinline__ void clear() {
    if (threadIdx.x == 0) {
      count = 0;
    }
    __syncthreads();
  }

  // At most once a thread.
  __device__ __forceinline__ void add(int32_t item, bool for_whole_block) {
    const int place = atomicAdd(&count, 1);
    items[place] = item;
    whole[place] = for_whole_block;
  }

  // f(item, team) for whatever was handed in, by all threads of the team; to be called by all threads of the block.
  template <class F>
  __device__ __forceinline__ void take_together(const F& f) const {
    __syncthreads();
    const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
    for (int i = 0; i < count; ++i) {
      if (whole[i] || i % (kThreads / kWarp) == warp) {
        f(items[i], whole[i] ? Team{kThreads, static_cast<int>(threadIdx.x)} : Team{kWarp, lane});
      }
    }
  }
};

// A team member's places in a box of so many columns: row by row the team takes its next places side by side.
struct BoxSteps {
  int row, column;

  __device__ __forceinline__ BoxSteps(int columns, Team team)
      : row(team.member < columns ? 0 : team.member / columns),
        column(team.member < columns ? team.member : team.member % columns), columns_(columns),
        down_(team.size < columns ? 0 : team.size / columns),
        across_(team.size < columns ? team.size : team.size % columns) {
  }

  __device__ __forceinline__ void next() {
    row += down_;
    column += across_;
    if (column >= columns_) {
      column -= columns_;
      ++row;
    }
  }

 private:
  int columns_, down_, across_;
};

}  // namespace stn
