// Where a kernel adds its contributions to the gradient to an image (for .cu files). A sink is a kernel's template
// argument; sink.plane(b C + c).add(texel, value) adds to one texel.
#pragma once

#include "common/launch.h"
#include "common/vectors.h"
#include "sample/fixed_point_math.h"
#include "sample/image_gradient.h"

namespace stn {

__device__ __forceinline__ unsigned int float_bits(float value) {
  return __float_as_uint(value);
}

__device__ __forceinline__ unsigned long long float_bits(double value) {
  return static_cast<unsigned long long>(__double_as_longlong(value));
}

__device__ __forceinline__ float float_of(unsigned int bits) {
  return __uint_as_float(bits);
}

__device__ __forceinline__ double float_of(unsigned long long bits) {
  return __longlong_as_double(static_cast<long long>(bits));
}

// The gradient to the image is not asked for.
struct NoSink {
  static constexpr bool kNeeded = false;
};

// Float atomics: the order of a texel's contributions, and with it the last bits of their sum, vary.
template <class T>
struct AtomicSink {
  static constexpr bool kNeeded = true;

  struct Plane {
    T* sums;  // (pixels,)

    __device__ __forceinline__ void add(int32_t texel, T value) const {
      atomicAdd(sums + texel, value);
    }
  };

  T* sums;         // (planes, pixels)
  int64_t pixels;  // H W

  __device__ __forceinline__ Plane plane(int64_t index) const {
    return {sums + index * pixels};
  }
};

// Integer atomics, exact and so in any order the same. What is not finite has no integer and goes to `sums`, which is
// 0 elsewhere; whether that ends as an infinity or NaN does not depend on the order either.
template <class T>
struct FixedPointSink {
  static constexpr bool kNeeded = true;

  struct Plane {
    T* sums;                    // (pixels,)
    unsigned long long* upper;  // (pixels,)
    unsigned long long* lower;  // (pixels,), with two limbs only
    FixedPointScale scale;

    __device__ __forceinline__ void add(int32_t texel, T value) const {
      if (!is_finite(value)) {
        atomicAdd(sums + texel, value);
        return;
      }
      const FixedPoint fixed = to_fixed_point(value, scale);
      atomicAdd(upper + texel, static_cast<unsigned long long>(fixed.upper));
      if constexpr (kFixedPointLimbs<T> == 2) {
        atomicAdd(lower + texel, static_cast<unsigned long long>(fixed.lower));
      }
    }
  };

  T* sums;                      // (planes, pixels)
  unsigned long long* fixed;    // (limbs, planes, pixels)
  const FloatBits<T>* largest;  // (planes,)
  int64_t planes, pixels;
  int count_bits;  // 2^count_bits >= N: a point adds to a texel once, and no more than its gradient

  __device__ __forceinline__ Plane plane(int64_t index) const {
    unsigned long long* const upper = fixed + index * pixels;
    return {
        sums + index * pixels,
        upper,
        upper + (kFixedPointLimbs<T> - 1) * planes * pixels,
        fixed_point_scale(float_of(largest[index]), count_bits),
    };
  }
};

template <class T, class I>
FixedPointSink<T> fixed_point_sink(const ImageGradient<T, I>& g) {
  return {g.sums, g.fixed, g.largest, g.planes, g.pixels, bits_to_count(g.N)};
}

// f(sink) with the sink that the gradient asks for.
template <class T, class I, class F>
void with_sink(const ImageGradient<T, I>& gradient, const F& f) {
  if (gradient.grad_image == nullptr) {
    f(NoSink());
  } else if (gradient.fixed == nullptr) {
    f(AtomicSink<T>{gradient.sums, gradient.pixels});
  } else {
    f(fixed_point_sink(gradient));
  }
}

}  // namespace stn
