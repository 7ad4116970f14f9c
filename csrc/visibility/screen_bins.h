// How kernels find a vertex's cell and walk the candidates of a box of cells (for .cu files).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "common/block_sum.h"
#include "common/vectors.h"
#include "visibility/visibility_cuda.h"

namespace stn {

// One image's bins.
template <class T>
struct ImageBins {
  ScreenAxis<T> horizontal, vertical;
  int32_t side;
  int32_t* starts;          // (side, side + 1)
  ScreenVertex<T>* sorted;  // (N)

  __device__ __forceinline__ ImageBins(const ScreenBins<T>& bins, int64_t b, int64_t N)
      : horizontal(bins.axes[2 * b]), vertical(bins.axes[2 * b + 1]), side(bins.side),
        starts(bins.starts + b * bins.side * (static_cast<int64_t>(bins.side) + 1)), sorted(bins.sorted + b * N) {
  }

  // Where a cell stands in `starts`. N is less than 2^31, and side (side + 1) less than 2^32.
  __device__ __forceinline__ uint32_t place(int32_t row, int32_t column) const {
    return static_cast<uint32_t>(row) * (static_cast<uint32_t>(side) + 1) + static_cast<uint32_t>(column);
  }

  __device__ __forceinline__ uint32_t place(Vec3<T> point) const {
    return place(screen_cell(vertical, side, point.y), screen_cell(horizontal, side, point.x));
  }
};

// What bounds an occluder on the screen, edges included, and its nearest depth.
template <class T>
struct ScreenBox {
  T x0, x1, y0, y1, nearest;
};

// Holds every vertex in the box, and perhaps one beside it, in three comparisons: as rounding keeps order, a distance
// from any centre is rounded to no more than an end's is. A vertex nearer than `nearest` is none of its concern.
template <class T>
struct Shadow {
  T x, y, across, along, nearest;

  __device__ __forceinline__ Shadow(const ScreenBox<T>& box, T nearest_that_counts)
      : x(box.x0 + T(0.5) * (box.x1 - box.x0)), y(box.y0 + T(0.5) * (box.y1 - box.y0)),
        across(max(box.x1 - x, x - box.x0)), along(max(box.y1 - y, y - box.y0)), nearest(nearest_that_counts) {
  }

  __device__ __forceinline__ bool holds(const ScreenVertex<T>& p) const {
    // Without branches: nearly every vertex is turned away, by no test in particular.
    return (p.depth <= nearest) & (fabs(p.x - x) <= across) & (fabs(p.y - y) <= along);
  }
};

// Rows from `row` on, in each of them columns from `column` on.
struct CellBox {
  int32_t row, column, rows, columns;
};

// The cells that a box touches.
template <class T>
__device__ __forceinline__ CellBox cells_of(const ImageBins<T>& bins, const ScreenBox<T>& box) {
  const int32_t column = screen_cell(bins.horizontal, bins.side, box.x0);
  const int32_t row = screen_cell(bins.vertical, bins.side, box.y0);
  return {
      row, column, screen_cell(bins.vertical, bins.side, box.y1) + 1 - row,
      screen_cell(bins.horizontal, bins.side, box.x1) + 1 - column};
}

// Threads that walk a box together, and this one's number among them.
struct Team {
  int size, member;  // a power of 2
};

// The candidates in a box of cells, row by row: each once for one member of the team. Members lie along a row as far as
// the box is wide, so that they read neighbours, and the rest take other rows.
class BoxWalk {
 public:
  // Rows of more than `most` candidates end the walk.
  template <class T>
  __device__ __forceinline__ BoxWalk(const ImageBins<T>& bins, CellBox box, Team team, int32_t most)
      : most_(most), columns_(box.columns) {
    while (across_ < team.size && across_ < kWarp && across_ < box.columns) {
      across_ *= 2;
    }
    down_ = team.size / across_;
    ahead_ = team.member % across_;
    const int32_t skipped = team.member / across_;
    rows_ = box.rows - skipped;
    stride_ = static_cast<uint32_t>(down_) * (static_cast<uint32_t>(bins.side) + 1);
    row_ = bins.starts + bins.place(box.row + skipped, box.column);
  }

  // The next candidate's place in `sorted`; false after the last, or if a row was too long.
  __device__ __forceinline__ bool next(int32_t& place) {
    while (place_ >= end_) {
      if (rows_ <= 0 || !enter_row()) {
        return false;
      }
    }
    place = place_;
    place_ += across_;
    return true;
  }

  __device__ __forceinline__ bool crowded() const {
    return crowded_;
  }

 private:
  __device__ __forceinline__ bool enter_row() {
    place_ = row_[0] + ahead_;
    end_ = row_[columns_];
    rows_ -= down_;
    row_ += stride_;
    if (end_ - place_ > most_) {
      // For good: a thread that waits for others' candidates asks again.
      crowded_ = true;
      end_ = place_;
      rows_ = 0;
    }
    return !crowded_;
  }

  const int32_t* row_;
  int32_t most_, columns_, rows_, across_ = 1, down_, ahead_, place_ = 0, end_ = 0;
  uint32_t stride_;
  bool crowded_ = false;
};

}  // namespace stn
