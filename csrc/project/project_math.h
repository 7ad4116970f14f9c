// Scaled orthographic projection of one vertex and its derivative (docs/math.md#points).
#pragma once

#include <cstdint>

#include "common/vectors.h"

namespace stn {

// (x, y, depth) = s (R X) + (t_x, t_y, 0), with y flipped into the image; p is R X.
template <class T>
STN_HD Vec3<T> project_rotated(T s, Vec2<T> t, Vec3<T> p) {
  return {s * p.x + t.x, t.y - s * p.y, s * p.z};
}

template <class T>
STN_HD Vec3<T> project_vertex(const Mat3<T>& R, T s, Vec2<T> t, Vec3<T> X) {
  return project_rotated(s, t, R * X);
}

// The gradient (g_x, g_y, g_depth) in the image frame, turned into the y-up frame.
template <class T>
STN_HD Vec3<T> y_up(Vec3<T> g) {
  return {g.x, -g.y, g.z};
}

// With h = y_up(g) and p = R X:  dL/dX = s R^T h,  dL/dR = s sum h X^T,  dL/dt = (sum g_x, sum g_y),
// dL/ds = sum h . p;  for the pose as a whole, torque = s sum p x h and dL/d log s = s sum h . p.
template <class T>
STN_HD Vec3<T> project_vertex_vjp(const Mat3<T>& R, T s, Vec3<T> h) {
  return s * transposed_times(R, h);
}

// What the gradient to the pose is made of, in this order: sum h X^T (3 x 3), sum h . p, sum g_x, sum g_y.
constexpr int kPoseSums = 12;

// Adds one vertex's terms to the sums, which may be wider than T.
template <class T, class Sum>
STN_HD void add_pose_terms(const Mat3<T>& R, Vec3<T> g, Vec3<T> X, Sum* sums) {
  const Vec3<T> h = y_up(g);
  const T h_parts[3] = {h.x, h.y, h.z}, X_parts[3] = {X.x, X.y, X.z};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      sums[3 * i + j] += static_cast<Sum>(h_parts[i] * X_parts[j]);
    }
  }
  sums[9] += static_cast<Sum>(dot(h, R * X));
  sums[10] += static_cast<Sum>(g.x);
  sums[11] += static_cast<Sum>(g.y);
}

template <class T>
struct ProjectPoseGradients {
  T* rotation;     // (B, 3, 3)
  T* translation;  // (B, 2)
  T* scale;        // (B,)
};

// Puts sum number i of image b where it belongs; s is the image's scale.
template <class T>
STN_HD void store_pose_gradient(const ProjectPoseGradients<T>& out, int64_t b, int64_t i, double sum, T s) {
  if (i < 9) {
    out.rotation[9 * b + i] = static_cast<T>(static_cast<double>(s) * sum);
  } else if (i == 9) {
    out.scale[b] = static_cast<T>(sum);
  } else {
    out.translation[2 * b + i - 10] = static_cast<T>(sum);
  }
}

}  // namespace stn
