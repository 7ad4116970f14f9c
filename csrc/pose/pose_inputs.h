// The arguments of pose, axis_angle_to_matrix and their backward operators, contiguous and of matching sizes, and the
// results of pose.
#pragma once

#include <tuple>

#include "common/tensor.h"

namespace stn {

struct PoseInputs {
  Tensor theta;
  int64_t B, D, K;

  PoseInputs(const Tensor& theta_in, const char* what) {
    STD_TORCH_CHECK(theta_in.dim() == 2 && theta_in.size(1) >= 6, what, ": theta must be (B, 6 + K)");
    theta = as_contiguous(theta_in);
    B = theta.size(0), D = theta.size(1), K = D - 6;
  }
};

// What pose returns, yet to be written.
struct PoseOutputs {
  Tensor rotation, translation, scale, alpha;

  explicit PoseOutputs(const PoseInputs& in)
      : rotation(uninitialised(in.theta, {in.B, 3, 3})), translation(uninitialised(in.theta, {in.B, 2})),
        scale(uninitialised(in.theta, {in.B})), alpha(uninitialised(in.theta, {in.B, in.K})) {
  }

  std::tuple<Tensor, Tensor, Tensor, Tensor> all() const {
    return {rotation, translation, scale, alpha};
  }
};

struct PoseGradients {
  Tensor rotation, translation, scale, alpha;

  PoseGradients(
      const PoseInputs& in, const Tensor& rotation_in, const Tensor& translation_in, const Tensor& scale_in,
      const Tensor& alpha_in)
      : rotation(as_contiguous(rotation_in)), translation(as_contiguous(translation_in)),
        scale(as_contiguous(scale_in)), alpha(as_contiguous(alpha_in)) {
    require_shape(rotation, {in.B, 3, 3}, "pose_backward: grad_rotation must be (B, 3, 3)");
    require_shape(translation, {in.B, 2}, "pose_backward: grad_translation must be (B, 2)");
    require_shape(scale, {in.B}, "pose_backward: grad_scale must be (B,)");
    require_shape(alpha, {in.B, in.K}, "pose_backward: grad_alpha must be (B, K)");
    require_dtype_of(
        in.theta, {&rotation, &translation, &scale, &alpha}, "pose_backward: all arguments must have one dtype");
  }
};

struct AxisAngleInputs {
  Tensor r;
  int64_t B;

  AxisAngleInputs(const Tensor& r_in, const char* what) {
    STD_TORCH_CHECK(r_in.dim() == 2 && r_in.size(1) == 3, what, ": r must be (B, 3)");
    r = as_contiguous(r_in);
    B = r.size(0);
  }
};

struct AxisAngleGradient {
  Tensor rotation;

  AxisAngleGradient(const AxisAngleInputs& in, const Tensor& rotation_in) : rotation(as_contiguous(rotation_in)) {
    require_shape(rotation, {in.B, 3, 3}, "axis_angle_to_matrix_backward: grad_rotation must be (B, 3, 3)");
    require_dtype_of(in.r, {&rotation}, "axis_angle_to_matrix_backward: both arguments must have one dtype");
  }
};

}  // namespace stn
