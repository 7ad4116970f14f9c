// A few vertices of every image, forward and backward: too few to be worth blocks, so one image after another.
#pragma once

#include "common/tensor.h"
#include "pose/pose_math.h"
#include "project/project_math.h"

namespace stn {

template <class T>
struct LandmarkParams {
  const T* theta;             // (B, 6 + K)
  const RigidPose<T>* poses;  // (B,)
  const T* mean;              // (N, 3)
  const T* basis;             // (K, N, 3)
  const int64_t* vertices;    // (L,), outside 0..N-1 = no such vertex
  int64_t B, N, K, L;
};

template <class T>
Vec3<T> landmark_shape(const LandmarkParams<T>& p, int64_t b, int64_t n) {
  const T* alpha = p.theta + b * (6 + p.K) + 6;
  Vec3<T> X = load3(p.mean + 3 * n);
  for (int64_t k = 0; k < p.K; ++k) {
    X = X + alpha[k] * load3(p.basis + 3 * (k * p.N + n));
  }
  return X;
}

// landmarks (B, L, 2) pixels; NaN where there is no such vertex.
template <class T>
void project_landmarks(const LandmarkParams<T>& p, T* landmarks) {
  for (int64_t b = 0; b < p.B; ++b) {
    const RigidPose<T>& pose = p.poses[b];
    for (int64_t l = 0; l < p.L; ++l) {
      const int64_t n = p.vertices[l];
      T* out = landmarks + 2 * (b * p.L + l);
      out[0] = out[1] = std::numeric_limits<T>::quiet_NaN();
      if (n >= 0 && n < p.N) {
        const Vec3<T> point = project_vertex(pose.rotation, pose.scale, pose.translation, landmark_shape(p, b, n));
        out[0] = point.x;
        out[1] = point.y;
      }
    }
  }
}

// Adds the landmarks' part to one image's sums: torque / s, g_x, g_y, h . p, and to alpha over s.
template <class T>
void add_landmark_sums(const LandmarkParams<T>& p, const T* grad_landmarks, int64_t b, double* sums) {
  const RigidPose<T>& pose = p.poses[b];
  for (int64_t l = 0; l < p.L; ++l) {
    const int64_t n = p.vertices[l];
    if (n < 0 || n >= p.N) {
      continue;
    }
    const T* g = grad_landmarks + 2 * (b * p.L + l);
    const Vec3<T> h = y_up(Vec3<T>{g[0], g[1], T(0)});
    const Vec3<T> rotated = pose.rotation * landmark_shape(p, b, n);
    const Vec3<T> torque = cross(rotated, h), grad_shape = transposed_times(pose.rotation, h);
    const T parts[6] = {torque.x, torque.y, torque.z, g[0], g[1], dot(rotated, h)};
    for (int i = 0; i < 6; ++i) {
      sums[i] += static_cast<double>(parts[i]);
    }
    for (int64_t k = 0; k < p.K; ++k) {
      sums[6 + k] += static_cast<double>(dot(load3(p.basis + 3 * (k * p.N + n)), grad_shape));
    }
  }
}

}  // namespace stn
