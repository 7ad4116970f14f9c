// The operator project on CUDA tensors; its kernels are in project_cuda.cu.
#include "project/project_cuda.h"

#include "common/blocks.h"
#include "common/cuda_device.h"
#include "project/project_inputs.h"

namespace stn {
namespace {

Tensor project_cuda(const Tensor& vertices, const Tensor& rotation, const Tensor& translation_in, const Tensor& scale) {
  const OnDevice device("project", {&vertices, &rotation, &translation_in, &scale});
  const ProjectInputs in(vertices, rotation, scale);
  const ProjectTranslation translation(in, translation_in);
  const Tensor points = uninitialised(in.vertices, {in.B, in.N, 3});
  dispatch_floating(in.vertices, "project", [&](auto type) {
    using T = decltype(type);
    const ProjectParams<T> params = {
        pointer<T>(in.vertices),
        pointer<T>(in.rotation),
        pointer<T>(translation.translation),
        pointer<T>(in.scale),
        mutable_pointer<T>(points),
        in.B,
        in.N,
        ceil_divide(in.N, kProjectChunk)};
    launch_project(params, device.stream());
  });
  return points;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> project_backward_cuda(
    const Tensor& grad_points, const Tensor& vertices, const Tensor& rotation, const Tensor& scale) {
  const OnDevice device("project_backward", {&vertices, &grad_points, &rotation, &scale});
  const ProjectInputs in(vertices, rotation, scale);
  const ProjectGradient grad(in, grad_points);
  const int64_t chunks = ceil_divide(in.N, kProjectChunk);
  const Tensor grad_vertices = uninitialised(in.vertices, {in.B, in.N, 3});
  const Tensor grad_rotation = uninitialised(in.vertices, {in.B, 3, 3});
  const Tensor grad_translation = uninitialised(in.vertices, {in.B, 2});
  const Tensor grad_scale = uninitialised(in.vertices, {in.B});
  const Tensor parts = uninitialised(in.vertices, {chunks, in.B, kPoseSums}, ScalarType::Double);
  dispatch_floating(in.vertices, "project_backward", [&](auto type) {
    using T = decltype(type);
    const ProjectBackwardParams<T> params = {
        pointer<T>(grad.points),
        pointer<T>(in.vertices),
        pointer<T>(in.rotation),
        pointer<T>(in.scale),
        mutable_pointer<T>(grad_vertices),
        mutable_pointer<double>(parts),
        {mutable_pointer<T>(grad_rotation), mutable_pointer<T>(grad_translation), mutable_pointer<T>(grad_scale)},
        in.B,
        in.N,
        chunks};
    launch_project_backward(params, device.stream());
  });
  return {grad_vertices, grad_rotation, grad_translation, grad_scale};
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("project", TORCH_BOX(&stn::project_cuda));
  library.impl("project_backward", TORCH_BOX(&stn::project_backward_cuda));
}
