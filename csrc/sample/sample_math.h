// Bilinear sampling with zero padding, and its derivative (docs/math.md#sample).
#pragma once

#include <cstdint>

#include "common/macros.h"

namespace stn {

// One axis of a bilinear sample: texels `first` and `first + 1`, both inside the image wherever the axis has two, what
// each weighs, and the derivatives of the weights. A texel outside the image weighs nothing, so a sample is the sum
// over both axes' texels of weight x weight x value, and zero padding needs no further test.
template <class T>
struct AxisTaps {
  int32_t first;
  T weight0, weight1;
  T slope0, slope1;  // d weight / d coordinate
};

// A coordinate out of the image's reach, or not a number, becomes one beyond the last reach of any texel.
template <class T>
STN_HD T clamp_to_reach(T x, T size) {
  const T low = x > T(-2) ? x : T(-2);
  return low < size + T(1) ? low : size + T(1);
}

template <class T>
STN_HD int32_t floor_to_int(T x) {
  const int32_t truncated = static_cast<int32_t>(x);
  return truncated - static_cast<int32_t>(x < static_cast<T>(truncated));
}

template <class T>
STN_HD AxisTaps<T> axis_taps(T coordinate, int32_t size) {
  const T x = clamp_to_reach(coordinate, static_cast<T>(size));
  const int32_t left = floor_to_int(x);
  const T fraction = x - static_cast<T>(left);
  const int32_t last_first = size > 1 ? size - 2 : 0;
  const int32_t low = left > 0 ? left : 0;
  const int32_t first = low < last_first ? low : last_first;
  // Which texel of the pair the coordinate's own two are: its left one at slot 0 in the interior, at slot 1 on the
  // last column; its right one at slot 0 just before the first column.
  const bool left_at_0 = left == first, right_at_0 = left + 1 == first;
  const bool left_at_1 = (left == first + 1) & (size > 1), right_at_1 = (left == first) & (size > 1);
  AxisTaps<T> taps;
  taps.first = first;
  taps.weight0 = left_at_0 ? T(1) - fraction : (right_at_0 ? fraction : T(0));
  taps.weight1 = right_at_1 ? fraction : (left_at_1 ? T(1) - fraction : T(0));
  taps.slope0 = left_at_0 ? T(-1) : (right_at_0 ? T(1) : T(0));
  taps.slope1 = right_at_1 ? T(1) : (left_at_1 ? T(-1) : T(0));
  return taps;
}

// weight x value where the weight is not 0: a texel outside the image does not count even if its stand-in is NaN.
template <class T>
STN_HD T weighted(T weight, T value) {
  return weight != T(0) ? weight * value : T(0);
}

template <class T>
STN_HD T weighted_pair(T weight0, T value0, T weight1, T value1) {
  return weighted(weight0, value0) + weighted(weight1, value1);
}

}  // namespace stn
