// One point and its four texels, one plane after another: what a CUDA thread keeps for its point (docs/math.md#sample).
#pragma once

#include "common/vectors.h"
#include "sample/sample_math.h"

namespace stn {

template <class T>
struct Footprint {
  int32_t first;         // index in the plane of the upper left texel
  int32_t right, lower;  // from there to the right one and to the lower one: 1 and W, or 0 where there is none
  PairWeights<T> x, y;
};

// Something of each of the four texels.
template <class T>
struct FourTexels {
  T upper_left, upper_right, lower_left, lower_right;
};

template <class T>
STN_HD Footprint<T> footprint(T x, T y, int64_t H, int64_t W) {
  const int32_t height = static_cast<int32_t>(H), width = static_cast<int32_t>(W);
  const AxisPlace<T> column = axis_place(x, width), row = axis_place(y, height);
  return {
      row.first * width + column.first,
      width > 1 ? 1 : 0,
      height > 1 ? width : 0,
      pair_weights(column.place, width > 1),
      pair_weights(row.place, height > 1),
  };
}

// 0 for a texel that the point does not reach, which is not read.
template <class T, class I>
STN_HD FourTexels<T> read_texels(const I* plane, const Footprint<T>& f) {
  const I* upper = plane + f.first;
  const I* lower = upper + f.lower;
  return {
      f.y.reaches_first && f.x.reaches_first ? static_cast<T>(upper[0]) : T(0),
      f.y.reaches_first && f.x.reaches_second ? static_cast<T>(upper[f.right]) : T(0),
      f.y.reaches_second && f.x.reaches_first ? static_cast<T>(lower[0]) : T(0),
      f.y.reaches_second && f.x.reaches_second ? static_cast<T>(lower[f.right]) : T(0),
  };
}

template <class T>
STN_HD T bilinear(const FourTexels<T>& v, const Footprint<T>& f) {
  const T upper = f.x.weigh(v.upper_left, v.upper_right), lower = f.x.weigh(v.lower_left, v.lower_right);
  return f.y.weigh(upper, lower);
}

// dL/d(x, y) for the gradient g to the sample.
template <class T>
STN_HD Vec2<T> bilinear_vjp(const FourTexels<T>& v, const Footprint<T>& f, T g) {
  const T upper = f.x.weigh(v.upper_left, v.upper_right), lower = f.x.weigh(v.lower_left, v.lower_right);
  const T upper_dx = f.x.rise(v.upper_left, v.upper_right), lower_dx = f.x.rise(v.lower_left, v.lower_right);
  return {g * f.y.weigh(upper_dx, lower_dx), g * f.y.rise(upper, lower)};
}

// dsample/dtexel, 0 where the point does not reach the texel.
template <class T>
STN_HD FourTexels<T> texel_weights(const Footprint<T>& f) {
  const T left = f.x.sum(T(1), T(0)), right = f.x.sum(T(0), T(1));
  const T upper = f.y.sum(T(1), T(0)), lower = f.y.sum(T(0), T(1));
  return {upper * left, upper * right, lower * left, lower * right};
}

}  // namespace stn
