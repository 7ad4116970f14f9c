// Vertices sorted into the cells of the screen, row after row, so that a box of cells is one run per row, with boxes
// around parts of the runs for screens that are filled unevenly.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "visibility/block_boxes.h"
#include "visibility/candidates.h"
#include "visibility/screen_axis.h"
#include "visibility/shadow.h"

namespace stn {

// Rows of cells, the last one included.
struct CellRowRange {
  int32_t first, last;
};

// Candidates first <= place < last of the order, and the rows that have them.
struct BinPart {
  int32_t first, last;
  CellRowRange rows;
};

// What a search in the order needs.
template <class T>
struct SortedVertices {
  const T *x, *y;
  T* depth;
  const int32_t *vertex, *starts;  // starts: of each cell and of its successor
  int32_t columns;
  int levels;
  const BlockBox<T>* boxes[kBlockLevels];
};

// The order in memory: by cell, cells row after row; within a crowded cell by repeated halving of the longer side, so
// that neighbours in memory are neighbours on the screen however unevenly it is filled.
template <class T>
class VertexBins {
 public:
  // At least one vertex.
  explicit VertexBins(Candidates<T>&& facing) : order_(std::move(facing)), cells_(place_cells(order_)), boxes_(sort()) {
  }

  int64_t size() const {
    return static_cast<int64_t>(order_.count);
  }

  const ScreenCells<T>& cells() const {
    return cells_;
  }

  SortedVertices<T> sorted() {
    SortedVertices<T> vertices = {};
    vertices.x = order_.x.data();
    vertices.y = order_.y.data();
    vertices.depth = order_.depth.data();
    vertices.vertex = order_.vertex.data();
    vertices.starts = starts_.data();
    vertices.columns = cells_.columns;
    vertices.levels = static_cast<int>(boxes_.levels().size());
    for (int level = 0; level < vertices.levels; ++level) {
      vertices.boxes[level] = boxes_.levels()[static_cast<size_t>(level)].data();
    }
    return vertices;
  }

  // Part `i` of `parts`, about equally many candidates each.
  BinPart part(int64_t i, int64_t parts) const {
    const auto first = static_cast<int32_t>(size() * i / parts), last = static_cast<int32_t>(size() * (i + 1) / parts);
    return {first, last, {row_of_place(first), row_of_place(last - 1)}};
  }

 private:
  static constexpr int32_t kCrowd = 64;

  // Returns the boxes, for which the coordinates of each candidate are needed together.
  BlockBoxes<T> sort() {
    const size_t count = order_.count;
    std::vector<int32_t> cell_of(count);
    // At first each cell's count stands two places further on, then its first place one further on, which moves to the
    // next cell's while the candidates are put there.
    starts_.assign(static_cast<size_t>(cells_.columns) * static_cast<size_t>(cells_.rows) + 2, 0);
    for (size_t n = 0; n < count; ++n) {
      cell_of[n] = cells_.of(order_.x[n], order_.y[n]);
      ++starts_[static_cast<size_t>(cell_of[n]) + 2];
    }
    int32_t fullest = 0;
    for (size_t i = 2; i < starts_.size(); ++i) {
      fullest = std::max(fullest, starts_[i]);
      starts_[i] += starts_[i - 1];
    }
    std::vector<Candidate<T>> sorted(count);
    for (size_t n = 0; n < count; ++n) {
      sorted[static_cast<size_t>(starts_[static_cast<size_t>(cell_of[n]) + 1]++)] = order_.at(n);
    }
    if (fullest > kCrowd) {
      order_crowded_cells(sorted);
    }
    for (size_t n = 0; n < count; ++n) {
      order_.set(n, sorted[n]);
    }
    return BlockBoxes<T>(sorted);
  }

  void order_crowded_cells(std::vector<Candidate<T>>& sorted) const {
    for (size_t i = 1; i < starts_.size(); ++i) {
      if (starts_[i] - starts_[i - 1] > kCrowd) {
        order_by_place(sorted.data(), starts_[i - 1], starts_[i]);
      }
    }
  }

  // Halves of a run are split again until they are blocks. The splits are where blocks begin, of the largest kind that
  // fits twice, so that a block at any level lies within one half.
  static void order_by_place(Candidate<T>* sorted, int32_t begin, int32_t end) {
    while (end - begin > block_size(0)) {
      BlockBox<T> box(sorted[begin]);
      for (int32_t i = begin + 1; i < end; ++i) {
        box.add(BlockBox<T>(sorted[i]));
      }
      if (!(box.x1 > box.x0) && !(box.y1 > box.y0)) {
        return;
      }
      const int32_t middle = split(begin, end);
      T Candidate<T>::* axis = box.x1 - box.x0 > box.y1 - box.y0 ? &Candidate<T>::x : &Candidate<T>::y;
      std::nth_element(
          sorted + begin, sorted + middle, sorted + end,
          [axis](const Candidate<T>& a, const Candidate<T>& b) { return a.*axis < b.*axis; });
      order_by_place(sorted, begin, middle);
      begin = middle;
    }
  }

  static int32_t split(int32_t begin, int32_t end) {
    int level = 0;
    while (level < kBlockLevels - 1 && block_size(level + 1) <= (end - begin) / 2) {
      ++level;
    }
    const int32_t middle = begin + (end - begin) / 2, aligned = middle - middle % block_size(level);
    return aligned > begin ? aligned : aligned + block_size(level);
  }

  int32_t row_of_place(int32_t place) const {
    const auto after = std::upper_bound(starts_.begin(), starts_.end() - 1, place);
    return static_cast<int32_t>((after - starts_.begin() - 1) / cells_.columns);
  }

  // About one candidate a cell. Candidates beyond the box lie in its outermost cells. Cells are higher than wide: a
  // triangle then touches fewer rows, and a longer run in each costs less than another run.
  static ScreenCells<T> place_cells(const Candidates<T>& facing) {
    T left, right, top, bottom;
    bound_axis(facing.x.data(), facing.count, left, right);
    bound_axis(facing.y.data(), facing.count, top, bottom);
    const double width = screen_extent(left, right), height = screen_extent(top, bottom);
    const double count = static_cast<double>(facing.count);
    const double side = std::sqrt(std::max(width * height, 1e-30) / count);
    const int32_t columns = cells_along(width, side / 2, count), rows = cells_along(height, side * 2, count);
    return {{left, cells_per_pixel<T>(columns, width)}, {top, cells_per_pixel<T>(rows, height)}, columns, rows};
  }

  static void bound_axis(const T* values, size_t count, T& low, T& high) {
    T least = values[0], most = values[0];
#pragma omp simd reduction(min : least) reduction(max : most)
    for (size_t n = 0; n < count; ++n) {
      least = values[n] < least ? values[n] : least;
      most = values[n] > most ? values[n] : most;
    }
    low = least;
    high = most;
    std::vector<T> sample;
    sample.reserve(512);
    for (size_t n = 0; n < count; n += count / 512 + 1) {
      sample.push_back(values[n]);
    }
    const auto ends = static_cast<std::ptrdiff_t>(sample.size() / 20);
    const auto first = sample.begin() + ends, last = sample.end() - 1 - ends;
    std::nth_element(sample.begin(), first, sample.end());
    const T early = *first;
    std::nth_element(first, last, sample.end());
    clip_to_middle(early, *last, low, high);
  }

  static int32_t cells_along(double length, double side, double count) {
    const double most = std::min(count, 16777216.0);  // whole numbers that float can say
    return static_cast<int32_t>(std::min(std::max(std::ceil(length / side), 1.0), most));
  }

  Candidates<T> order_;
  ScreenCells<T> cells_;
  std::vector<int32_t> starts_;  // (rows * columns + 2)
  BlockBoxes<T> boxes_;
};

}  // namespace stn
