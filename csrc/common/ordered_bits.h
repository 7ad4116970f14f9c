// Floats as the integers that hold their bits, and as integers that order as they do (for .cu files).
#pragma once

#include <cuda_runtime.h>

namespace stn {

__device__ __forceinline__ unsigned int float_bits(float value) {
  return __float_as_uint(value);
}

__device__ __forceinline__ unsigned long long float_bits(double value) {
  return static_cast<unsigned long long>(__double_as_longlong(value));
}

__device__ __forceinline__ float float_of(unsigned int bits) {
  return __uint_as_float(bits);
}

__device__ __forceinline__ double float_of(unsigned long long bits) {
  return __longlong_as_double(static_cast<long long>(bits));
}

// Bits that order as the floats do, also below zero, and are never 0. Zeros of either sign are one; not for NaN.
__device__ __forceinline__ unsigned int ordered_bits(float value) {
  const unsigned int bits = float_bits(value + 0.0f), sign = 1u << 31;
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

__device__ __forceinline__ unsigned long long ordered_bits(double value) {
  const unsigned long long bits = float_bits(value + 0.0), sign = 1ull << 63;
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

template <class T>
using OrderedBits = decltype(ordered_bits(T()));

// The float again.
__device__ __forceinline__ float float_of_ordered(unsigned int bits) {
  const unsigned int sign = 1u << 31;
  return float_of((bits & sign) != 0 ? bits ^ sign : ~bits);
}

__device__ __forceinline__ double float_of_ordered(unsigned long long bits) {
  const unsigned long long sign = 1ull << 63;
  return float_of((bits & sign) != 0 ? bits ^ sign : ~bits);
}

}  // namespace stn
