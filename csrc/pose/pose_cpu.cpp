// One image at a time: a few hundred operations each, so nothing is blocked or vectorised.
#include "common/tensor.h"
#include "pose/pose_math.h"

namespace stn {
namespace {

std::tuple<Tensor, Tensor, Tensor, Tensor> pose_cpu(const Tensor& theta_in) {
  require(theta_in.dim() == 2 && theta_in.size(1) >= 6, "pose: theta must be (B, 6 + K)");
  const Tensor theta = as_contiguous(theta_in);
  const int64_t B = theta.size(0), D = theta.size(1), K = D - 6;
  const Tensor rotation = uninitialised(theta, {B, 3, 3});
  const Tensor translation = uninitialised(theta, {B, 2});
  const Tensor scale = uninitialised(theta, {B});
  const Tensor alpha = uninitialised(theta, {B, K});
  dispatch_floating(theta, "pose", [&](auto type) {
    using T = decltype(type);
    for (int64_t b = 0; b < B; ++b) {
      const T* row = pointer<T>(theta) + b * D;
      const RigidPose<T> rigid = rigid_pose(row);
      store_matrix(mutable_pointer<T>(rotation) + 9 * b, rigid.rotation);
      mutable_pointer<T>(translation)[2 * b] = rigid.translation.x;
      mutable_pointer<T>(translation)[2 * b + 1] = rigid.translation.y;
      mutable_pointer<T>(scale)[b] = rigid.scale;
      std::copy(row + 6, row + D, mutable_pointer<T>(alpha) + b * K);
    }
  });
  return {rotation, translation, scale, alpha};
}

Tensor pose_backward_cpu(
    const Tensor& theta_in, const Tensor& grad_rotation_in, const Tensor& grad_translation_in,
    const Tensor& grad_scale_in, const Tensor& grad_alpha_in) {
  require(theta_in.dim() == 2 && theta_in.size(1) >= 6, "pose_backward: theta must be (B, 6 + K)");
  const Tensor theta = as_contiguous(theta_in);
  const int64_t B = theta.size(0), D = theta.size(1), K = D - 6;
  const Tensor grad_rotation = as_contiguous(grad_rotation_in);
  const Tensor grad_translation = as_contiguous(grad_translation_in);
  const Tensor grad_scale = as_contiguous(grad_scale_in);
  const Tensor grad_alpha = as_contiguous(grad_alpha_in);
  require_shape(grad_rotation, {B, 3, 3}, "pose_backward: grad_rotation must be (B, 3, 3)");
  require_shape(grad_translation, {B, 2}, "pose_backward: grad_translation must be (B, 2)");
  require_shape(grad_scale, {B}, "pose_backward: grad_scale must be (B,)");
  require_shape(grad_alpha, {B, K}, "pose_backward: grad_alpha must be (B, K)");
  require_dtype_of(
      theta, {&grad_rotation, &grad_translation, &grad_scale, &grad_alpha},
      "pose_backward: all arguments must have one dtype");
  const Tensor grad_theta = uninitialised(theta, {B, D});
  dispatch_floating(theta, "pose_backward", [&](auto type) {
    using T = decltype(type);
    for (int64_t b = 0; b < B; ++b) {
      const T* row = pointer<T>(theta) + b * D;
      T* out = mutable_pointer<T>(grad_theta) + b * D;
      store3(out, axis_angle_to_matrix_vjp(load3(row), load_matrix(pointer<T>(grad_rotation) + 9 * b)));
      out[3] = pointer<T>(grad_translation)[2 * b];
      out[4] = pointer<T>(grad_translation)[2 * b + 1];
      out[5] = std::exp(row[5]) * pointer<T>(grad_scale)[b];
      std::copy(pointer<T>(grad_alpha) + b * K, pointer<T>(grad_alpha) + (b + 1) * K, out + 6);
    }
  });
  return grad_theta;
}

Tensor axis_angle_to_matrix_cpu(const Tensor& r_in) {
  require(r_in.dim() == 2 && r_in.size(1) == 3, "axis_angle_to_matrix: r must be (B, 3)");
  const Tensor r = as_contiguous(r_in);
  const int64_t B = r.size(0);
  const Tensor rotation = uninitialised(r, {B, 3, 3});
  dispatch_floating(r, "axis_angle_to_matrix", [&](auto type) {
    using T = decltype(type);
    for (int64_t b = 0; b < B; ++b) {
      store_matrix(mutable_pointer<T>(rotation) + 9 * b, axis_angle_to_matrix(load3(pointer<T>(r) + 3 * b)));
    }
  });
  return rotation;
}

Tensor axis_angle_to_matrix_backward_cpu(const Tensor& grad_rotation_in, const Tensor& r_in) {
  require(r_in.dim() == 2 && r_in.size(1) == 3, "axis_angle_to_matrix_backward: r must be (B, 3)");
  const Tensor r = as_contiguous(r_in);
  const Tensor grad_rotation = as_contiguous(grad_rotation_in);
  const int64_t B = r.size(0);
  require_shape(grad_rotation, {B, 3, 3}, "axis_angle_to_matrix_backward: grad_rotation must be (B, 3, 3)");
  require_dtype_of(r, {&grad_rotation}, "axis_angle_to_matrix_backward: both arguments must have one dtype");
  const Tensor grad_r = uninitialised(r, {B, 3});
  dispatch_floating(r, "axis_angle_to_matrix_backward", [&](auto type) {
    using T = decltype(type);
    for (int64_t b = 0; b < B; ++b) {
      const Mat3<T> G = load_matrix(pointer<T>(grad_rotation) + 9 * b);
      store3(mutable_pointer<T>(grad_r) + 3 * b, axis_angle_to_matrix_vjp(load3(pointer<T>(r) + 3 * b), G));
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
