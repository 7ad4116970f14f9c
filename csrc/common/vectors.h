// Small vectors and matrices for CPU and CUDA kernels.
#pragma once

#include "common/macros.h"

namespace stn {

template <class T>
struct Vec2 {
  T x, y;
};

template <class T>
struct Vec3 {
  T x, y, z;
};

// Row-major.
template <class T>
struct Mat3 {
  T m[3][3];
};

template <class T>
STN_HD Vec3<T> operator+(Vec3<T> a, Vec3<T> b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}

template <class T>
STN_HD Vec3<T> operator-(Vec3<T> a, Vec3<T> b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}

template <class T>
STN_HD Vec3<T> operator*(T s, Vec3<T> a) {
  return {s * a.x, s * a.y, s * a.z};
}

template <class T>
STN_HD T dot(Vec3<T> a, Vec3<T> b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

template <class T>
STN_HD Vec3<T> cross(Vec3<T> a, Vec3<T> b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

template <class T>
STN_HD Vec3<T> operator*(const Mat3<T>& R, Vec3<T> a) {
  return {
      R.m[0][0] * a.x + R.m[0][1] * a.y + R.m[0][2] * a.z,
      R.m[1][0] * a.x + R.m[1][1] * a.y + R.m[1][2] * a.z,
      R.m[2][0] * a.x + R.m[2][1] * a.y + R.m[2][2] * a.z,
  };
}

// R^T a.
template <class T>
STN_HD Vec3<T> transposed_times(const Mat3<T>& R, Vec3<T> a) {
  return {
      R.m[0][0] * a.x + R.m[1][0] * a.y + R.m[2][0] * a.z,
      R.m[0][1] * a.x + R.m[1][1] * a.y + R.m[2][1] * a.z,
      R.m[0][2] * a.x + R.m[1][2] * a.y + R.m[2][2] * a.z,
  };
}

template <class T>
STN_HD Vec3<T> load3(const T* p) {
  return {p[0], p[1], p[2]};
}

template <class T>
STN_HD void store3(T* p, Vec3<T> a) {
  p[0] = a.x;
  p[1] = a.y;
  p[2] = a.z;
}

template <class T>
STN_HD Mat3<T> load_matrix(const T* p) {
  return {{{p[0], p[1], p[2]}, {p[3], p[4], p[5]}, {p[6], p[7], p[8]}}};
}

template <class T>
STN_HD void store_matrix(T* p, const Mat3<T>& R) {
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      p[3 * i + j] = R.m[i][j];
    }
  }
}

// False for NaN and for both infinities, also where the compiler reasons about comparisons with infinity.
template <class T>
STN_HD bool is_finite(T a) {
  return a - a == T(0);
}

template <class T>
STN_HD bool is_finite(Vec3<T> a) {
  return is_finite(a.x) && is_finite(a.y) && is_finite(a.z);
}

}  // namespace stn
