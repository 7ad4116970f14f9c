// The arguments of rasterize and rasterize_backward, contiguous and of matching sizes.
#pragma once

#include <limits>

#include "common/tensor.h"
#include "rasterize/rasterize_math.h"

namespace stn {

// Points and the faces between them: one list for all images, or one for each.
struct RasterizeInputs {
  Tensor points, faces;
  int64_t B, N, F, H, W;
  bool wide;            // faces are int64
  int64_t face_stride;  // from one image's list to the next, in indices

  RasterizeInputs(const Tensor& points_in, const Tensor& faces_in, int64_t H_in, int64_t W_in)
      : points(as_contiguous(points_in)), faces(as_contiguous(faces_in)), H(H_in), W(W_in) {
    require(points.dim() == 3 && points.size(2) == 3, "rasterize: points must be (B, N, 3)");
    B = points.size(0), N = points.size(1);
    const int64_t dims = faces.dim();
    require(
        (dims == 2 || (dims == 3 && faces.size(0) == B)) && faces.size(dims - 1) == 3,
        "rasterize: faces must be (F, 3) or (B, F, 3)");
    wide = faces.scalar_type() == ScalarType::Long;
    require(wide || faces.scalar_type() == ScalarType::Int, "rasterize: faces must be int32 or int64");
    F = faces.size(dims - 2);
    face_stride = dims == 2 ? 0 : 3 * F;
    constexpr int64_t most = std::numeric_limits<int32_t>::max();
    require(N <= most / 3 && F < most, "rasterize: at most (2^31 - 1) / 3 vertices and 2^31 - 2 faces an image");
    require(
        H >= 0 && W >= 0 && H <= kLongestSide && W <= kLongestSide && H * W <= most,
        "rasterize: image_size must be at most 2^24 pixels a side and fewer than 2^31 in all");
  }
};

// Calls f(T(), Index()) for the dtypes of points and faces.
template <class F>
void dispatch_rasterize(const RasterizeInputs& in, const char* what, const F& f) {
  dispatch_floating(in.points, what, [&](auto type) {
    if (in.wide) {
      f(type, int64_t());
    } else {
      f(type, int32_t());
    }
  });
}

// What the backward gets besides: the forward's results and the gradients to them, which may be missing.
struct RasterizeGradients {
  Tensor face, barycentric;
  std::optional<Tensor> grad_barycentric, grad_depth;

  RasterizeGradients(
      const RasterizeInputs& in, const Tensor& face_in, const Tensor& barycentric_in,
      const std::optional<Tensor>& grad_barycentric_in, const std::optional<Tensor>& grad_depth_in)
      : face(as_contiguous(face_in)), barycentric(as_contiguous(barycentric_in)) {
    require_shape(face, {in.B, in.H, in.W}, "rasterize_backward: face must be (B, H, W)");
    require(face.scalar_type() == ScalarType::Long, "rasterize_backward: face must be int64");
    require_shape(barycentric, {in.B, in.H, in.W, 3}, "rasterize_backward: barycentric must be (B, H, W, 3)");
    const char* one_dtype = "rasterize_backward: points, barycentric and the gradients must have one dtype";
    require_dtype_of(in.points, {&barycentric}, one_dtype);
    if (grad_barycentric_in.has_value()) {
      grad_barycentric = as_contiguous(*grad_barycentric_in);
      require_shape(
          *grad_barycentric, {in.B, in.H, in.W, 3}, "rasterize_backward: grad_barycentric must be (B, H, W, 3)");
      require_dtype_of(in.points, {&*grad_barycentric}, one_dtype);
    }
    if (grad_depth_in.has_value()) {
      grad_depth = as_contiguous(*grad_depth_in);
      require_shape(*grad_depth, {in.B, in.H, in.W}, "rasterize_backward: grad_depth must be (B, H, W)");
      require_dtype_of(in.points, {&*grad_depth}, one_dtype);
    }
  }

  // Of the images from b on, with so many pixels each.
  template <class T>
  PictureGradients<T> from_image(int64_t b, int64_t pixels) const {
    const int64_t start = b * pixels;
    return {
        pointer<int64_t>(face) + start, pointer<T>(barycentric) + 3 * start,
        grad_barycentric.has_value() ? pointer<T>(*grad_barycentric) + 3 * start : nullptr,
        grad_depth.has_value() ? pointer<T>(*grad_depth) + start : nullptr};
  }
};

}  // namespace stn
