// Exact visibility of a vertex behind a triangle (docs/math.md#visibility). CPU and CUDA must agree to the last bit,
// so nothing here may be contracted to a fused multiply-add.
#pragma once

#include <cmath>
#include <cstdint>

#include "common/vectors.h"

namespace stn {

// Three vertex indices, counter-clockwise seen from outside.
struct Face {
  int32_t i, j, k;
};

// Triangle `which` (0 or 1) of the grid cell whose first corner is vertex `first`.
STN_HD Face grid_face(int32_t first, int32_t Q, int32_t which) {
  return which == 0 ? Face{first, first + Q, first + 1} : Face{first + Q + 1, first + 1, first + Q};
}

// Twice the signed area of (a, b, p); y points down, so a triangle that faces the viewer is negative.
template <class T>
STN_HD T double_area(Vec3<T> a, Vec3<T> b, T x, T y) {
  return (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x);
}

// The same for an edge between vertices i and j, evaluated from the lower index to the higher and then signed: two
// triangles that share an edge get exactly opposite values, and no point slips between them.
template <class T>
STN_HD T edge_function(int32_t i, Vec3<T> a, int32_t j, Vec3<T> b, T x, T y) {
  return i < j ? double_area(a, b, x, y) : -double_area(b, a, x, y);
}

// Twice the signed area of a triangle that can occlude; 0 for one that cannot: degenerate, or a corner not finite.
template <class T>
STN_HD T occluder_area(Vec3<T> a, Vec3<T> b, Vec3<T> c) {
  const T area = double_area(a, b, c.x, c.y);
  const T zero_if_finite = (area - area) + (a.z - a.z) + (b.z - b.z) + (c.z - c.z);
  return zero_if_finite == T(0) ? area : T(0);
}

template <class T>
STN_HD T min3(T a, T b, T c) {
  const T d = a < b ? a : b;
  return d < c ? d : c;
}

template <class T>
STN_HD T max3(T a, T b, T c) {
  const T d = a > b ? a : b;
  return d > c ? d : c;
}

// How much of a face lies opposite each of its corners as seen from a point, times a factor that they share; none is
// negative inside the face, edges included.
template <class T>
struct FaceWeights {
  T a, b, c;

  STN_HD T sum() const {
    return a + b + c;
  }
};

// At (x, y), of a face whose double area is not 0.
template <class T>
STN_HD FaceWeights<T> face_weights(Face face, T area, Vec3<T> a, Vec3<T> b, Vec3<T> c, T x, T y) {
  const T sign = area > T(0) ? T(1) : T(-1);
  return {
      sign * edge_function(face.j, b, face.k, c, x, y), sign * edge_function(face.k, c, face.i, a, x, y),
      sign * edge_function(face.i, a, face.j, b, x, y)};
}

// The depth of the face's plane there, kept between its corners' depths whatever rounding does to a sliver.
template <class T>
STN_HD T plane_depth(FaceWeights<T> w, Vec3<T> a, Vec3<T> b, Vec3<T> c) {
  const T plane = (w.a * a.z + w.b * b.z + w.c * c.z) / w.sum();
  const T low = min3(a.z, b.z, c.z), high = max3(a.z, b.z, c.z);
  return plane < low ? low : (plane > high ? high : plane);
}

// Whether the face, whose double area is not 0, contains (x, y), edges included; then `depth` is its plane's there.
template <class T>
STN_HD bool covers(Face face, T area, Vec3<T> a, Vec3<T> b, Vec3<T> c, T x, T y, T& depth) {
  const FaceWeights<T> w = face_weights(face, area, a, b, c, x, y);
  if (!(w.a >= T(0) && w.b >= T(0) && w.c >= T(0) && w.sum() > T(0))) {
    return false;
  }
  depth = plane_depth(w, a, b, c);
  return true;
}

// The step of soft visibility, in pixels of depth.
template <class T>
struct SoftStep {
  T tolerance, temperature;
};

// sigma(q) or, as its derivative, sigma(q) (1 - sigma(q)), q how far the vertex lies before its occluder.
template <class T>
STN_HD T soft_visible(SoftStep<T> step, T depth, T occluder) {
  const T q = (depth - occluder + step.tolerance) / step.temperature, e = std::exp(-std::fabs(q));
  return (q < T(0) ? e : T(1)) / (T(1) + e);
}

template <class T>
STN_HD T soft_visible_slope(SoftStep<T> step, T depth, T occluder) {
  const T q = (depth - occluder + step.tolerance) / step.temperature, e = std::exp(-std::fabs(q));
  return e / ((T(1) + e) * (T(1) + e) * step.temperature);
}

// The gradient to a vertex; corner i of its winner gets -lambda_i times the same.
template <class T>
struct SoftGradient {
  Vec3<T> to_vertex;
  Vec3<T> lambda;
};

// A weight as a share of all, which rounding must not take out of 0..1.
template <class T>
STN_HD T share_of(T weight, T sum) {
  const T share = weight / sum;
  return share < T(0) ? T(0) : (share > T(1) ? T(1) : share);
}

// The slope of a plane through three corners along one axis, given their depths and how far b and c lie from a along
// the other axis. Where products overflow, they are taken again of depths between -1 and 1.
template <class T>
STN_HD T plane_slope(T depth_a, T depth_b, T depth_c, T aside_b, T aside_c, T area) {
  const T ab = depth_b - depth_a, ac = depth_c - depth_a;
  const T slope = (ab * aside_c - ac * aside_b) / area;
  if (slope - slope == T(0)) {
    return slope;
  }
  const T half = T(0.5), half_ab = half * depth_b - half * depth_a, half_ac = half * depth_c - half * depth_a;
  const T steeper = std::fmax(std::fabs(half_ab), std::fabs(half_ac));
  const T rise = half_ab / steeper * (half * aside_c) - half_ac / steeper * (half * aside_b);
  return rise / area * steeper * T(4);
}

// For vertex p with the winner (a, b, c). Where the step is flat, no slope of the winner counts, however steep.
template <class T>
STN_HD SoftGradient<T> soft_visible_vjp(
    SoftStep<T> step, Face face, Vec3<T> a, Vec3<T> b, Vec3<T> c, Vec3<T> p, T grad) {
  const T area = occluder_area(a, b, c);
  const FaceWeights<T> w = face_weights(face, area, a, b, c, p.x, p.y);
  const T delta = grad * soft_visible_slope(step, p.z, plane_depth(w, a, b, c));
  if (area == T(0) || delta == T(0)) {
    return {};
  }
  const T slope_x = plane_slope(a.z, b.z, c.z, b.y - a.y, c.y - a.y, area);
  const T slope_y = plane_slope(a.z, c.z, b.z, c.x - a.x, b.x - a.x, area);
  const T sum = w.sum();
  return {{-delta * slope_x, -delta * slope_y, delta}, {share_of(w.a, sum), share_of(w.b, sum), share_of(w.c, sum)}};
}

}  // namespace stn
