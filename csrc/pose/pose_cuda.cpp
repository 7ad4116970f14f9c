// The operators pose and axis_angle_to_matrix on CUDA tensors; their kernels are in pose_cuda.cu.
#include "pose/pose_cuda.h"

#include "common/cuda_device.h"
#include "pose/pose_inputs.h"

namespace stn {
namespace {

std::tuple<Tensor, Tensor, Tensor, Tensor> pose_cuda(const Tensor& theta) {
  const OnDevice device("pose", {&theta});
  const PoseInputs in(theta, "pose");
  const PoseOutputs out(in);
  dispatch_floating(in.theta, "pose", [&](auto type) {
    using T = decltype(type);
    const PoseParts<T> parts = {
        mutable_pointer<T>(out.rotation), mutable_pointer<T>(out.translation), mutable_pointer<T>(out.scale),
        mutable_pointer<T>(out.alpha)};
    launch_pose<T>({pointer<T>(in.theta), in.B, in.D, parts}, device.stream());
  });
  return out.all();
}

Tensor pose_backward_cuda(
    const Tensor& theta, const Tensor& grad_rotation, const Tensor& grad_translation, const Tensor& grad_scale,
    const Tensor& grad_alpha) {
  const OnDevice device("pose_backward", {&theta, &grad_rotation, &grad_translation, &grad_scale, &grad_alpha});
  const PoseInputs in(theta, "pose_backward");
  const PoseGradients grads(in, grad_rotation, grad_translation, grad_scale, grad_alpha);
  const Tensor grad_theta = uninitialised(in.theta, {in.B, in.D});
  dispatch_floating(in.theta, "pose_backward", [&](auto type) {
    using T = decltype(type);
    const PoseParts<const T> grad = {
        pointer<T>(grads.rotation), pointer<T>(grads.translation), pointer<T>(grads.scale), pointer<T>(grads.alpha)};
    launch_pose_backward<T>({pointer<T>(in.theta), in.B, in.D, grad, mutable_pointer<T>(grad_theta)}, device.stream());
  });
  return grad_theta;
}

Tensor axis_angle_to_matrix_cuda(const Tensor& r) {
  const OnDevice device("axis_angle_to_matrix", {&r});
  const AxisAngleInputs in(r, "axis_angle_to_matrix");
  const Tensor rotation = uninitialised(in.r, {in.B, 3, 3});
  dispatch_floating(in.r, "axis_angle_to_matrix", [&](auto type) {
    using T = decltype(type);
    launch_axis_angle_to_matrix<T>({pointer<T>(in.r), nullptr, mutable_pointer<T>(rotation), in.B}, device.stream());
  });
  return rotation;
}

Tensor axis_angle_to_matrix_backward_cuda(const Tensor& grad_rotation, const Tensor& r) {
  const OnDevice device("axis_angle_to_matrix_backward", {&r, &grad_rotation});
  const AxisAngleInputs in(r, "axis_angle_to_matrix_backward");
  const AxisAngleGradient grad(in, grad_rotation);
  const Tensor grad_r = uninitialised(in.r, {in.B, 3});
  dispatch_floating(in.r, "axis_angle_to_matrix_backward", [&](auto type) {
    using T = decltype(type);
    launch_axis_angle_to_matrix_backward<T>(
        {pointer<T>(in.r), pointer<T>(grad.rotation), mutable_pointer<T>(grad_r), in.B}, device.stream());
  });
  return grad_r;
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CUDA, library) {
  library.impl("pose", TORCH_BOX(&stn::pose_cuda));
  library.impl("pose_backward", TORCH_BOX(&stn::pose_backward_cuda));
  library.impl("axis_angle_to_matrix", TORCH_BOX(&stn::axis_angle_to_matrix_cuda));
  library.impl("axis_angle_to_matrix_backward", TORCH_BOX(&stn::axis_angle_to_matrix_backward_cuda));
}
