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

// What bounds an occluder on the screen, edges included. A vertex nearer than `nearest` is none of its concern; at
// first that is the occluder's nearest depth.
template <class T>
struct ScreenBox {
  T x0, x1, y0, y1, nearest;

  // Without branches: nearly every vertex is turned away, by no test in particular.
  __device__ __forceinline__ bool holds(const ScreenVertex<T>& p) const {
    return (p.depth <= nearest) & (p.x >= x0) & (p.x <= x1) & (p.y >= y0) & (p.y <= y1);
  }

  __device__ __forceinline__ bool touches(const CrowdBox<T>& some) const {
    return (some.lowest <= nearest) & (some.x1 >= x0) & (some.x0 <= x1) & (some.y1 >= y0) & (some.y0 <= y1);
  }
};

// Holds every vertex that the box holds, and perhaps one beside it, in three comparisons: as rounding keeps order, a
// distance from any centre is rounded to no more than an end's is.
template <class T>
struct Shadow {
  T x, y, across, along, nearest;

  explicit __device__ __forceinline__ Shadow(const ScreenBox<T>& box)
      : x(box.x0 + T(0.5) * (box.x1 - box.x0)), y(box.y0 + T(0.5) * (box.y1 - box.y0)),
        across(max(box.x1 - x, x - box.x0)), along(max(box.y1 - y, y - box.y0)), nearest(box.nearest) {
  }

  __device__ __forceinline__ bool holds(const ScreenVertex<T>& p) const {
    return (p.depth <= nearest) & (fabs(p.x - x) <= across) & (fabs(p.y - y) <= along);
  }
};

// Candidates that lie one behind the other in `sorted`.
struct Run {
  int32_t begin, count;
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

// One thread's walk past the candidates in a box of cells, row by row, up to a row of more than `most`.
class RowWalk {
 public:
  template <class T>
  __device__ __forceinline__ RowWalk(const ImageBins<T>& bins, CellBox box, int32_t most)
      : row_(bins.starts + bins.place(box.row, box.column)), stride_(static_cast<uint32_t>(bins.side) + 1), most_(most),
        columns_(box.columns), rows_(box.rows) {
  }

  // The next candidate's place in `sorted`; false after the last, or if a row was too long.
  __device__ __forceinline__ bool next(int32_t& place) {
    while (place_ == end_) {
      if (rows_ <= 0 || !enter_row()) {
        return false;
      }
    }
    place = place_++;
    return true;
  }

  __device__ __forceinline__ bool crowded() const {
    return crowded_;
  }

 private:
  __device__ __forceinline__ bool enter_row() {
    place_ = row_[0];
    end_ = row_[columns_];
    --rows_;
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
  uint32_t stride_;
  int32_t most_, columns_, rows_, place_ = 0, end_ = 0;
  bool crowded_ = false;
};

}  // namespace stn
