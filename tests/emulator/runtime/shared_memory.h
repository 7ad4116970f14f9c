// The shared arrays of all kernels, which runtime/shared_memory.ld puts side by side.
#pragma once

extern "C" {
extern char emulator_shared_begin[] __attribute__((visibility("hidden")));
extern char emulator_shared_end[] __attribute__((visibility("hidden")));
}

namespace emulator {

// With numbers that are NaN as float, double, half and bfloat16, and far out of range as indices.
void fill_shared_memory();

inline bool is_shared(const void* address) {
  return address >= emulator_shared_begin && address < emulator_shared_end;
}

}  // namespace emulator
