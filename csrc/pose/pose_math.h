// theta -> rotation, translation, scale: Rodrigues' formula and its derivative (docs/math.md#pose).
#pragma once

#include <cmath>
#include <cstdint>

#include "common/vectors.h"

namespace stn {

// With t = |r|:  a = sin t / t,  b = (1 - cos t) / t^2,  c = (t - sin t) / t^3.
template <class T>
struct RodriguesCoefficients {
  T a, b, c;
};

// 1/m! - t2/(m+2)! + t2^2/(m+4)! - ...: sin t / t for m = 1, (1 - cos t) / t^2 for m = 2, (t - sin t) / t^3 for m = 3.
// Ten terms are exact to float64 rounding for t <= 1.
template <class T>
STN_HD T alternating_factorial_series(T t2, int m) {
  T sum = T(1);
  for (int n = 9; n >= 1; --n) {
    const T below = T((m + 2 * n - 1) * (m + 2 * n));
    sum = T(1) - t2 / below * sum;
  }
  return m == 1 ? sum : (m == 2 ? sum / T(2) : sum / T(6));
}

// The closed forms lose digits to cancellation near t = 0, (t - sin t) / t^3 most, so the series reaches up to t = 1.
template <class T>
STN_HD RodriguesCoefficients<T> rodrigues_coefficients(T t2) {
  if (t2 <= T(1)) {
    return {
        alternating_factorial_series(t2, 1),
        alternating_factorial_series(t2, 2),
        alternating_factorial_series(t2, 3),
    };
  }
  const T t = std::sqrt(t2);
  const T sine = std::sin(t);
  return {sine / t, (T(1) - std::cos(t)) / t2, (t - sine) / (t2 * t)};
}

// R = I + a [r]x + b [r]x^2.
template <class T>
STN_HD Mat3<T> axis_angle_to_matrix(Vec3<T> r) {
  const T t2 = dot(r, r);
  const RodriguesCoefficients<T> k = rodrigues_coefficients(t2);
  const T d = T(1) - k.b * t2;
  return {{
      {d + k.b * r.x * r.x, k.b * r.x * r.y - k.a * r.z, k.b * r.x * r.z + k.a * r.y},
      {k.b * r.x * r.y + k.a * r.z, d + k.b * r.y * r.y, k.b * r.y * r.z - k.a * r.x},
      {k.b * r.x * r.z - k.a * r.y, k.b * r.y * r.z + k.a * r.x, d + k.b * r.z * r.z},
  }};
}

// dL/dr = J^T torque, where J = I + b [r]x + c [r]x^2 is the left Jacobian of SO(3) and torque is dL/dw for the
// rotation exp([w]x) R at w = 0.
template <class T>
STN_HD Vec3<T> left_jacobian_transposed(Vec3<T> r, Vec3<T> torque) {
  const RodriguesCoefficients<T> k = rodrigues_coefficients(dot(r, r));
  const Vec3<T> once = cross(r, torque);
  return torque - k.b * once + k.c * cross(r, once);
}

// The torque of a gradient G to R: dL = sum G_ij ([w]x R)_ij, the axial vector of G R^T.
template <class T>
STN_HD Vec3<T> torque_of_matrix_gradient(const Mat3<T>& G, const Mat3<T>& R) {
  T M[3][3];
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      M[i][j] = G.m[i][0] * R.m[j][0] + G.m[i][1] * R.m[j][1] + G.m[i][2] * R.m[j][2];
    }
  }
  return {M[2][1] - M[1][2], M[0][2] - M[2][0], M[1][0] - M[0][1]};
}

template <class T>
STN_HD Vec3<T> axis_angle_to_matrix_vjp(Vec3<T> r, const Mat3<T>& grad_rotation) {
  return left_jacobian_transposed(r, torque_of_matrix_gradient(grad_rotation, axis_angle_to_matrix(r)));
}

// theta = (r[3], t[2], log s, alpha[K]); this is its first six entries.
template <class T>
struct RigidPose {
  Mat3<T> rotation;
  Vec2<T> translation;  // pixels
  T scale;              // pixels per model unit
};

template <class T>
STN_HD RigidPose<T> rigid_pose(const T* theta) {
  return {axis_angle_to_matrix(load3(theta)), {theta[3], theta[4]}, std::exp(theta[5])};
}

// The gradient to those six entries from the gradients to rotation, translation and scale.
template <class T>
STN_HD void rigid_pose_vjp(const T* theta, const RigidPose<T>& grad, T* grad_theta) {
  store3(grad_theta, axis_angle_to_matrix_vjp(load3(theta), grad.rotation));
  grad_theta[3] = grad.translation.x;
  grad_theta[4] = grad.translation.y;
  grad_theta[5] = std::exp(theta[5]) * grad.scale;
}

// NaN in every part: the image then has no points.
template <class T>
STN_HD RigidPose<T> no_pose() {
  const T nan = T(NAN);
  return {{{{nan, nan, nan}, {nan, nan, nan}, {nan, nan, nan}}}, {nan, nan}, nan};
}

// The pose, or none if an entry of theta or of the pose is not finite.
template <class T>
STN_HD RigidPose<T> sound_pose(const T* theta, int64_t D) {
  const RigidPose<T> pose = rigid_pose(theta);
  bool sound = is_finite(pose.scale);
  for (int64_t i = 0; i < D; ++i) {
    sound = sound & is_finite(theta[i]);  // no branch, so that the reads overlap
  }
  for (int i = 0; i < 3; ++i) {
    sound = sound & is_finite(Vec3<T>{pose.rotation.m[i][0], pose.rotation.m[i][1], pose.rotation.m[i][2]});
  }
  return sound ? pose : no_pose<T>();
}

}  // namespace stn
