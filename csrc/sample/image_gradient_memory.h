// The tensors behind an ImageGradient (host code only).
#pragma once

#include "common/tensor.h"
#include "sample/fixed_point_math.h"
#include "sample/image_gradient.h"

namespace stn {

class ImageGradientMemory {
 public:
  Tensor grad_image;  // (B, C, H, W), or (0,) if it is not asked for

  // coordinates: a tensor of the dtype that sums are kept in. added: whether there is anything to add.
  ImageGradientMemory(
      const Tensor& image, const Tensor& coordinates, bool image_needed, bool deterministic, bool added = true)
      : grad_image(uninitialised(image, {0})) {
    if (!image_needed) {
      return;
    }
    const int64_t B = image.size(0), C = image.size(1), H = image.size(2), W = image.size(3);
    const bool wide = image.scalar_type() == ScalarType::Double;
    grad_image = uninitialised(image, {B, C, H, W});
    planes_ = B * C, pixels_ = H * W;
    if (added && image.scalar_type() != coordinates.scalar_type()) {
      sums_ = uninitialised(coordinates, {planes_, pixels_});
    }
    if (added && deterministic) {
      const int64_t limbs = wide ? kFixedPointLimbs<double> : kFixedPointLimbs<float>;
      fixed_ = uninitialised(image, {limbs, planes_, pixels_}, ScalarType::Long);
      largest_ = uninitialised(coordinates, {planes_});
    }
  }

  // grad_samples: (B, C, N) in the image's dtype.
  template <class T, class I>
  ImageGradient<T, I> gradient(const Tensor& grad_samples, int64_t N) const {
    ImageGradient<T, I> g = {};
    g.grad_samples = pointer<I>(grad_samples);
    g.planes = planes_, g.pixels = pixels_, g.N = N;
    if (grad_image.dim() == 4) {
      g.grad_image = mutable_pointer<I>(grad_image);
      g.sums = static_cast<T*>((sums_.has_value() ? *sums_ : grad_image).mutable_data_ptr());
    }
    if (fixed_.has_value()) {
      g.fixed = mutable_pointer<unsigned long long>(*fixed_);
      g.largest = mutable_pointer<FloatBits<T>>(*largest_);
    }
    return g;
  }

 private:
  std::optional<Tensor> sums_, fixed_, largest_;
  int64_t planes_ = 0, pixels_ = 0;
};

}  // namespace stn
