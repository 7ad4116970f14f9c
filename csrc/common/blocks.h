// How kernels cut their work into blocks: any of them by ceil_divide, the CPU's into tasks of these sizes.
#pragma once

#include <cstdint>
#include <type_traits>

namespace stn {

// Vertices a block: its positions are 3 kB in float32, so a group of images' worth stays in the first-level cache.
constexpr int64_t kVertexBlock = 256;
// Images that share one reading of a block of the basis.
constexpr int64_t kImageGroup = 8;

inline int64_t ceil_divide(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace stn
