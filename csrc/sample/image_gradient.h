// The gradient to an image on CUDA, for sample and warp, and that to points, for visibility and rasterize: memory for
// the sums, what comes before a kernel that adds to them through a sink (image_gradient_sinks.h), and what comes after.
#pragma once

#include <cstdint>
#include <type_traits>

#include "common/cuda_stream.h"
#include "sample/fixed_point_math.h"

namespace stn {

// Of a float that is not negative, these order as the float itself does.
template <class T>
using FloatBits = std::conditional_t<sizeof(T) == 4, unsigned int, unsigned long long>;

// With one or two limbs, should sums be deterministic.
template <class T, class I, int Limbs = kFixedPointLimbs<T>>
struct ImageGradient {
  const I* grad_samples;      // (planes, N)
  I* grad_image;              // (planes, pixels), or nullptr: not asked for
  T* sums;                    // (planes, pixels); grad_image itself where I is T
  unsigned long long* fixed;  // (limbs, planes, pixels): deterministic sums (fixed_point_math.h), or nullptr
  FloatBits<T>* largest;      // (planes,): the largest |grad_samples| that is finite; deterministic only
  int64_t planes, pixels, N;  // B C, H W
};

// To points (B, N, 3): one plane of 3 N numbers an image. With two limbs whatever the dtype: what a sliver contributes
// goes with 1 / area, and one limb would lose the other contributions beside it.
template <class T>
using PointGradient = ImageGradient<T, T, 2>;

// Zeros the sums and, if they are to be deterministic, finds the planes' scales.
template <class T, class I>
void start_image_gradient(const char* what, const ImageGradient<T, I>& gradient, CudaStream stream);

// grad_image from the sums.
template <class T, class I, int Limbs>
void finish_image_gradient(const char* what, const ImageGradient<T, I, Limbs>& gradient, CudaStream stream);

}  // namespace stn
