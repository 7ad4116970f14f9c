// Scaled orthographic projection of one vertex and its derivative (docs/math.md#points).
#pragma once

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

}  // namespace stn
