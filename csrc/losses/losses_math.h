// Two textures of one face, texel by texel (docs/math.md#losses).
#pragma once

#include <cstdint>
#include <limits>

#include "common/macros.h"

namespace stn {

// The texel of the second texture that texel n of the first is compared with; P Q < 2^31.
STN_HD int64_t facing_texel(int64_t n, int64_t Q, bool mirror) {
  const int64_t column = static_cast<uint32_t>(n) % static_cast<uint32_t>(Q);
  return mirror ? n + Q - 1 - 2 * column : n;
}

template <class T>
constexpr T kLargest = std::numeric_limits<T>::max();

// d = a - b, or 0 where a weight of 0 hides a d whose square is not finite. is_finite(d * d) would not do: it
// subtracts, and a product may be contracted with a difference.
template <class T>
STN_HD T shown_difference(T a, T b, T weight) {
  const T d = a - b;
  return (weight == T(0)) & !(d * d <= kLargest<T>) ? T(0) : d;
}

// A texel's sum_c d^2, or 0 where a weight of 0 hides one that has overflowed.
template <class T>
STN_HD T shown_squares(T squares, T weight) {
  return (weight == T(0)) & !(squares <= kLargest<T>) ? T(0) : squares;
}

// What a texel adds to an image's sums is w d^2, over channels, and w = m_a m_b. With g and h the gradients to those
// sums:  dL/da = 2 g w d,  dL/db = -2 g w d,  dL/dm_a = (g sum_c d^2 + h) m_b  and likewise dL/dm_b.
template <class T>
STN_HD T texture_vjp(T g, T weight, T d) {
  return T(2) * g * weight * d;
}

template <class T>
STN_HD T mask_vjp(T g, T h, T squares, T facing_mask) {
  return (g * squares + h) * facing_mask;
}

}  // namespace stn
