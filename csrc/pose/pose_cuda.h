// Launchers of the pose kernels.
#pragma once

#include <cstdint>

#include "common/cuda_stream.h"

namespace stn {

// Backward, the parts of the pose are the gradients to them.
template <class Real>
struct PoseParts {
  Real* rotation;     // (B, 3, 3)
  Real* translation;  // (B, 2) pixels
  Real* scale;        // (B,) pixels per model unit
  Real* alpha;        // (B, K)
};

template <class T>
struct PoseParams {
  const T* theta;  // (B, D)
  int64_t B, D;    // D = 6 + K
  PoseParts<T> out;
};

template <class T>
struct PoseBackwardParams {
  const T* theta;  // (B, D)
  int64_t B, D;    // D = 6 + K
  PoseParts<const T> grad;
  T* grad_theta;  // (B, D)
};

template <class T>
struct AxisAngleParams {
  const T* r;              // (B, 3) radians
  const T* grad_rotation;  // (B, 3, 3), backward only
  T* out;                  // rotation (B, 3, 3); backward: grad_r (B, 3)
  int64_t B;
};

template <class T>
void launch_pose(const PoseParams<T>& params, CudaStream stream);
template <class T>
void launch_pose_backward(const PoseBackwardParams<T>& params, CudaStream stream);
template <class T>
void launch_axis_angle_to_matrix(const AxisAngleParams<T>& params, CudaStream stream);
template <class T>
void launch_axis_angle_to_matrix_backward(const AxisAngleParams<T>& params, CudaStream stream);

}  // namespace stn
