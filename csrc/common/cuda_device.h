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
      : index_(common_index(what, tensors)), guard_(index_) {
  }

  CudaStream stream() const {
    void* stream = nullptr;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(index_, &stream));
    return static_cast<CudaStream>(stream);
  }

 private:
  // Before the guard, which has no words for the index -1 of a CPU tensor.
  static torch::stable::accelerator::DeviceIndex common_index(
      const char* what, std::initializer_list<const Tensor*> tensors) {
    const Tensor& first = **tensors.begin();
    for (const Tensor* tensor : tensors) {
      STD_TORCH_CHECK(tensor->device() == first.device(), what, ": all tensors must be on one device");
    }
    return first.get_device_index();
  }

  torch::stable::accelerator::DeviceIndex index_;
  torch::stable::accelerator::DeviceGuard guard_;
};

}  // namespace stn
