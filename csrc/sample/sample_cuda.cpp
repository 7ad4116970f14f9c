// The operator sample on CUDA tensors; its kernels are in sample_cuda.cu.
#include "sample/sample_cuda.h"

#include "common/cuda_device.h"
#include "sample/image_gradient_memory.h"
#include "sample/sample_inputs.h"

namespace stn {
namespace {

Tensor sample_cuda(const Tensor& image, const Tensor& points) {
  const OnDevice device("sample", {&image, &points});
  const SampleInputs in(image, points);
  const Tensor samples = uninitialised(in.image, {in.B, in.C, in.N});
  dispatch_image(in.image, in.points, "sample", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    SampleParams<T, I> params = in.params<T, I>();
    params.samples = mutable_pointer<I>(samples);
    launch_sample(params, device.stream());
  });
  return samples;
}

std::tuple<Tensor, Tensor> sample_backward_cuda(
    const Tensor& grad_samples, const Tensor& image, const Tensor& points, bool image_needed, bool points_needed,
    bool deterministic) {
  const OnDevice device("sample_backward", {&grad_samples, &image, &points});
  const SampleInputs in(image, points);
  const SampleGradient grad(in, grad_samples);
  const Tensor none_of_points = uninitialised(in.points, {0});
  const Tensor grad_points = points_needed ? uninitialised(in.points, {in.B, in.N, in.D}) : none_of_points;
  const ImageGradientMemory memory(in.image, in.points, image_needed, deterministic);
  dispatch_image(in.image, in.points, "sample_backward", [&](auto coordinate_type, auto image_type) {
    using T = decltype(coordinate_type);
    using I = decltype(image_type);
    SampleParams<T, I> params = in.params<T, I>();
    params.grad_samples = pointer<I>(grad.grad_samples);
    params.grad_points = points_needed ? mutable_pointer<T>(grad_points) : nullptr;
    launch_sample_backward(params, memory.gradient<T, I>(grad.grad_samples, in.N), device.stream());
  });
  return {memory.grad_image, grad_points};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("sample", TORCH_BOX(&stn::sample_cuda));
  library.impl("sample_backward", TORCH_BOX(&stn::sample_backward_cuda));
}
