// Which instruction set the CPU kernels run on: wheels are built for baseline x86-64 and choose at run time.
#pragma once

#include <type_traits>

namespace stn {

enum class InstructionSet { baseline = 0, avx2 = 1, avx512 = 2 };

// The best that this processor has; the environment variable STN3DMM_CPU_INSTRUCTIONS (baseline, avx2 or avx512)
// lowers it, for tests and measurements. Read once.
InstructionSet instruction_set();

// Chooses among the copies of one kernel that common/each_instruction_set.h makes.
template <class Function>
Function* choose_kernel(Function* baseline, Function* avx2, Function* avx512) {
  switch (instruction_set()) {
    case InstructionSet::avx512:
      return avx512;
    case InstructionSet::avx2:
      return avx2;
    default:
      return baseline;
  }
}

}  // namespace stn

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define STN_MULTIPLE_INSTRUCTION_SETS 1
#include <immintrin.h>
#define STN_CHOOSE_KERNEL(...) \
  (::stn::choose_kernel(&::stn::baseline::__VA_ARGS__, &::stn::avx2::__VA_ARGS__, &::stn::avx512::__VA_ARGS__))
#else
#define STN_CHOOSE_KERNEL(...) (&::stn::baseline::__VA_ARGS__)
#endif

// The same for a kernel with coordinates of type T and images of type I. Half images stay with the baseline: nothing
// gathers 16-bit texels, and wider code around their conversions measured slower (docs/performance.md).
#define STN_CHOOSE_IMAGE_KERNEL(T, I, ...)   \
  ([] {                                      \
    if constexpr (std::is_same_v<T, I>) {    \
      return STN_CHOOSE_KERNEL(__VA_ARGS__); \
    } else {                                 \
      return &::stn::baseline::__VA_ARGS__;  \
    }                                        \
  }())
