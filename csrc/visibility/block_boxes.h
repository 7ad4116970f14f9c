// Boxes around 16 successive vertices, around 8 such boxes and so on: they let a triangle pass by a long run of
// vertices that are neighbours on the screen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "visibility/candidates.h"
#include "visibility/shadow.h"

namespace stn {

template <class T>
struct BlockBox {
  T x0, x1, y0, y1, lowest;

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
  explicit BlockBoxes(const std::vector<Candidate<T>>& sorted) {
    const auto count = static_cast<int32_t>(sorted.size());
    for (int level = 0; level < kBlockLevels && block_size(level) <= count; ++level) {
      const auto blocks = static_cast<size_t>(count / block_size(level));
      boxes_.push_back(level == 0 ? bound<16>(sorted, blocks) : bound<8>(boxes_.back(), blocks));
    }
  }

  const std::vector<std::vector<BlockBox<T>>>& levels() const {
    return boxes_;
  }

 private:
  template <int Fanout, class Member>
  static std::vector<BlockBox<T>> bound(const std::vector<Member>& members, size_t blocks) {
    std::vector<BlockBox<T>> boxes;
    boxes.reserve(blocks);
    for (size_t i = 0; i < blocks; ++i) {
      const Member* first = members.data() + Fanout * i;
      BlockBox<T> box(*first);
      for (int j = 1; j < Fanout; ++j) {
        box.add(BlockBox<T>(first[j]));
      }
      boxes.push_back(box);
    }
    return boxes;
  }

  std::vector<std::vector<BlockBox<T>>> boxes_;
};

}  // namespace stn
