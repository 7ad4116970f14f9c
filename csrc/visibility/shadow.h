// What a triangle may hide: the vertices in its box on the screen that do not lie nearer than all of it.
#pragma once

#include <cstdint>

#include "common/vectors.h"
#include "visibility/cross_sections.h"
#include "visibility/screen_axis.h"
#include "visibility/visibility_math.h"

namespace stn {

template <class T>
struct FourLanes {
  typedef T type __attribute__((vector_size(4 * sizeof(T))));
};

template <class T>
using Four = typename FourLanes<T>::type;

template <class T>
struct Shadow {
  Four<T> low, high;    // x, y and depth of the triangle's box, the tolerance taken off the larger depth
  Four<int32_t> cells;  // first column, first row, last column, last row
  Face face;
  T area;
  int64_t index;  // of the face
};

// The cells that the screen is divided into.
template <class T>
struct ScreenCells {
  ScreenAxis<T> horizontal, vertical;
  int32_t columns, rows;

  int32_t of(T x, T y) const {
    return screen_cell(vertical, rows, y) * columns + screen_cell(horizontal, columns, x);
  }
};

template <class T>
struct Screen {
  const T* points;  // (N, 3)
  ScreenCells<T> cells;

  STN_HD Vec3<T> corner(int32_t vertex) const {
    const T* p = points + 3 * static_cast<int64_t>(vertex);
    return {p[0], p[1], p[2]};
  }
};

template <class T>
class ShadowCaster {
 public:
  ShadowCaster(const T* points, T tolerance, const ScreenCells<T>& cells)
      : points_(points), tolerance_{0, 0, tolerance, 0},
        first_{cells.horizontal.low, cells.vertical.low, cells.horizontal.low, cells.vertical.low},
        per_pixel_{
            cells.horizontal.per_pixel, cells.vertical.per_pixel, cells.horizontal.per_pixel, cells.vertical.per_pixel},
        last_{T(cells.columns - 1), T(cells.rows - 1), T(cells.columns - 1), T(cells.rows - 1)} {
  }

  // Of a face whose area is not 0, so that its corners are finite.
  __attribute__((always_inline)) void cast(Face face, int64_t index, T area, Shadow<T>& shadow) const {
    Four<T> a, b, c;
    load(face.i, a), load(face.j, b), load(face.k, c);
    const Four<T> least = a < b ? a : b, most = a > b ? a : b;
    const Four<T> low = least < c ? least : c, high = most > c ? most : c;
    // screen_cell, four at a time.
    const Four<T> none = {}, ends = {low[0], low[1], high[0], high[1]}, place = (ends - first_) * per_pixel_;
    const Four<T> inside = place > none ? place : none;
    shadow.low = low;
    shadow.high = high - tolerance_;
    shadow.cells = __builtin_convertvector(inside < last_ ? inside : last_, Four<int32_t>);
    shadow.face = face;
    shadow.area = area;
    shadow.index = index;
  }

 private:
  // Not by value, which would depend on the instruction set where four do not fit a register.
  __attribute__((always_inline)) void load(int32_t vertex, Four<T>& corner) const {
    const T* p = points_ + 3 * static_cast<int64_t>(vertex);
    corner = Four<T>{p[0], p[1], p[2], 0};
  }

  const T* points_;  // (N, 3)
  Four<T> tolerance_, first_, per_pixel_, last_;
};

}  // namespace stn
