#include "runtime/shared_memory.h"

#include <cstdint>

namespace emulator {

void fill_shared_memory() {
  // volatile keeps this from becoming a call of memset, which AddressSanitizer replaces: it would object, since red
  // zones lie between the arrays.
  volatile char* byte = emulator_shared_begin;
  while (byte < emulator_shared_end && reinterpret_cast<uintptr_t>(byte) % sizeof(uint64_t) != 0) {
    *byte++ = 0x7f;
  }
  auto* word = reinterpret_cast<volatile uint64_t*>(byte);
  for (; reinterpret_cast<volatile char*>(word + 1) <= emulator_shared_end; ++word) {
    *word = 0x7ff77ff77ff77ff7;
  }
  for (byte = reinterpret_cast<volatile char*>(word); byte < emulator_shared_end; ++byte) {
    *byte = 0x7f;
  }
}

}  // namespace emulator
