// Vertices sorted into the cells of a screen grid, row after row, so that a box of cells is one run per row.
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

// A vertex that may turn out to be hidden.
template <class T>
struct Candidate {
  T x, y, depth;
  int32_t vertex;
};

// A triangle's bounding box on the screen, and the depth that a vertex must lie behind to be hidden by any of it.
template <class T>
struct Shadow {
  T x0, x1, y0, y1, nearest;

  bool holds(const Candidate<T>& c) const {
    return (c.depth <= nearest) & (c.x >= x0) & (c.x <= x1) & (c.y >= y0) & (c.y <= y1);
  }
};

#ifdef __SSE2__
// The same with one load and two comparisons; the fourth lane, a vertex index, is a small number and passes both.
template <>
struct alignas(16) Shadow<float> {
  float low[4], high[4];

  Shadow(float x0, float x1, float y0, float y1, float nearest)
      : low{x0, y0, -HUGE_VALF, -HUGE_VALF}, high{x1, y1, nearest, HUGE_VALF} {
  }

  bool holds(const Candidate<float>& c) const {
    const __m128 lanes = _mm_loadu_ps(&c.x);
    const __m128 inside = _mm_and_ps(_mm_cmpge_ps(lanes, _mm_load_ps(low)), _mm_cmple_ps(lanes, _mm_load_ps(high)));
    return _mm_movemask_ps(inside) == 15;
  }
};
#endif

template <class T>
class VertexBins {
 public:
  explicit VertexBins(const std::vector<Candidate<T>>& candidates) : sorted_(candidates.size()) {
    place_grid(candidates);
    std::vector<int32_t> cell_of(candidates.size());
    starts_.assign(static_cast<size_t>(columns_ * rows_ + 1), 0);
    for (size_t n = 0; n < candidates.size(); ++n) {
      cell_of[n] = row(candidates[n].y) * columns_ + column(candidates[n].x);
      ++starts_[static_cast<size_t>(cell_of[n]) + 1];
    }
    for (size_t i = 1; i < starts_.size(); ++i) {
      starts_[i] += starts_[i - 1];
    }
    std::vector<int32_t> next(starts_.begin(), starts_.end() - 1);
    for (size_t n = 0; n < candidates.size(); ++n) {
      sorted_[static_cast<size_t>(next[static_cast<size_t>(cell_of[n])]++)] = candidates[n];
    }
  }

  // Calls f(candidate) for every candidate in the shadow with the box (x0, x1, y0, y1) that is no corner of its face.
  template <class F>
  void for_each_in_shadow(Face face, T x0, T x1, T y0, T y1, T nearest, const F& f) {
    const Shadow<T> shadow = {x0, x1, y0, y1, nearest};
    const int32_t first = column(x0), last = column(x1);
    const int32_t last_row = row(y1);
    for (int32_t r = row(y0); r <= last_row; ++r) {
      Candidate<T>* end = sorted_.data() + starts_[static_cast<size_t>(r * columns_ + last + 1)];
      for (Candidate<T>* c = sorted_.data() + starts_[static_cast<size_t>(r * columns_ + first)]; c != end; ++c) {
        // One branch, hardly ever taken: the face's own corners lie in its shadow without a pattern to predict.
        if (shadow.holds(*c) & (c->vertex != face.i) & (c->vertex != face.j) & (c->vertex != face.k)) {
          f(*c);
        }
      }
    }
  }

 private:
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
  std::vector<int32_t> starts_;       // (rows * columns + 1)
  std::vector<Candidate<T>> sorted_;  // by cell
};

}  // namespace stn
