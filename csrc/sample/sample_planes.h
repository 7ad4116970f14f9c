// Gradients to images on the CPU: tasks of whole planes, summed in the coordinates' dtype.
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "common/tensor.h"

namespace stn {

// f(task, grad) for each task; grad are the task's planes x pixels sums of type T, zeroed before and stored as I after.
template <class T, class I, class F>
void for_each_plane_gradient(I* grad_image, int64_t tasks, int64_t planes, int64_t pixels, const F& f) {
  const int64_t size = planes * pixels;
  torch::stable::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      I* out = grad_image + task * size;
      if constexpr (std::is_same_v<T, I>) {
        std::fill(out, out + size, T(0));
        f(task, out);
      } else {
        std::vector<T> sums(static_cast<size_t>(size), T(0));
        f(task, sums.data());
        std::transform(sums.begin(), sums.end(), out, [](T value) { return static_cast<I>(value); });
      }
    }
  });
}

}  // namespace stn
