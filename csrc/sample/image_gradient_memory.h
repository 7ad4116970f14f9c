// The tensors behind an ImageGradient and a PointGradient (host code only).
#pragma once

#include <limits>

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

class PointGradientMemory {
 public:
  Tensor grad_points;  // (B, N, 3)

  // like: points (B, N, 3).
  PointGradientMemory(const Tensor& like, bool deterministic, const char* what)
      : grad_points(uninitialised(like, {like.size(0), like.size(1), 3})), planes_(like.size(0)),
        pixels_(3 * like.size(1)),
        fixed_(uninitialised(like, {deterministic ? 2 * planes_ * pixels_ : 0}, ScalarType::Long)),
        largest_(uninitialised(like, {deterministic ? planes_ : 0})), deterministic_(deterministic) {
    require(pixels_ <= std::numeric_limits<int32_t>::max(), what);
  }

  // Of which a point gets at most so many contributions.
  template <class T>
  PointGradient<T> gradient(int64_t contributions) const {
    PointGradient<T> g = {};
    g.grad_image = g.sums = mutable_pointer<T>(grad_points);
    g.planes = planes_, g.pixels = pixels_, g.N = contributions;
    if (deterministic_) {
      g.fixed = mutable_pointer<unsigned long long>(fixed_);
      g.largest = mutable_pointer<FloatBits<T>>(largest_);
    }
    return g;
  }

 private:
  int64_t planes_, pixels_;
  Tensor fixed_, largest_;
  bool deterministic_;
};

}  // namespace stn
