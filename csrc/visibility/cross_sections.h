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
      : x_{a.x, b.x, c.x}, y_{a.y, b.y, c.y}, low_(vertical.low), per_pixel_(vertical.per_pixel), last_row_(rows - 1) {
    const double width = max3(x_[0], x_[1], x_[2]) - min3(x_[0], x_[1], x_[2]);
    margin_ = kRounding * width;
    exact_ = width < DBL_MAX / 4 && per_pixel_ > 0;
    for (int i = 0; i < 3; ++i) {
      const double height = abs_of(y_[(i + 1) % 3] - y_[i]);
      exact_ = exact_ && height < DBL_MAX / 4 && (height == 0 || height * width >= kLeast);
    }
  }

  // Within `box`, the columns that the triangle's box touches.
  STN_HD ColumnRange columns(int32_t row, ScreenAxis<T> horizontal, int32_t columns, ColumnRange box) const {
    if (!exact_) {
      return box;
    }
    // Rounding may take a vertex beyond the row by a small part of its distance from the first one.
    const double slack = kRounding * (row + 2.0);
    const double top = row == 0 ? -DBL_MAX : low_ + (row - slack) / per_pixel_;
    const double bottom = row == last_row_ ? DBL_MAX : low_ + (row + 1 + slack) / per_pixel_;
    double left = DBL_MAX, right = -DBL_MAX;
    for (int i = 0; i < 3; ++i) {
      add_edge(i, (i + 1) % 3, top, bottom, left, right);
    }
    if (left > right) {
      return {0, -1};
    }
    const int32_t first = screen_cell(horizontal, columns, static_cast<T>(left - margin_));
    const int32_t last = screen_cell(horizontal, columns, static_cast<T>(right + margin_));
    return {first > box.first ? first : box.first, last < box.last ? last : box.last};
  }

 private:
  static constexpr double kEpsilon = sizeof(T) == sizeof(float) ? FLT_EPSILON : DBL_EPSILON;
  // Where an edge function passes for 0 or for the other sign, the point lies within 8 epsilons of the triangle's width
  // beside the edge, measured along x, unless a product underflows: height * width is then below the least normal
  // number.
  static constexpr double kRounding = 32 * kEpsilon;
  static constexpr double kLeast = sizeof(T) == sizeof(float) ? FLT_MIN : DBL_MIN;

  static STN_HD double abs_of(double value) {
    return value < 0 ? -value : value;
  }

  // Widens left and right by what of the edge lies between top and bottom.
  STN_HD void add_edge(int i, int j, double top, double bottom, double& left, double& right) const {
    const bool down = y_[i] <= y_[j];
    const double x0 = down ? x_[i] : x_[j], y0 = down ? y_[i] : y_[j];
    const double x1 = down ? x_[j] : x_[i], y1 = down ? y_[j] : y_[i];
    if (y1 < top || y0 > bottom) {
      return;
    }
    const double slope = y1 > y0 ? (x1 - x0) / (y1 - y0) : 0;
    const double upper = y0 >= top ? x0 : x0 + (top - y0) * slope;
    const double lower = y1 <= bottom ? x1 : x0 + (bottom - y0) * slope;
    left = upper < left ? upper : left;
    left = lower < left ? lower : left;
    right = upper > right ? upper : right;
    right = lower > right ? lower : right;
  }

  double x_[3], y_[3];
  double low_, per_pixel_, margin_;
  int32_t last_row_;
  bool exact_;
};

}  // namespace stn
