// Sums that do not depend on their order: numbers as 64-bit integers times a power of two (docs/math.md#sample).
#pragma once

#include <cmath>
#include <cstdint>

#include "common/macros.h"

namespace stn {

// A float64 sum needs two integers: what the first rounds away, times another power of two. For float32 one will do,
// unless the contributions are of very different sizes.
template <class T>
constexpr int kFixedPointLimbs = sizeof(T) == sizeof(double) ? 2 : 1;

// The least m with count <= 2^m, for count >= 1.
STN_HD int bits_to_count(int64_t count) {
  int bits = 0;
  while (bits < 62 && (int64_t{1} << bits) < count) {
    ++bits;
  }
  return bits;
}

// value = (upper + lower 2^-lower_exponent) 2^-exponent.
struct FixedPointScale {
  int exponent, lower_exponent;
};

// For up to 2^count_bits numbers no larger than `largest`: a number is at most 2^(62 - count_bits) as an integer, a
// remainder at most half of that, and neither sum leaves 64 bits.
template <class T>
STN_HD FixedPointScale fixed_point_scale(T largest, int count_bits) {
  const int magnitude = largest > T(0) ? std::ilogb(static_cast<double>(largest)) : 0;
  return {61 - count_bits - magnitude, 62 - count_bits};
}

struct FixedPoint {
  int64_t upper, lower;
};

template <class T>
STN_HD FixedPoint to_fixed_point(T value, FixedPointScale scale) {
  const double scaled = std::scalbn(static_cast<double>(value), scale.exponent);
  const double rounded = std::rint(scaled);
  const double rest = std::scalbn(scaled - rounded, scale.lower_exponent);
  return {static_cast<int64_t>(rounded), static_cast<int64_t>(std::rint(rest))};
}

template <class T>
STN_HD T from_fixed_point(FixedPoint sum, FixedPointScale scale) {
  const double upper = static_cast<double>(sum.upper);
  // What 53 bits could not hold of the upper sum is as large as the lower one may be.
  const double rest = static_cast<double>(sum.upper - static_cast<int64_t>(upper));
  const double lower = rest + std::scalbn(static_cast<double>(sum.lower), -scale.lower_exponent);
  return static_cast<T>(std::scalbn(upper + lower, -scale.exponent));
}

}  // namespace stn
