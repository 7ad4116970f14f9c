// The arguments of sample and sample_backward, contiguous and of matching sizes.
#pragma once

#include <limits>

#include "common/tensor.h"
#include "sample/sample_params.h"

namespace stn {

// Texel indices within a plane are 32-bit.
inline void require_plane(int64_t H, int64_t W) {
  require(H > 0 && W > 0, "sample: the image must have at least one pixel");
  require(H <= std::numeric_limits<int32_t>::max() / W, "sample: an image plane must have fewer than 2^31 pixels");
}

struct SampleInputs {
  Tensor image, points;
  int64_t B, C, H, W, N, D;

  SampleInputs(const Tensor& image_in, const Tensor& points_in)
      : image(as_contiguous(image_in)), points(as_contiguous(points_in)) {
    require(image.dim() == 4, "sample: image must be (B, C, H, W)");
    B = image.size(0), C = image.size(1), H = image.size(2), W = image.size(3);
    require(
        points.dim() == 3 && points.size(0) == B && (points.size(2) == 2 || points.size(2) == 3),
        "sample: points must be (B, N, 2) or (B, N, 3)");
    N = points.size(1), D = points.size(2);
    require_plane(H, W);
  }

  template <class T, class I>
  SampleParams<T, I> params() const {
    return {pointer<I>(image), pointer<T>(points), nullptr, nullptr, nullptr, B, C, H, W, N, D};
  }
};

struct SampleGradient {
  Tensor grad_samples;

  SampleGradient(const SampleInputs& in, const Tensor& grad_samples_in) : grad_samples(as_contiguous(grad_samples_in)) {
    require_shape(grad_samples, {in.B, in.C, in.N}, "sample_backward: grad_samples must be (B, C, N)");
    require(
        grad_samples.scalar_type() == in.image.scalar_type(),
        "sample_backward: grad_samples must have the image's dtype");
  }
};

}  // namespace stn
