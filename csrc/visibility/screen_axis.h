// One axis of the grid of screen cells that vertices are sorted into, on CPU and CUDA alike. Which cell a vertex falls
// into decides how many triangles look at it, never what they find.
#pragma once

#include <cfloat>
#include <cstdint>

#include "common/vectors.h"

namespace stn {

template <class T>
struct ScreenAxis {
  T low, per_pixel;  // where cell 0 begins, in pixels; cells a pixel, 0 if all is one cell
};

// The cell of a coordinate. Monotone, and clamped before the conversion, so that a vertex inside a box lies in a cell
// of the box, and one beyond the axis in its outermost cell.
template <class T>
STN_HD int32_t screen_cell(ScreenAxis<T> axis, int32_t cells, T x) {
  const T place = (x - axis.low) * axis.per_pixel, last = static_cast<T>(cells - 1);
  return place > T(0) ? static_cast<int32_t>(place < last ? place : last) : 0;
}

// Takes low and high, the smallest and the largest coordinate, to at most three times the span from `first` to `last`,
// the middle 90 % of a sample: a few vertices far away must not crowd all the others into one cell.
template <class T>
STN_HD void clip_to_middle(T first, T last, T& low, T& high) {
  const T margin = last - first;
  if (margin > T(0)) {
    low = first - margin > low ? first - margin : low;
    high = last + margin < high ? last + margin : high;
  }
}

template <class T>
STN_HD double screen_extent(T low, T high) {
  const double extent = static_cast<double>(high) - static_cast<double>(low);
  return extent < DBL_MAX ? extent : DBL_MAX;
}

// 0 for an extent too small to divide by.
template <class T>
STN_HD T cells_per_pixel(int32_t cells, double extent) {
  const T quotient = static_cast<T>(cells / extent);
  return is_finite(quotient) ? quotient : T(0);
}

}  // namespace stn
