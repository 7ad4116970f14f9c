// Exact visibility of a vertex behind a triangle (docs/math.md#visibility). CPU and CUDA must agree to the last bit,
// so nothing here may be contracted to a fused multiply-add.
#pragma once

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

// Whether the face, whose double area is not 0, contains (x, y), edges included; then `depth` is its plane's depth
// there, kept between its corners' depths whatever rounding does to a sliver.
template <class T>
STN_HD bool covers(Face face, T area, Vec3<T> a, Vec3<T> b, Vec3<T> c, T x, T y, T& depth) {
  const T sign = area > T(0) ? T(1) : T(-1);
  const T wa = sign * edge_function(face.j, b, face.k, c, x, y);
  const T wb = sign * edge_function(face.k, c, face.i, a, x, y);
  const T wc = sign * edge_function(face.i, a, face.j, b, x, y);
  const T sum = wa + wb + wc;
  if (!(wa >= T(0) && wb >= T(0) && wc >= T(0) && sum > T(0))) {
    return false;
  }
  const T plane = (wa * a.z + wb * b.z + wc * c.z) / sum;
  const T low = min3(a.z, b.z, c.z), high = max3(a.z, b.z, c.z);
  depth = plane < low ? low : (plane > high ? high : plane);
  return true;
}

}  // namespace stn
