// CUDA's small vectors and the built-in variables.
#pragma once

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {
  }
};

// NAME2, NAME3 and NAME4 of TYPE, aligned as on the device, where a misaligned one is an error.
#define EMULATOR_VECTORS(NAME, TYPE)                                      \
  struct alignas(2 * sizeof(TYPE)) NAME##2 {                              \
    TYPE x, y;                                                            \
  };                                                                      \
  struct NAME##3 {                                                        \
    TYPE x, y, z;                                                         \
  };                                                                      \
  struct alignas(4 * sizeof(TYPE) < 16 ? 4 * sizeof(TYPE) : 16) NAME##4 { \
    TYPE x, y, z, w;                                                      \
  };                                                                      \
  inline NAME##2 make_##NAME##2(TYPE x, TYPE y) {                         \
    return {x, y};                                                        \
  }                                                                       \
  inline NAME##3 make_##NAME##3(TYPE x, TYPE y, TYPE z) {                 \
    return {x, y, z};                                                     \
  }                                                                       \
  inline NAME##4 make_##NAME##4(TYPE x, TYPE y, TYPE z, TYPE w) {         \
    return {x, y, z, w};                                                  \
  }

EMULATOR_VECTORS(char, signed char)
EMULATOR_VECTORS(uchar, unsigned char)
EMULATOR_VECTORS(short, short)
EMULATOR_VECTORS(ushort, unsigned short)
EMULATOR_VECTORS(int, int)
EMULATOR_VECTORS(uint, unsigned)
EMULATOR_VECTORS(longlong, long long)
EMULATOR_VECTORS(ulonglong, unsigned long long)
EMULATOR_VECTORS(float, float)
EMULATOR_VECTORS(double, double)
#undef EMULATOR_VECTORS

// Those of the fibre that runs.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;
