// What a user reads when PyTorch cannot make a tensor.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <cstdint>
#include <iomanip>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

// The reason of the last failure in this thread. PyTorch has it from 2.13 on; weak, so that the library loads without.
extern "C" __attribute__((weak, visibility("default"))) const char* torch_exception_get_what_without_backtrace();

namespace stn {

using torch::headeronly::IntHeaderOnlyArrayRef;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// Empty where PyTorch keeps its reasons to itself: its stable interface before 2.13 passes on only that a call failed.
inline std::string reason_of_pytorch() {
  const char* reason = nullptr;
  if (torch_exception_get_what_without_backtrace != nullptr) {
    reason = torch_exception_get_what_without_backtrace();
  }
  return reason == nullptr ? "" : reason;
}

inline int64_t bytes_of(ScalarType type) {
  switch (type) {
    case ScalarType::Double:
    case ScalarType::Long:
      return 8;
    case ScalarType::Float:
    case ScalarType::Int:
      return 4;
    case ScalarType::Half:
    case ScalarType::BFloat16:
      return 2;
    default:
      return 1;
  }
}

// "3.2 GiB for (64, 3, 224, 224)", in double, because sizes that nobody can allocate may overflow.
inline std::string described_memory(IntHeaderOnlyArrayRef shape, ScalarType type) {
  std::ostringstream text, sizes;
  double amount = static_cast<double>(bytes_of(type));
  for (size_t d = 0; d < shape.size(); ++d) {
    amount *= static_cast<double>(shape[d]);
    sizes << (d == 0 ? "" : ", ") << shape[d];
  }
  const char* const units[] = {"bytes", "KiB", "MiB", "GiB"};
  int unit = 0;
  for (; unit < 3 && amount >= 1024; ++unit) {
    amount /= 1024;
  }
  text << std::fixed << std::setprecision(unit == 0 ? 0 : 1) << amount << " " << units[unit] << " for (" << sizes.str()
       << (shape.size() == 1 ? ",)" : ")");
  return text.str();
}

// Callers that retry with less look for the words "out of memory", and on CUDA for "CUDA out of memory". PyTorch before
// 2.13 gives no reason, and then memory is the likely one.
inline std::string why_not_allocated(bool cuda, IntHeaderOnlyArrayRef shape, ScalarType type) {
  const std::string reason = reason_of_pytorch();
  bool memory = reason.empty();
  for (const char* words : {"out of memory", "allocate memory", "not enough memory"}) {
    memory = memory || reason.find(words) != std::string::npos;
  }
  std::string text = "stn3dmm_cuda: ";
  if (memory) {
    text += cuda ? "CUDA out of memory: " : "out of memory: ";
  }
  text += "cannot allocate " + described_memory(shape, type) + ".";
  if (memory) {
    text += " Split the batch, or take smaller images or a smaller grid.";
  }
  return reason.empty() ? text : text + " PyTorch reports: " + reason;
}

// make(), a tensor of this shape and dtype.
template <class F>
Tensor allocated(bool cuda, IntHeaderOnlyArrayRef shape, ScalarType type, const F& make) {
  try {
    return make();
  } catch (const std::runtime_error&) {
    throw std::runtime_error(why_not_allocated(cuda, shape, type));
  }
}

// make(), a tensor that an operator of PyTorch's computes.
template <class F>
Tensor computed_by_pytorch(const char* what, const F& make) {
  try {
    return make();
  } catch (const std::runtime_error&) {
    const std::string reason = reason_of_pytorch();
    throw std::runtime_error(
        std::string(what) + ": an operator of PyTorch's that it uses failed" +
        (reason.empty() ? ", perhaps out of memory; PyTorch 2.13 and later tell the reason." : ": " + reason));
  }
}

}  // namespace stn
