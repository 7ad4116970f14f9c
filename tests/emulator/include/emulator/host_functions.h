// What host code calls of the CUDA runtime: launches, errors, and a few questions about the device.
#pragma once

#include <cstddef>
#include <functional>
#include <tuple>
#include <utility>

#include "emulator/vector_types.h"

struct CUstream_st;
using cudaStream_t = CUstream_st*;

// With the runtime's own numbers.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInitializationError = 3,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorInvalidDeviceFunction = 98,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorUnsupportedPtxVersion = 222,
  cudaErrorSymbolNotFound = 500,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchOutOfResources = 701,
  cudaErrorLaunchFailure = 719,
  cudaErrorUnknown = 999,
};

enum cudaDeviceAttr {
  cudaDevAttrMaxThreadsPerBlock = 1,
  cudaDevAttrMaxSharedMemoryPerBlock = 8,
  cudaDevAttrWarpSize = 10,
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrL2CacheSize = 38,
  cudaDevAttrMaxThreadsPerMultiProcessor = 39,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
};

struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  size_t dynamicSmemBytes;  // must be 0: shared arrays are static
  cudaStream_t stream;
  void* attrs;  // none
  unsigned numAttrs;
};

const char* cudaGetErrorString(cudaError_t status);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream = nullptr);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);

namespace emulator {

// Calls `body` once for each thread of the launch. Throws std::runtime_error for what a kernel does wrong.
cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, const std::function<void()>& body);

// Whether kernels are compiled for AddressSanitizer.
extern bool kernels_have_red_zones;
#ifdef __SANITIZE_ADDRESS__
[[maybe_unused]] static const bool red_zones_noted = kernels_have_red_zones = true;
#endif

}  // namespace emulator

// Returns when the kernel has run: whether a stream's order is right cannot show here.
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(
    const cudaLaunchConfig_t* config, void (*kernel)(Parameters...), Arguments&&... arguments) {
  const std::tuple<Parameters...> parameters(std::forward<Arguments>(arguments)...);
  return emulator::launch(
      *config, reinterpret_cast<const void*>(kernel), [&parameters, kernel] { std::apply(kernel, parameters); });
}
