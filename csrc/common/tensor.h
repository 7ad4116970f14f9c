// The few things that the CPU launchers need of PyTorch's stable ABI.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include <cstdint>
#include <initializer_list>
#include <optional>

#include "common/allocation.h"

namespace stn {

// The Python functions check arguments and explain; this only guards memory against direct calls of the operators.
inline void require(bool holds, const char* what) {
  STD_TORCH_CHECK(holds, what);
}

inline void require_shape(const Tensor& tensor, std::initializer_list<int64_t> shape, const char* what) {
  bool equal = tensor.dim() == static_cast<int64_t>(shape.size());
  int64_t d = 0;
  for (int64_t size : shape) {
    equal = equal && tensor.size(d++) == size;
  }
  STD_TORCH_CHECK(equal, what);
}

inline void require_dtype_of(const Tensor& like, std::initializer_list<const Tensor*> tensors, const char* what) {
  for (const Tensor* tensor : tensors) {
    STD_TORCH_CHECK(tensor->scalar_type() == like.scalar_type(), what);
  }
}

// P Q = N, without multiplying what may overflow.
inline void require_grid(int64_t P, int64_t Q, int64_t N, const char* what) {
  const bool empty = P == 0 || Q == 0;
  STD_TORCH_CHECK(P >= 0 && Q >= 0 && (empty ? N == 0 : (N % P == 0 && N / P == Q)), what);
}

inline Tensor as_contiguous(const Tensor& tensor) {
  if (tensor.is_contiguous()) {
    return tensor;
  }
  const auto copy = [&] { return torch::stable::contiguous(tensor); };
  return allocated(tensor.is_cuda(), tensor.sizes(), tensor.scalar_type(), copy);
}

// Uninitialised, on the device of `like`.
inline Tensor uninitialised(const Tensor& like, std::initializer_list<int64_t> shape, ScalarType type) {
  const IntHeaderOnlyArrayRef sizes(shape.begin(), shape.size());
  return allocated(like.is_cuda(), sizes, type, [&] { return torch::stable::new_empty(like, sizes, type); });
}

// And in the dtype of `like`.
inline Tensor uninitialised(const Tensor& like, std::initializer_list<int64_t> shape) {
  return uninitialised(like, shape, like.scalar_type());
}

template <class T>
const T* pointer(const Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

template <class T>
T* mutable_pointer(const Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

// Calls f(float) or f(double) by the tensor's dtype.
template <class F>
void dispatch_floating(const Tensor& tensor, const char* what, F&& f) {
  switch (tensor.scalar_type()) {
    case ScalarType::Float:
      return f(float());
    case ScalarType::Double:
      return f(double());
    default:
      STD_TORCH_CHECK(false, what, ": the dtype must be float32 or float64");
  }
}

// Calls f(T(), I()): coordinates in T, images in I; half images go with float32 coordinates.
template <class F>
void dispatch_image(const Tensor& image, const Tensor& coordinates, const char* what, F&& f) {
  const ScalarType type = image.scalar_type();
  if (coordinates.scalar_type() == ScalarType::Double) {
    STD_TORCH_CHECK(type == ScalarType::Double, what, ": a float64 call takes a float64 image");
    return f(double(), double());
  }
  STD_TORCH_CHECK(coordinates.scalar_type() == ScalarType::Float, what, ": coordinates must be float32 or float64");
  switch (type) {
    case ScalarType::Float:
      return f(float(), float());
    case ScalarType::Half:
      return f(float(), torch::headeronly::Half());
    case ScalarType::BFloat16:
      return f(float(), torch::headeronly::BFloat16());
    default:
      STD_TORCH_CHECK(false, what, ": a float32 call takes a float32, float16 or bfloat16 image");
  }
}

}  // namespace stn
