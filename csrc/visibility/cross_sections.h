// The columns of screen cells that a triangle touches in a row of them, on CPU and CUDA alike: a long slanted triangle
// touches few of the cells that its box does. Like the cells, it decides how many vertices are looked at, never what
// is found: no vertex is left out that covers() of visibility_math.h may call covered.
#pragma once

#include <cfloat>
#include <cstdint>

#include "common/vectors.h"
#include "visibility/screen_axis.h"
#include "visibility/visibility_math.h"

namespace stn {

// Columns of cells, the last one included; none if last < first.
struct ColumnRange {
  int32_t first, last;
};

template <class T>
class CrossSections {
 public:
  // Of the triangle with these corners, all finite, on a screen of rows of cells.
  STN_HD CrossSections(Vec3<T> a, Vec3<T> b, Vec3<T> c, ScreenAxis<T> vertical, int32_t rows)
      : left_(min3(a.x, b.x, c.x)), x_{a.x - left_, b.x - left_, c.x - left_}, y_{a.y, b.y, c.y}, vertical_(vertical),
        last_row_(rows - 1) {
    const T width = max3(x_[0], x_[1], x_[2]);
    margin_ = kRounding * width;
    exact_ = width < kMost && margin_ >= kLeast && vertical.per_pixel * kMost > rows;
    for (int i = 0; i < 3; ++i) {
      const T difference = y_[(i + 1) % 3] - y_[i], height = difference < 0 ? -difference : difference;
      exact_ = exact_ && height < kMost && (height == 0 || height * width >= kLeast);
    }
  }

  // Within `box`, the columns that the triangle's box touches.
  STN_HD ColumnRange columns(int32_t row, ScreenAxis<T> horizontal, int32_t columns, ColumnRange box) const {
    if (!exact_) {
      return box;
    }
    // Rounding may take a vertex beyond the row by a small part of its distance from the first one.
    const T slack = kRounding * static_cast<T>(row + 2);
    const T top = row == 0 ? -4 * kMost : vertical_.low + (row - slack) / vertical_.per_pixel;
    const T bottom = row == last_row_ ? 4 * kMost : vertical_.low + (row + 1 + slack) / vertical_.per_pixel;
    T left = 4 * kMost, right = -left;
    for (int i = 0; i < 3; ++i) {
      add_edge(i, (i + 1) % 3, top, bottom, left, right);
    }
    if (left > right) {
      return {0, -1};
    }
    const int32_t first = screen_cell(horizontal, columns, left_ + (left - margin_));
    const int32_t last = screen_cell(horizontal, columns, left_ + (right + margin_));
    return {first > box.first ? first : box.first, last < box.last ? last : box.last};
  }

 private:
  static constexpr bool kSingle = sizeof(T) == sizeof(float);
  static constexpr T kMost = kSingle ? FLT_MAX / 4 : DBL_MAX / 4, kLeast = kSingle ? FLT_MIN : DBL_MIN;
  // Where an edge function passes for 0 or for the other sign, the point lies within 8 epsilons of the triangle's width
  // beside the edge, measured along x, unless a product underflows: height * width is then below the least normal
  // number. Here as much again is lost. What is added last, the screen's or the triangle's first coordinate, takes no
  // margin, however large: as rounding keeps order, a sum that is no more than a vertex's coordinate is not rounded to
  // more.
  static constexpr T kRounding = 32 * (kSingle ? FLT_EPSILON : DBL_EPSILON);

  // Widens left and right by what of the edge lies between top and bottom.
  STN_HD void add_edge(int i, int j, T top, T bottom, T& left, T& right) const {
    const bool down = y_[i] <= y_[j];
    const T x0 = down ? x_[i] : x_[j], y0 = down ? y_[i] : y_[j];
    const T x1 = down ? x_[j] : x_[i], y1 = down ? y_[j] : y_[i];
    if (y1 < top || y0 > bottom) {
      return;
    }
    const T upper = y0 >= top ? x0 : x0 + (top - y0) / (y1 - y0) * (x1 - x0);
    const T lower = y1 <= bottom ? x1 : x0 + (bottom - y0) / (y1 - y0) * (x1 - x0);
    left = upper < left ? upper : left;
    left = lower < left ? lower : left;
    right = upper > right ? upper : right;
    right = lower > right ? lower : right;
  }

  T left_, x_[3], y_[3], margin_;  // x from left_ on
  ScreenAxis<T> vertical_;
  int32_t last_row_;
  bool exact_;
};

}  // namespace stn
