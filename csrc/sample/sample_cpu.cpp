// Forward and gradient to the points: one task a block of points, each writing its own part. Gradient to the image:
// one task a plane, which adds its points in order: always repeatable, so `deterministic` changes nothing here.
#include "sample/sample_inputs.h"

#define STN_KERNELS "sample/sample_all_kernels.h"
#include "common/each_instruction_set.h"
#include "sample/sample_planes.h"

namespace stn {
namespace {

template <class T, class I, class Kernel>
void for_each_block(const SampleParams<T, I>& params, Kernel* kernel) {
  const int64_t blocks = ceil_divide(params.N, kVertexBlock);
  torch::stable::parallel_for(0, params.B * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      kernel(params, task / blocks, task % blocks);
    }
  });
}

Tensor sample_cpu(const Tensor& image, const Tensor& points) {
  const SampleInputs in(image, points);
  const Tensor samples = uninitialised(in.image, {in.B, in.C, in.N});
  dispatch_image(in.image, in.points, "sample", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    SampleParams<T, I> params = in.params<T, I>();
    params.samples = mutable_pointer<I>(samples);
    const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, sample_block<T, I>);
    for_each_block(params, kernel);
  });
  return samples;
}

std::tuple<Tensor, Tensor> sample_backward_cpu(
    const Tensor& grad_samples, const Tensor& image, const Tensor& points, bool image_needed, bool points_needed,
    bool /*deterministic*/) {
  const SampleInputs in(image, points);
  const SampleGradient gradient(in, grad_samples);
  const Tensor none_of_image = uninitialised(in.image, {0}), none_of_points = uninitialised(in.points, {0});
  const Tensor grad_image = image_needed ? uninitialised(in.image, {in.B, in.C, in.H, in.W}) : none_of_image;
  const Tensor grad_points = points_needed ? uninitialised(in.points, {in.B, in.N, in.D}) : none_of_points;
  dispatch_image(in.image, in.points, "sample_backward", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    SampleParams<T, I> params = in.params<T, I>();
    params.grad_samples = pointer<I>(gradient.grad_samples);
    if (points_needed) {
      params.grad_points = mutable_pointer<T>(grad_points);
      const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, sample_grad_points_block<T, I>);
      for_each_block(params, kernel);
    }
    if (image_needed) {
      const auto kernel = STN_CHOOSE_IMAGE_KERNEL(T, I, sample_grad_plane<T, I>);
      const int64_t planes = in.B * in.C, pixels = in.H * in.W;
      for_each_plane_gradient<T>(mutable_pointer<I>(grad_image), planes, 1, pixels, [&](int64_t plane, T* grad_plane) {
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
