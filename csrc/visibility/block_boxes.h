// Boxes around 16 successive vertices, around 8 such boxes and so on: they let a triangle pass by a long run of
// vertices that are neighbours on the screen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "visibility/candidates.h"
#include "visibility/mesh_cpu.h"
#include "visibility/shadow.h"

namespace stn {

template <class T>
struct BlockBox {
  T x0, x1, y0, y1, lowest;

  BlockBox() = default;

  explicit BlockBox(const Candidate<T>& c) : x0(c.x), x1(c.x), y0(c.y), y1(c.y), lowest(c.depth) {
  }

  void add(const BlockBox& other) {
    x0 = std::min(x0, other.x0), x1 = std::max(x1, other.x1);
    y0 = std::min(y0, other.y0), y1 = std::max(y1, other.y1);
    lowest = std::min(lowest, other.lowest);
  }

  STN_HD bool touches(const Shadow<T>& shadow) const {
    return (lowest <= shadow.high[2]) & (x1 >= shadow.low[0]) & (x0 <= shadow.high[0]) & (y1 >= shadow.low[1]) &
           (y0 <= shadow.high[1]);
  }
};

constexpr int kBlockLevels = 9;

// Vertices in a block of this level.
STN_HD constexpr int32_t block_size(int level) {
  return int32_t{16} << (3 * level);
}

// Of each level the whole blocks.
template <class T>
class BlockBoxes {
 public:
  BlockBoxes(const Buffer<Candidate<T>>& sorted, int64_t parts) {
    const auto count = static_cast<int32_t>(sorted.size());
    for (int level = 0; level < kBlockLevels && block_size(level) <= count; ++level) {
      const auto blocks = static_cast<size_t>(count / block_size(level));
      boxes_.push_back(level == 0 ? bound<16>(sorted, blocks, parts) : bound<8>(boxes_.back(), blocks, 1));
    }
  }

  const std::vector<Buffer<BlockBox<T>>>& levels() const {
    return boxes_;
  }

 private:
  template <int Fanout, class Members>
  static Buffer<BlockBox<T>> bound(const Members& members, size_t blocks, int64_t parts) {
    Buffer<BlockBox<T>> boxes(blocks);
    for_each_part(static_cast<int64_t>(blocks), parts, [&](int64_t, int64_t first, int64_t last) {
      for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
        BlockBox<T> box(members[Fanout * i]);
        for (size_t j = 1; j < Fanout; ++j) {
          box.add(BlockBox<T>(members[Fanout * i + j]));
        }
        boxes[i] = box;
      }
    });
    return boxes;
  }

  std::vector<Buffer<BlockBox<T>>> boxes_;
};

}  // namespace stn
