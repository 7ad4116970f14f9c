// Where a kernel adds its contributions to the gradient to an image (for .cu files). A sink is a kernel's template
// argument; sink.plane(b C + c).add(texel, value) adds to one texel.
#pragma once

#include "common/block_sum.h"
#include "common/launch.h"
#include "common/ordered_bits.h"
#include "common/vectors.h"
#include "sample/fixed_point_math.h"
#include "sample/image_gradient.h"

namespace stn {

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
template <class T, int Limbs = kFixedPointLimbs<T>>
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
      if constexpr (Limbs == 2) {
        atomicAdd(lower + texel, static_cast<unsigned long long>(fixed.lower));
      }
    }

    // After the last contribution.
    __device__ __forceinline__ T sum(int32_t texel) const {
      const T not_finite = sums[texel];
      const auto high = static_cast<int64_t>(upper[texel]);
      const auto low = Limbs == 2 ? static_cast<int64_t>(lower[texel]) : int64_t{0};
      return not_finite == T(0) ? from_fixed_point<T>({high, low}, scale) : not_finite;
    }
  };

  T* sums;                      // (planes, pixels)
  unsigned long long* fixed;    // (limbs, planes, pixels)
  const FloatBits<T>* largest;  // (planes,)
  int64_t planes, pixels;
  int count_bits;  // 2^count_bits >= N: what a texel gets is N numbers up to the largest, or sums of some of them

  __device__ __forceinline__ Plane plane(int64_t index) const {
    unsigned long long* const upper = fixed + index * pixels;
    return {
        sums + index * pixels,
        upper,
        upper + (Limbs - 1) * planes * pixels,
        fixed_point_scale(float_of(largest[index]), count_bits),
    };
  }
};

template <class T, class I, int Limbs>
FixedPointSink<T, Limbs> fixed_point_sink(const ImageGradient<T, I, Limbs>& g) {
  return {g.sums, g.fixed, g.largest, g.planes, g.pixels, bits_to_count(g.N)};
}

// Zeros the sums, and of deterministic ones also the integers and the planes' largest numbers.
template <class T, class I, int Limbs>
void zero_image_gradient(const char* what, const ImageGradient<T, I, Limbs>& g, CudaStream stream) {
  const int64_t texels = g.planes * g.pixels;
  fill_zero(what, stream, g.sums, texels * static_cast<int64_t>(sizeof(T)));
  if (g.fixed != nullptr) {
    fill_zero(what, stream, g.fixed, Limbs * texels * static_cast<int64_t>(sizeof(*g.fixed)));
    fill_zero(what, stream, g.largest, g.planes * static_cast<int64_t>(sizeof(*g.largest)));
  }
}

// |value| if that is finite and larger than `largest`, which is returned if not.
template <class T>
__device__ __forceinline__ T larger_of(T largest, T value) {
  const T size = value < T(0) ? -value : value;
  return is_finite(size) && size > largest ? size : largest;
}

// Writes down the largest of a warp's numbers, all of one plane; in any order the same.
template <class T>
__device__ __forceinline__ void note_largest(T largest, FloatBits<T>* of_plane) {
  largest = warp_max(largest);
  if (threadIdx.x % kWarp == 0 && largest > T(0)) {
    atomicMax(of_plane, float_bits(largest));
  }
}

// f(sink) with the sink that the gradient asks for.
template <class T, class I, int Limbs, class F>
void with_sink(const ImageGradient<T, I, Limbs>& gradient, const F& f) {
  if (gradient.grad_image == nullptr) {
    f(NoSink());
  } else if (gradient.fixed == nullptr) {
    f(AtomicSink<T>{gradient.sums, gradient.pixels});
  } else {
    f(fixed_point_sink(gradient));
  }
}

}  // namespace stn
