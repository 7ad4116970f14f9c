// What a function needs to be callable from CPU and CUDA kernels alike.
#pragma once

#if defined(__CUDACC__)
#define STN_HD __host__ __device__ __forceinline__
#else
// Inlined into each instruction set's copy of a kernel (common/each_instruction_set.h), and compiled as part of it.
#define STN_HD inline __attribute__((always_inline))
#endif
