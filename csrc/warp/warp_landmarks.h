// A few vertices of every image, forward and backward: too few to be worth blocks, so one image after another.
#pragma once

#include "warp/warp_math.h"

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

// landmarks (B, L, 2) pixels.
template <class T>
void project_landmarks(const LandmarkParams<T>& p, T* landmarks) {
  for (int64_t b = 0; b < p.B; ++b) {
    const T* alpha = p.theta + b * (6 + p.K) + 6;
    for (int64_t l = 0; l < p.L; ++l) {
      const Vec2<T> point = landmark_point(p.mean, p.basis, p.N, p.K, alpha, p.poses[b], p.vertices[l]);
      landmarks[2 * (b * p.L + l)] = point.x;
      landmarks[2 * (b * p.L + l) + 1] = point.y;
    }
  }
}

// Adds the landmarks' part to one image's sums: kRigidSums, then K to alpha, over s.
template <class T>
void add_landmark_sums(const LandmarkParams<T>& p, const T* grad_landmarks, int64_t b, double* sums) {
  const RigidPose<T>& pose = p.poses[b];
  const T* alpha = p.theta + b * (6 + p.K) + 6;
  for (int64_t l = 0; l < p.L; ++l) {
    const int64_t n = p.vertices[l];
    if (n < 0 || n >= p.N) {
      continue;
    }
    const T* g = grad_landmarks + 2 * (b * p.L + l);
    const Vec3<T> h = y_up(Vec3<T>{g[0], g[1], T(0)});
    const RigidSums<T> part = rigid_sums_of(pose.rotation * shape_vertex(p.mean, p.basis, p.N, p.K, alpha, n), h);
    for (int i = 0; i < kRigidSums; ++i) {
      sums[i] += static_cast<double>(part.values[i]);
    }
    const Vec3<T> grad_shape = transposed_times(pose.rotation, h);
    for (int64_t k = 0; k < p.K; ++k) {
      sums[kRigidSums + k] += static_cast<double>(dot(load3(p.basis + 3 * (k * p.N + n)), grad_shape));
    }
  }
}

}  // namespace stn
