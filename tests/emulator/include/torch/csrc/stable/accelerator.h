// PyTorch's header, but its guard, which throws where there is no accelerator, takes CPU tensors and does nothing.
#pragma once

#include_next <torch/csrc/stable/accelerator.h>

namespace torch::stable::accelerator {

class EmulatedDeviceGuard {
 public:
  explicit EmulatedDeviceGuard(DeviceIndex) {
  }
};

}  // namespace torch::stable::accelerator

#define DeviceGuard EmulatedDeviceGuard
