// Bilinear sampling with zero padding, and its derivative (docs/math.md#sample).
#pragma once

#include <cstdint>

#include "common/macros.h"

namespace stn {

// Where a coordinate lies on one axis: between texels `first` and `first + 1`, both of them inside the image wherever
// the axis has two; place = coordinate - first, in [0, 1) in the interior. The texel at `offset` from `first` weighs
// hat(place - offset): a texel outside the image is never one of the pair, and one of the pair that the coordinate does
// not reach weighs nothing, so zero padding needs no further test.
template <class T>
struct AxisPlace {
  int32_t first;
  T place;
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
STN_HD AxisPlace<T> axis_place(T coordinate, int32_t size) {
  const T x = clamp_to_reach(coordinate, static_cast<T>(size));
  const int32_t left = floor_to_int(x);
  const int32_t last_first = size > 1 ? size - 2 : 0;
  const int32_t low = left > 0 ? left : 0;
  const int32_t first = low < last_first ? low : last_first;
  return {first, x - static_cast<T>(first)};
}

// The weight of a texel at distance d.
template <class T>
STN_HD T hat(T d) {
  const T weight = T(1) - (d < T(0) ? -d : d);
  return weight > T(0) ? weight : T(0);
}

// Its derivative for the texel at `offset` (0 or 1), at the kinks the one from the right. Compares the place itself:
// place - offset would round a place just below 0 to the kink of the next texel.
template <class T>
STN_HD T hat_slope(T place, T offset) {
  const T inside = place < offset ? T(1) : T(-1);
  return (place >= offset - T(1)) & (place < offset + T(1)) ? inside : T(0);
}

template <class T>
STN_HD T interpolate(T near, T far, T place) {
  return near + place * (far - near);
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
