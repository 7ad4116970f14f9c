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
#include "visibility/mesh_cpu.h"
#include "visibility/screen_axis.h"
#include "visibility/shadow.h"

namespace stn {

// What a search in the order needs.
template <class T>
struct SortedVertices {
  const T *x, *y, *depth;
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
  VertexBins(Candidates<T>&& facing, int64_t parts)
      : order_(std::move(facing)), cells_(place_cells(order_)), boxes_(sort(parts)) {
  }

  int64_t size() const {
    return static_cast<int64_t>(order_.count);
  }

  const ScreenCells<T>& cells() const {
    return cells_;
  }

  int64_t vertex(int64_t place) const {
    return order_.vertex[static_cast<size_t>(place)];
  }

  // A copy, in the order and with padding.
  Buffer<T> depths() const {
    return {order_.depth.begin(), order_.depth.begin() + size() + Candidates<T>::kPadding};
  }

  // With the depths that a search goes by.
  SortedVertices<T> sorted(const Buffer<T>& depths) const {
    SortedVertices<T> vertices = {};
    vertices.x = order_.x.data();
    vertices.y = order_.y.data();
    vertices.depth = depths.data();
    vertices.vertex = order_.vertex.data();
    vertices.starts = starts_.data();
    vertices.columns = cells_.columns;
    vertices.levels = static_cast<int>(boxes_.levels().size());
    for (int level = 0; level < vertices.levels; ++level) {
      vertices.boxes[level] = boxes_.levels()[static_cast<size_t>(level)].data();
    }
    return vertices;
  }

 private:
  static constexpr int32_t kCrowd = 64;

  // Returns the boxes, for which the coordinates of each candidate are needed together. In parts, the cells are shared
  // out.
  BlockBoxes<T> sort(int64_t parts) {
    const int64_t cells = static_cast<int64_t>(cells_.columns) * cells_.rows;
    const Buffer<int32_t> cell_of = cells_of_candidates(parts);
    Buffer<Candidate<T>> sorted(order_.count);
    starts_.assign(static_cast<size_t>(cells + 1), 0);
    for_each_part(cells, parts, [&](int64_t, int64_t first, int64_t last) {
      fill_cells(cell_of, static_cast<int32_t>(first), static_cast<int32_t>(last), sorted.data());
    });
    for_each_part(cells, parts, [&](int64_t, int64_t first, int64_t last) {
      order_crowded_cells(sorted.data(), first, last);
      const auto begin = static_cast<size_t>(starts_[static_cast<size_t>(first)]);
      const auto end = static_cast<size_t>(starts_[static_cast<size_t>(last)]);
      for (size_t place = begin; place < end; ++place) {
        order_.set(place, sorted[place]);
      }
    });
    return BlockBoxes<T>(sorted, parts);
  }

  Buffer<int32_t> cells_of_candidates(int64_t parts) const {
    Buffer<int32_t> cell_of(order_.count);
    for_each_part(size(), parts, [&](int64_t, int64_t first, int64_t last) {
      for (auto n = static_cast<size_t>(first); n < static_cast<size_t>(last); ++n) {
        cell_of[n] = cells_.of(order_.x[n], order_.y[n]);
      }
    });
    return cell_of;
  }

  // For the cells first <= cell < last alone. Each one's end is at first its count, then its first place, which moves
  // to the next cell's while the candidates are put there.
  void fill_cells(const Buffer<int32_t>& cell_of, int32_t first, int32_t last, Candidate<T>* sorted) {
    int32_t* ends = starts_.data() + 1;
    int32_t place = 0;
    for (const int32_t cell : cell_of) {
      place += cell < first;
      if (cell >= first && cell < last) {
        ++ends[cell];
      }
    }
    for (int32_t cell = first; cell < last; ++cell) {
      place += std::exchange(ends[cell], place);
    }
    for (size_t n = 0; n < cell_of.size(); ++n) {
      if (cell_of[n] >= first && cell_of[n] < last) {
        sorted[ends[cell_of[n]]++] = order_.at(n);
      }
    }
  }

  void order_crowded_cells(Candidate<T>* sorted, int64_t first, int64_t last) const {
    for (auto cell = static_cast<size_t>(first); cell < static_cast<size_t>(last); ++cell) {
      if (starts_[cell + 1] - starts_[cell] > kCrowd) {
        order_by_place(sorted, starts_[cell], starts_[cell + 1]);
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
  std::vector<int32_t> starts_;  // (rows * columns + 1)
  BlockBoxes<T> boxes_;
};

}  // namespace stn
