// One image at a time: a few hundred operations each, so nothing is blocked or vectorised.
#include "pose/pose_inputs.h"
#include "pose/pose_math.h"

namespace stn {
namespace {

std::tuple<Tensor, Tensor, Tensor, Tensor> pose_cpu(const Tensor& theta) {
  const PoseInputs in(theta, "pose");
  const PoseOutputs out(in);
  dispatch_floating(in.theta, "pose", [&](auto type) {
    using T = decltype(type);
    for (int64_t b = 0; b < in.B; ++b) {
      const T* row = pointer<T>(in.theta) + b * in.D;
      const RigidPose<T> rigid = rigid_pose(row);
      store_matrix(mutable_pointer<T>(out.rotation) + 9 * b, rigid.rotation);
      mutable_pointer<T>(out.translation)[2 * b] = rigid.translation.x;
      mutable_pointer<T>(out.translation)[2 * b + 1] = rigid.translation.y;
      mutable_pointer<T>(out.scale)[b] = rigid.scale;
      std::copy(row + 6, row + in.D, mutable_pointer<T>(out.alpha) + b * in.K);
    }
  });
  return out.all();
}

Tensor pose_backward_cpu(
    const Tensor& theta, const Tensor& grad_rotation, const Tensor& grad_translation, const Tensor& grad_scale,
    const Tensor& grad_alpha) {
  const PoseInputs in(theta, "pose_backward");
  const PoseGradients grads(in, grad_rotation, grad_translation, grad_scale, grad_alpha);
  const Tensor grad_theta = uninitialised(in.theta, {in.B, in.D});
  dispatch_floating(in.theta, "pose_backward", [&](auto type) {
    using T = decltype(type);
    for (int64_t b = 0; b < in.B; ++b) {
      const T* translation = pointer<T>(grads.translation) + 2 * b;
      const RigidPose<T> grad = {
          load_matrix(pointer<T>(grads.rotation) + 9 * b),
          {translation[0], translation[1]},
          pointer<T>(grads.scale)[b],
      };
      T* out = mutable_pointer<T>(grad_theta) + b * in.D;
      rigid_pose_vjp(pointer<T>(in.theta) + b * in.D, grad, out);
      std::copy(pointer<T>(grads.alpha) + b * in.K, pointer<T>(grads.alpha) + (b + 1) * in.K, out + 6);
    }
  });
  return grad_theta;
}

Tensor axis_angle_to_matrix_cpu(const Tensor& r) {
  const AxisAngleInputs in(r, "axis_angle_to_matrix");
  const Tensor rotation = uninitialised(in.r, {in.B, 3, 3});
  dispatch_floating(in.r, "axis_angle_to_matrix", [&](auto type) {
    using T = decltype(type);
    for (int64_t b = 0; b < in.B; ++b) {
      store_matrix(mutable_pointer<T>(rotation) + 9 * b, axis_angle_to_matrix(load3(pointer<T>(in.r) + 3 * b)));
    }
  });
  return rotation;
}

Tensor axis_angle_to_matrix_backward_cpu(const Tensor& grad_rotation, const Tensor& r) {
  const AxisAngleInputs in(r, "axis_angle_to_matrix_backward");
  const AxisAngleGradient grad(in, grad_rotation);
  const Tensor grad_r = uninitialised(in.r, {in.B, 3});
  dispatch_floating(in.r, "axis_angle_to_matrix_backward", [&](auto type) {
    using T = decltype(type);
    for (int64_t b = 0; b < in.B; ++b) {
      const Mat3<T> G = load_matrix(pointer<T>(grad.rotation) + 9 * b);
      store3(mutable_pointer<T>(grad_r) + 3 * b, axis_angle_to_matrix_vjp(load3(pointer<T>(in.r) + 3 * b), G));
    }
  });
  return grad_r;
}

}  // namespace
}  // namespace stn

STABLE_TORCH_LIBRARY_IMPL(stn3dmm, CPU, library) {
  library.impl("pose", TORCH_BOX(&stn::pose_cpu));
  library.impl("pose_backward", TORCH_BOX(&stn::pose_backward_cpu));
  library.impl("axis_angle_to_matrix", TORCH_BOX(&stn::axis_angle_to_matrix_cpu));
  library.impl("axis_angle_to_matrix_backward", TORCH_BOX(&stn::axis_angle_to_matrix_backward_cpu));
}
