// Vertices sorted into the cells of a screen grid, row after row, so that a box of cells is one run per row, with boxes
// around parts of the runs for screens that are filled unevenly.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "visibility/screen_axis.h"
#include "visibility/visibility_math.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace stn {

// A vertex that faces the viewer. `depth` is what a triangle must exceed to concern it: its own for hard visibility,
// its deepest occluder's so far for soft.
template <class T>
struct Candidate {
  T x, y, depth;
  int32_t vertex;
};

// What bounds a triangle on the screen, and the depth that a vertex must lie behind to concern it.
template <class T>
struct ScreenBox {
  T x0, x1, y0, y1, nearest;
};

template <class T>
struct Shadow {
  ScreenBox<T> box;

  explicit Shadow(const ScreenBox<T>& box_in) : box(box_in) {
  }

  bool holds(const Candidate<T>& c) const {
    return (c.depth <= box.nearest) & (c.x >= box.x0) & (c.x <= box.x1) & (c.y >= box.y0) & (c.y <= box.y1);
  }
};

#ifdef __SSE2__
// The same with one load and two comparisons; the fourth lane, a vertex index, is a small number and passes both.
template <>
struct alignas(16) Shadow<float> {
  float low[4], high[4];

  explicit Shadow(const ScreenBox<float>& box)
      : low{box.x0, box.y0, -HUGE_VALF, -HUGE_VALF}, high{box.x1, box.y1, box.nearest, HUGE_VALF} {
  }

  bool holds(const Candidate<float>& c) const {
    const __m128 lanes = _mm_loadu_ps(&c.x);
    const __m128 inside = _mm_and_ps(_mm_cmpge_ps(lanes, _mm_load_ps(low)), _mm_cmple_ps(lanes, _mm_load_ps(high)));
    return _mm_movemask_ps(inside) == 15;
  }
};
#endif

// The candidates' order in memory: by cell, cells row after row; within a crowded cell by repeated halving of the
// longer side, so that neighbours in memory are neighbours on the screen however unevenly it is filled. Boxes around 16
// successive candidates, around 8 such boxes and so on let a triangle pass by a long run of them.
template <class T>
class VertexBins {
 public:
  // Rows of cells, the last one included.
  struct Rows {
    int32_t first, last;
  };

  // Candidates first <= position < last of the order, and the rows that have them.
  struct Part {
    int32_t first, last;
    Rows rows;
  };

  explicit VertexBins(const std::vector<Candidate<T>>& candidates) : sorted_(candidates.size()) {
    place_grid(candidates);
    std::vector<int32_t> cell_of(candidates.size());
    starts_.assign(static_cast<size_t>(columns_) * static_cast<size_t>(rows_) + 1, 0);
    for (size_t n = 0; n < candidates.size(); ++n) {
      cell_of[n] = row(candidates[n].y) * columns_ + column(candidates[n].x);
      ++starts_[static_cast<size_t>(cell_of[n]) + 1];
    }
    int32_t fullest = 0;
    for (size_t i = 1; i < starts_.size(); ++i) {
      fullest = std::max(fullest, starts_[i]);
      starts_[i] += starts_[i - 1];
    }
    std::vector<int32_t> next(starts_.begin(), starts_.end() - 1);
    for (size_t n = 0; n < candidates.size(); ++n) {
      sorted_[static_cast<size_t>(next[static_cast<size_t>(cell_of[n])]++)] = candidates[n];
    }
    for (size_t i = 1; i < starts_.size() && fullest > kCrowd; ++i) {
      if (starts_[i] - starts_[i - 1] > kCrowd) {
        order_by_place(starts_[i - 1], starts_[i]);
      }
    }
    bound_blocks();
  }

  // Part `i` of `parts`, about equally many candidates each.
  Part part(int64_t i, int64_t parts) const {
    const auto count = static_cast<int64_t>(sorted_.size());
    const auto first = static_cast<int32_t>(count * i / parts), last = static_cast<int32_t>(count * (i + 1) / parts);
    return {first, last, {row_of_position(first), row_of_position(last - 1)}};
  }

  // Those that a box from y0 to y1 touches.
  Rows rows(T y0, T y1) const {
    return {row(y0), row(y1)};
  }

  const std::vector<Candidate<T>>& candidates() const {
    return sorted_;
  }

  // Calls f(candidate) for every candidate of the part in the triangle's shadow that is no corner of its face.
  template <class F>
  void for_each_in_shadow(const Part& part, Face face, const ScreenBox<T>& box, const F& f) {
    const int32_t last_row = std::min(row(box.y1), part.rows.last);
    int32_t r = std::max(row(box.y0), part.rows.first);
    if (r > last_row) {
      return;
    }
    const Shadow<T> shadow(box);
    const Part own = part;
    const int32_t first = column(box.x0), last = column(box.x1);
    const int32_t* start = starts_.data() + static_cast<int64_t>(r) * columns_ + first;
    for (; r <= last_row; ++r, start += columns_) {
      const int32_t begin = start[0] > own.first ? start[0] : own.first;
      const int32_t after = start[last + 1 - first], end = after < own.last ? after : own.last;
      if (end - begin <= kCrowd) {
        visit(shadow, face, begin, end, f);
      } else {
        visit_long(shadow, box, face, begin, end, f);
      }
    }
  }

 private:
  static constexpr int32_t kCrowd = 64;  // candidates that are looked at one by one
  static constexpr int32_t kBlockBits = 4, kFanoutBits = 3;

  struct BlockBox {
    T x0, x1, y0, y1, lowest;

    bool touches(const ScreenBox<T>& box) const {
      return (lowest <= box.nearest) & (x1 >= box.x0) & (x0 <= box.x1) & (y1 >= box.y0) & (y0 <= box.y1);
    }

    void add(const BlockBox& other) {
      x0 = std::min(x0, other.x0), x1 = std::max(x1, other.x1);
      y0 = std::min(y0, other.y0), y1 = std::max(y1, other.y1);
      lowest = std::min(lowest, other.lowest);
    }
  };

  static BlockBox box_of(const Candidate<T>& c) {
    return {c.x, c.x, c.y, c.y, c.depth};
  }

  static constexpr int32_t block_size(size_t level) {
    return int32_t{1} << (kBlockBits + kFanoutBits * static_cast<int32_t>(level));
  }

  template <class F>
  void visit(const Shadow<T>& shadow, Face face, int32_t begin, int32_t end, const F& f) {
    Candidate<T>* last = sorted_.data() + end;
    for (Candidate<T>* c = sorted_.data() + begin; c < last; ++c) {
      // One branch, hardly ever taken: the face's own corners lie in its shadow without a pattern to predict.
      if (shadow.holds(*c) & (c->vertex != face.i) & (c->vertex != face.j) & (c->vertex != face.k)) {
        f(*c);
      }
    }
  }

  // Apart from the loop over ordinary rows, whose registers it would take. From block to block: into the boxes that the
  // triangle touches, past the others.
  template <class F>
  __attribute__((noinline)) void visit_long(
      const Shadow<T>& shadow, const ScreenBox<T>& box, Face face, int32_t begin, int32_t end, const F& f) {
    while (begin < end) {
      const int32_t after = std::min((begin | (block_size(0) - 1)) + 1, end);
      size_t level = 0;  // how many of the blocks that begin here end in time
      while (level < boxes_.size() && begin % block_size(level) == 0 && block_size(level) <= end - begin) {
        ++level;
      }
      while (level > 0 && block_at(level - 1, begin).touches(box)) {
        --level;
      }
      if (level == 0) {
        visit(shadow, face, begin, after, f);
      }
      begin = level == 0 ? after : begin + block_size(level - 1);
    }
  }

  const BlockBox& block_at(size_t level, int32_t position) const {
    return boxes_[level][static_cast<size_t>(position / block_size(level))];
  }

  void bound_blocks() {
    const auto count = static_cast<int32_t>(sorted_.size());
    for (size_t level = 0; level < 9 && block_size(level) <= count; ++level) {
      const int32_t blocks = count / block_size(level);
      boxes_.emplace_back();
      boxes_.back().reserve(static_cast<size_t>(blocks));
      for (int32_t i = 0; i < blocks; ++i) {
        boxes_.back().push_back(level == 0 ? bound_candidates(i) : bound_boxes(boxes_[level - 1], i));
      }
    }
  }

  BlockBox bound_candidates(int32_t block) const {
    const Candidate<T>* first = sorted_.data() + static_cast<int64_t>(block) * block_size(0);
    BlockBox box = box_of(*first);
    for (int32_t i = 1; i < block_size(0); ++i) {
      box.add(box_of(first[i]));
    }
    return box;
  }

  static BlockBox bound_boxes(const std::vector<BlockBox>& below, int32_t block) {
    const BlockBox* first = below.data() + (static_cast<int64_t>(block) << kFanoutBits);
    BlockBox box = *first;
    for (int32_t i = 1; i < 1 << kFanoutBits; ++i) {
      box.add(first[i]);
    }
    return box;
  }

  // Halves of a run are split again until they are blocks. The splits are where blocks begin, of the largest kind that
  // fits twice, so that a block at any level lies within one half.
  void order_by_place(int32_t begin, int32_t end) {
    while (end - begin > block_size(0)) {
      BlockBox box = box_of(sorted_[static_cast<size_t>(begin)]);
      for (int32_t i = begin + 1; i < end; ++i) {
        box.add(box_of(sorted_[static_cast<size_t>(i)]));
      }
      if (!(box.x1 > box.x0) && !(box.y1 > box.y0)) {
        return;
      }
      const int32_t middle = split(begin, end);
      T Candidate<T>::* axis = box.x1 - box.x0 > box.y1 - box.y0 ? &Candidate<T>::x : &Candidate<T>::y;
      std::nth_element(
          sorted_.begin() + begin, sorted_.begin() + middle, sorted_.begin() + end,
          [axis](const Candidate<T>& a, const Candidate<T>& b) { return a.*axis < b.*axis; });
      order_by_place(begin, middle);
      begin = middle;
    }
  }

  static int32_t split(int32_t begin, int32_t end) {
    size_t level = 0;
    while (level < 8 && block_size(level + 1) <= (end - begin) / 2) {
      ++level;
    }
    const int32_t middle = begin + (end - begin) / 2, aligned = middle - middle % block_size(level);
    return aligned > begin ? aligned : aligned + block_size(level);
  }

  int32_t row_of_position(int32_t position) const {
    const auto after = std::upper_bound(starts_.begin(), starts_.end(), position);
    return static_cast<int32_t>((after - starts_.begin() - 1) / columns_);
  }

  // About one candidate a cell, cells square on the screen. Candidates beyond the box lie in its outermost cells.
  void place_grid(const std::vector<Candidate<T>>& candidates) {
    T left, right, top, bottom;
    bound_axis(candidates, &Candidate<T>::x, left, right);
    bound_axis(candidates, &Candidate<T>::y, top, bottom);
    const double width = screen_extent(left, right), height = screen_extent(top, bottom);
    const double count = static_cast<double>(candidates.size());
    const double side = std::sqrt(std::max(width * height, 1e-30) / count);
    columns_ = cells_along(width, side, count);
    rows_ = cells_along(height, side, count);
    horizontal_ = {left, cells_per_pixel<T>(columns_, width)};
    vertical_ = {top, cells_per_pixel<T>(rows_, height)};
  }

  static void bound_axis(const std::vector<Candidate<T>>& candidates, T Candidate<T>::* axis, T& low, T& high) {
    std::vector<T> sample;
    const size_t step = candidates.size() / 512 + 1;
    low = high = candidates[0].*axis;
    for (size_t n = 0; n < candidates.size(); ++n) {
      low = std::min(low, candidates[n].*axis);
      high = std::max(high, candidates[n].*axis);
      if (n % step == 0) {
        sample.push_back(candidates[n].*axis);
      }
    }
    std::sort(sample.begin(), sample.end());
    clip_to_middle(sample[sample.size() / 20], sample[sample.size() - 1 - sample.size() / 20], low, high);
  }

  static int32_t cells_along(double length, double side, double count) {
    return static_cast<int32_t>(std::min(std::max(std::ceil(length / side), 1.0), std::max(count, 1.0)));
  }

  int32_t column(T x) const {
    return screen_cell(horizontal_, columns_, x);
  }

  int32_t row(T y) const {
    return screen_cell(vertical_, rows_, y);
  }

  ScreenAxis<T> horizontal_, vertical_;
  int32_t columns_, rows_;
  std::vector<int32_t> starts_;               // (rows * columns + 1)
  std::vector<Candidate<T>> sorted_;          // by cell
  std::vector<std::vector<BlockBox>> boxes_;  // of each level the whole blocks
};

}  // namespace stn
