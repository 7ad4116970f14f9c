// Where an operator's launches go: the device of its tensors, and that device's current stream (host code only).
#pragma once

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>

#include "common/cuda_stream.h"
#include "common/tensor.h"

namespace stn {

// Makes the first tensor's device the current one for as long as this lives. The dispatcher lets one CUDA tensor
// among CPU tensors through, whose pointers no kernel may follow, so all the tensors must be on that device.
class OnDevice {
 public:
  OnDevice(const char* what, std::initializer_list<const Tensor*> tensors)
      : index_((*tensors.begin())->get_device_index()), guard_(index_) {
    for (const Tensor* tensor : tensors) {
      STD_TORCH_CHECK(tensor->device() == (*tensors.begin())->device(), what, ": all tensors must be on one device");
    }
  }

  CudaStream stream() const {
    void* stream = nullptr;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(index_, &stream));
    return static_cast<CudaStream>(stream);
  }

 private:
  torch::stable::accelerator::DeviceIndex index_;
  torch::stable::accelerator::DeviceGuard guard_;
};

}  // namespace stn
