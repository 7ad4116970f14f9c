// What a user reads when a launch fails.
#include "common/launch.h"

#include <limits>
#include <stdexcept>
#include <string>

namespace stn {
namespace {

// What to do about the failures that are the installation's, and where to look for the others; ends the sentence.
std::string remedy(cudaError_t status) {
  switch (status) {
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorSymbolNotFound:
      return ". This build's kernels (" STN_CUDA_ARCHITECTURES
             ") do not run on this GPU. Rebuild with STN3DMM_CUDA_ARCHITECTURES set to its compute capability without "
             "the point, as in 86; `stn3dmm doctor` tells which it is.";
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorInsufficientDriver:
      return ". The NVIDIA driver is older than the CUDA toolkit that this library was built with. Update the driver; "
             "`stn3dmm doctor` tells both versions.";
    case cudaErrorNoDevice:
      return ". No GPU is visible to this process. Look at CUDA_VISIBLE_DEVICES and at nvidia-smi.";
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
      return " (perhaps of an earlier kernel: run again with CUDA_LAUNCH_BLOCKING=1).";
    default:
      return ".";
  }
}

}  // namespace

void require_success(cudaError_t status, const char* what) {
  if (status != cudaSuccess) {
    cudaGetLastError();  // an error that stays would be blamed on whoever asks next
    std::string reason = cudaGetErrorString(status);
    if (!reason.empty() && reason.back() == '.') {  // some end so, most do not
      reason.pop_back();
    }
    throw std::runtime_error(std::string(what) + ": CUDA reports: " + reason + remedy(status));
  }
}

void require_blocks(int64_t blocks, const char* what) {
  if (blocks > std::numeric_limits<int32_t>::max()) {
    throw std::runtime_error(
        std::string(what) + ": needs " + std::to_string(blocks) +
        " blocks of threads, more than one launch can have. "
        "Split the batch; a single image needs a smaller image, grid or mesh.");
  }
}

}  // namespace stn
