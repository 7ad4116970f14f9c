// The facts that need the CUDA runtime; none of them needs a GPU.
#include "common/cuda_build.h"

#include <cuda_runtime.h>

namespace stn {

CudaBuild cuda_build() {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess) {
    cudaGetLastError();
    driver = 0;
  }
  return {STN_CUDA_ARCHITECTURES, CUDART_VERSION, driver};
}

}  // namespace stn
