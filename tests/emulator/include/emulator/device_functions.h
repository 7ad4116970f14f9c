// Device functions that the C library does not have.
#pragma once

#include <cstdint>
#include <cstring>

template <class T>
T __ldg(const T* address) {
  return *address;
}

inline int __popc(unsigned a) {
  return __builtin_popcount(a);
}
inline int __popcll(unsigned long long a) {
  return __builtin_popcountll(a);
}
inline int __ffs(int a) {
  return __builtin_ffs(a);
}
inline int __ffsll(long long a) {
  return __builtin_ffsll(a);
}
inline int __clz(int a) {
  return a == 0 ? 32 : __builtin_clz(static_cast<unsigned>(a));
}
inline int __clzll(long long a) {
  return a == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(a));
}

namespace emulator {

template <class To, class From>
To reinterpreted(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

}  // namespace emulator

inline int __float_as_int(float a) {
  return emulator::reinterpreted<int>(a);
}
inline unsigned __float_as_uint(float a) {
  return emulator::reinterpreted<unsigned>(a);
}
inline float __int_as_float(int a) {
  return emulator::reinterpreted<float>(a);
}
inline float __uint_as_float(unsigned a) {
  return emulator::reinterpreted<float>(a);
}
inline long long __double_as_longlong(double a) {
  return emulator::reinterpreted<long long>(a);
}
inline double __longlong_as_double(long long a) {
  return emulator::reinterpreted<double>(a);
}

// Rounded to nearest and never contracted; g++ is told -ffp-contract=off besides.
inline float __fadd_rn(float a, float b) {
  return a + b;
}
inline float __fsub_rn(float a, float b) {
  return a - b;
}
inline float __fmul_rn(float a, float b) {
  return a * b;
}
inline float __fdiv_rn(float a, float b) {
  return a / b;
}
inline float __fmaf_rn(float a, float b, float c) {
  return fmaf(a, b, c);
}
inline double __dadd_rn(double a, double b) {
  return a + b;
}
inline double __dsub_rn(double a, double b) {
  return a - b;
}
inline double __dmul_rn(double a, double b) {
  return a * b;
}
inline double __ddiv_rn(double a, double b) {
  return a / b;
}
inline double __fma_rn(double a, double b, double c) {
  return fma(a, b, c);
}

// For numbers of one type, as nvcc has them; floating ones drop a NaN as fmin and fmax do.
#define EMULATOR_EXTREMA(TYPE)      \
  inline TYPE min(TYPE a, TYPE b) { \
    return a < b ? a : b;           \
  }                                 \
  inline TYPE max(TYPE a, TYPE b) { \
    return a > b ? a : b;           \
  }
EMULATOR_EXTREMA(int)
EMULATOR_EXTREMA(unsigned)
EMULATOR_EXTREMA(long)
EMULATOR_EXTREMA(unsigned long)
EMULATOR_EXTREMA(long long)
EMULATOR_EXTREMA(unsigned long long)
#undef EMULATOR_EXTREMA
inline float min(float a, float b) {
  return fminf(a, b);
}
inline float max(float a, float b) {
  return fmaxf(a, b);
}
inline double min(double a, double b) {
  return fmin(a, b);
}
inline double max(double a, double b) {
  return fmax(a, b);
}
