// Forward and gradient to the points: one task a block of points, each writing its own part. Gradient to the image:
// one task a plane, which adds its points in order: always repeatable, so `deterministic` changes nothing here.
#include "common/tensor.h"
#include "sample/sample_params.h"

#define STN_KERNELS "sample/sample_all_kernels.h"
#include "common/each_instruction_set.h"
#include "sample/sample_planes.h"

namespace stn {
namespace {

void check_sample(const Tensor& image, const Tensor& points) {
  require(image.dim() == 4, "sample: image must be (B, C, H, W)");
  require(
      points.dim() == 3 && points.size(0) == image.size(0) && (points.size(2) == 2 || points.size(2) == 3),
      "sample: points must be (B, N, 2) or (B, N, 3)");
  require_plane(image.size(2), image.size(3));
}

template <class T, class I>
SampleParams<T, I> sample_params(const Tensor& image, const Tensor& points) {
  return {pointer<I>(image), pointer<T>(points), nullptr,       nullptr,        nullptr,       image.size(0),
          image.size(1),     image.size(2),      image.size(3), points.size(1), points.size(2)};
}

template <class T, class I, class Kernel>
void for_each_block(const SampleParams<T, I>& params, Kernel* kernel) {
  const int64_t blocks = ceil_divide(params.N, kVertexBlock);
  torch::stable::parallel_for(0, params.B * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      kernel(params, task / blocks, task % blocks);
    }
  });
}

Tensor sample_cpu(const Tensor& image_in, const Tensor& points_in) {
  check_sample(image_in, points_in);
  const Tensor image = as_contiguous(image_in), points = as_contiguous(points_in);
  const Tensor samples = uninitialised(image, {image.size(0), image.size(1), points.size(1)});
  dispatch_image(image, points, "sample", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    SampleParams<T, I> params = sample_params<T, I>(image, points);
    params.samples = mutable_pointer<I>(samples);
    const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, sample_block<T, I>);
    for_each_block(params, kernel);
  });
  return samples;
}

std::tuple<Tensor, Tensor> sample_backward_cpu(
    const Tensor& grad_samples_in, const Tensor& image_in, const Tensor& points_in, bool image_needed,
    bool points_needed, bool /*deterministic*/) {
  check_sample(image_in, points_in);
  const Tensor image = as_contiguous(image_in), points = as_contiguous(points_in);
  const Tensor grad_samples = as_contiguous(grad_samples_in);
  const int64_t B = image.size(0), C = image.size(1), H = image.size(2), W = image.size(3), N = points.size(1);
  require_shape(grad_samples, {B, C, N}, "sample_backward: grad_samples must be (B, C, N)");
  require(
      grad_samples.scalar_type() == image.scalar_type(), "sample_backward: grad_samples must have the image's dtype");
  const Tensor grad_image = image_needed ? uninitialised(image, {B, C, H, W}) : uninitialised(image, {0});
  const Tensor grad_points = points_needed ? uninitialised(points, {B, N, points.size(2)}) : uninitialised(points, {0});
  dispatch_image(image, points, "sample_backward", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    SampleParams<T, I> params = sample_params<T, I>(image, points);
    params.grad_samples = pointer<I>(grad_samples);
    if (points_needed) {
      params.grad_points = mutable_pointer<T>(grad_points);
      const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, sample_grad_points_block<T, I>);
      for_each_block(params, kernel);
    }
    if (image_needed) {
      const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, sample_grad_plane<T, I>);
      for_each_plane_gradient<T>(mutable_pointer<I>(grad_image), B * C, 1, H * W, [&](int64_t plane, T* grad_plane) {
        kernel(params, plane, grad_plane);
      });
    }
  });
  return {grad_image, grad_points};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("sample", TORCH_BOX(&stn::sample_cpu));
  library.impl("sample_backward", TORCH_BOX(&stn::sample_backward_cpu));
}
