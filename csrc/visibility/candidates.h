// Vertices that face the viewer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/buffer.h"

namespace stn {

// `depth` is what a triangle must exceed to concern it: its own for hard visibility, its deepest occluder's so far for
// soft.
template <class T>
struct Candidate {
  T x, y, depth;
  int32_t vertex;
};

// Many of them, one array a coordinate, with numbers after the last one that a search may read.
template <class T>
struct Candidates {
  static constexpr int32_t kPadding = 16;

  Buffer<T> x, y, depth;
  Buffer<int32_t> vertex;
  size_t count = 0;

  explicit Candidates(int64_t most)
      : x(static_cast<size_t>(most + kPadding)), y(x.size()), depth(x.size()), vertex(x.size()) {
  }

  void set(size_t place, const Candidate<T>& c) {
    x[place] = c.x;
    y[place] = c.y;
    depth[place] = c.depth;
    vertex[place] = c.vertex;
  }

  Candidate<T> at(size_t place) const {
    return {x[place], y[place], depth[place], vertex[place]};
  }
};

}  // namespace stn
