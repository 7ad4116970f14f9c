// The error that the CUDA runtime keeps for cudaGetLastError.
#pragma once

#include <cuda_runtime.h>

namespace emulator {

// Returns it, too.
cudaError_t keep_error(cudaError_t status);

}  // namespace emulator
