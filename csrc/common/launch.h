// Launches of kernels: the one place that starts them and looks whether they started (for .cu files).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <utility>

#include "common/blocks.h"
#include "common/cuda_stream.h"

namespace stn {

// Throws std::runtime_error, with the remedy where there is one (launch.cu).
void require_success(cudaError_t status, const char* what);
// Throws if a launch cannot have so many blocks.
void require_blocks(int64_t blocks, const char* what);

constexpr int kThreads = 256;  // a block, unless a kernel says otherwise

// kernel(arguments...) with `blocks` blocks of Threads threads; nothing is launched for 0 blocks. Shared memory is
// static. `what` is the operator's name, for errors.
template <int Threads = kThreads, class... Parameters, class... Arguments>
void launch(
    const char* what, CudaStream stream, int64_t blocks, void (*kernel)(Parameters...), Arguments&&... arguments) {
  if (blocks == 0) {
    return;
  }
  require_blocks(blocks, what);
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(Threads);
  config.stream = stream;
  require_success(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...), what);
}

// One thread for each of `count` elements; the kernel looks whether thread_index() < count.
template <class... Parameters, class... Arguments>
void launch_each(
    const char* what, CudaStream stream, int64_t count, void (*kernel)(Parameters...), Arguments&&... arguments) {
  launch(what, stream, ceil_divide(count, kThreads), kernel, std::forward<Arguments>(arguments)...);
}

// This thread's index in a launch of one thread for each element.
__device__ __forceinline__ int64_t thread_index() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// Sets `bytes` bytes to zero, in the stream's order.
inline void fill_zero(const char* what, CudaStream stream, void* memory, int64_t bytes) {
  if (bytes > 0) {
    require_success(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), stream), what);
  }
}

}  // namespace stn
