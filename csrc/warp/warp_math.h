// The parts of the fused chain that no other room has (docs/math.md#warp).
#pragma once

#include <cmath>

#include "pose/pose_math.h"
#include "project/project_math.h"

namespace stn {

// right = W - 1, bottom = H - 1. A point that is not finite is nowhere.
template <class T>
STN_HD bool in_image(T x, T y, T depth, T right, T bottom) {
  return (x >= T(0)) & (x <= right) & (y >= T(0)) & (y <= bottom) & is_finite(depth);
}

// One vertex of an image's shape; mean is (N, 3), basis (K, N, 3).
template <class T>
STN_HD Vec3<T> shape_vertex(const T* mean, const T* basis, int64_t N, int64_t K, const T* alpha, int64_t n) {
  Vec3<T> X = load3(mean + 3 * n);
  for (int64_t k = 0; k < K; ++k) {
    X = X + alpha[k] * load3(basis + 3 * (k * N + n));
  }
  return X;
}

// Its x, y in the image; NaN where the index names no vertex.
template <class T>
STN_HD Vec2<T> landmark_point(
    const T* mean, const T* basis, int64_t N, int64_t K, const T* alpha, const RigidPose<T>& pose, int64_t n) {
  if (n < 0 || n >= N) {
    return {T(NAN), T(NAN)};
  }
  const Vec3<T> X = shape_vertex(mean, basis, N, K, alpha, n);
  const Vec3<T> point = project_vertex(pose.rotation, pose.scale, pose.translation, X);
  return {point.x, point.y};
}

// Sums of an image's gradient to its rigid pose: torque / s (3), g_x, g_y, h . p; then K to alpha, over s.
constexpr int kRigidSums = 6;

// One vertex's part of them; h = (g_x, -g_y, 0), p = R X.
template <class T>
struct RigidSums {
  T values[kRigidSums];
};

template <class T>
STN_HD RigidSums<T> rigid_sums_of(Vec3<T> p, Vec3<T> h) {
  const Vec3<T> torque = cross(p, h);
  return {{torque.x, torque.y, torque.z, h.x, -h.y, dot(p, h)}};
}

// The first six entries of an image's row of grad_theta. That to alpha is s times its sum; all of the row is 0 for an
// unsound pose, which no gradient can mend.
template <class T>
STN_HD void store_rigid_gradient(const T* theta, T scale, const double* sums, T* grad_theta) {
  const double s = static_cast<double>(scale);
  const Vec3<double> torque = {s * sums[0], s * sums[1], s * sums[2]};
  const Vec3<double> r = {static_cast<double>(theta[0]), static_cast<double>(theta[1]), static_cast<double>(theta[2])};
  const Vec3<double> grad_r = left_jacobian_transposed(r, torque);
  const double all[kRigidSums] = {grad_r.x, grad_r.y, grad_r.z, sums[3], sums[4], s * sums[5]};
  for (int i = 0; i < kRigidSums; ++i) {
    grad_theta[i] = static_cast<T>(all[i]);
  }
}

}  // namespace stn
