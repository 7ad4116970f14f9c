// Bilinear sampling with zero padding, and its derivative (docs/math.md#sample).
#pragma once

#include <cstdint>

#include "common/macros.h"

namespace stn {

// Where a coordinate lies on one axis: between texels `first` and `first + 1`, both of them inside the image wherever
// the axis has two; place = coordinate - first, in [0, 1) in the interior. A texel outside the image is never one of
// the pair, and one of the pair that the coordinate does not reach does not count, so zero padding needs no further
// test.
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

// The pair's texels at offset 0 and 1: whether the point lies within their reach, what they weigh there, and the
// derivative of that, at the kinks the one from the right.
template <class T>
STN_HD bool reaches(T place, T offset) {
  return (place >= offset - T(1)) & (place < offset + T(1));
}

template <class T>
STN_HD T first_weight(T place) {
  return place < T(0) ? T(1) + place : T(1) - place;
}

template <class T>
STN_HD T second_weight(T place) {
  return place < T(1) ? place : T(2) - place;
}

template <class T>
STN_HD T weight_slope(T place, T offset) {
  return place < offset ? T(1) : T(-1);
}

// Between two texels of the image: the weights of the pair where both are reached.
template <class T>
STN_HD T interpolate(T first, T second, T place) {
  return (T(1) - place) * first + place * second;
}

// Anywhere: a texel that is not reached does not count, whatever it holds, since it may stand for one outside.
template <class T>
struct PairWeights {
  T first, second, first_slope, second_slope;
  bool reaches_first, reaches_second;

  STN_HD T sum(T a, T b) const {
    return (reaches_first ? first * a : T(0)) + (reaches_second ? second * b : T(0));
  }

  STN_HD T slope(T a, T b) const {
    return (reaches_first ? first_slope * a : T(0)) + (reaches_second ? second_slope * b : T(0));
  }

  // The same two where a texel that is not reached is known to be given as 0.
  STN_HD T weigh(T a, T b) const {
    return first * a + second * b;
  }

  STN_HD T rise(T a, T b) const {
    return first_slope * a + second_slope * b;
  }
};

template <class T>
STN_HD PairWeights<T> pair_weights(T place, bool has_second) {
  return {first_weight(place),       second_weight(place), weight_slope(place, T(0)),
          weight_slope(place, T(1)), reaches(place, T(0)), static_cast<bool>(reaches(place, T(1)) & has_second)};
}

}  // namespace stn
